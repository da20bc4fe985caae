import numpy as np
import pytest

from classifier.film import homography
from training.photographs import KINDS, photograph, projected

FILM = np.repeat([[200, 40, 200, 40]], 32, axis=0).repeat(8, axis=1).astype(np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_photograph_comes_out_on_every_run_and_its_film_lies_in_it(kind: str) -> None:
    first, second = (photograph(FILM, kind, 3) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    rows, columns = first.pixels.shape[:2]
    middle = first.corners.mean(0)
    assert (middle > 0).all()
    assert (middle < (columns, rows)).all()
    assert first.grey().shape == (rows, columns)


def test_a_map_takes_each_corner_where_it_belongs() -> None:
    source = np.array([[0, 0], [10, 0], [10, 8], [0, 8]], float)
    target = np.array([[1, 2], [9, 1], [11, 9], [0, 7]], float)
    np.testing.assert_allclose(projected(homography(source, target), source), target, atol=1e-9)
