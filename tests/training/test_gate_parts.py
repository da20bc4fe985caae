import numpy as np
import pytest

from training.augment import Grey
from training.gate_data import Shown
from training.gate_graph import SIZE
from training.gate_parts import CUTS, INSET, cut, inset, samples, several

# Rises to the right by one a column, and down by one every second row.
SLOPE = (np.arange(120)[None] + np.arange(120)[:, None] // 2).astype(np.uint8)


def films(*pixels: Grey) -> Shown:
    names = np.array(["film"] * len(pixels))
    return Shown(np.stack(pixels), names, names, names, np.zeros(len(pixels), np.float32))


@pytest.mark.parametrize(
    ("name", "middle"),
    [("upper half", (0.25, 0.5)), ("left half", (0.5, 0.25)), ("right 60 %", (0.5, 0.7))],
)
def test_a_cut_fills_the_picture_with_its_part(name: str, middle: tuple[float, float]) -> None:
    part = cut(SLOPE, CUTS[name])
    assert part.shape == SLOPE.shape
    down, across = (round(share * 120) for share in middle)
    assert part[60, 60] == pytest.approx(SLOPE[down, across], abs=2)


def test_two_films_share_a_picture() -> None:
    dark, bright = (np.full((80, 80), grey, np.uint8) for grey in (50, 200))
    pages = [several(dark, bright, np.random.default_rng(seed)) for seed in range(20)]
    is_beside = [page[78, 0] == 50 for page in pages]
    assert 0 < sum(is_beside) < 20
    for page, beside in zip(pages, is_beside, strict=True):
        first, last = (page[:, 0], page[:, -1]) if beside else (page[0], page[-1])
        assert (set(first.tolist()), set(last.tolist())) == ({50}, {200})
        assert min((page == grey).mean() for grey in (50, 200)) > 0.4


def test_a_small_film_lies_in_a_corner_of_another() -> None:
    dark, bright = (np.full((80, 80), grey, np.uint8) for grey in (50, 200))
    pages = [inset(dark, bright, np.random.default_rng(seed)) for seed in range(40)]
    corners = set()
    for page in pages:
        rows, columns = (np.flatnonzero((page == 200).any(axis)) for axis in (1, 0))
        assert len(rows) == len(columns)
        assert INSET[0] * 80 - 1 <= len(rows) <= INSET[1] * 80
        assert (page == 200).sum() == len(rows) * len(columns)
        corners.add((rows.mean() < 40, columns.mean() < 40))
    assert len(corners) == 4


def test_samples_tell_whole_films_from_the_rest_and_are_always_the_same() -> None:
    shown = films(SLOPE, SLOPE.T.copy())
    first, again = samples(shown), samples(shown)
    assert first.pixels.shape == (24, SIZE, SIZE, 1)
    assert first.is_part.tolist() == 2 * ([False] * 4 + [True] * 8)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.is_part, again.is_part)
    whole, parts = first.pixels[0], first.pixels[4:6]
    assert all(np.ptp(part) < np.ptp(whole) for part in parts)
