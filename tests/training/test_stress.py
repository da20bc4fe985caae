import numpy as np
import pytest

from training.stress import STRESSES, stressed


@pytest.fixture
def pixels() -> np.ndarray:
    """Two pictures that are bright at the top, grey in the middle and dark below."""
    rows = np.repeat([220, 128, 40], [20, 24, 20]).astype(np.uint8)
    return np.broadcast_to(rows[:, None], (2, 64, 64)).copy()


@pytest.mark.parametrize("kind", STRESSES)
def test_the_same_changed_pictures_come_out_on_every_run(kind: str, pixels: np.ndarray) -> None:
    before = pixels.copy()
    first, second = (stressed(pixels, kind) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == pixels.shape
    assert first.dtype == np.uint8
    assert (first != pixels).any()
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("kind", ["crop", "border", "photo"])
def test_no_two_pictures_are_changed_alike(kind: str, pixels: np.ndarray) -> None:
    first, second = stressed(pixels, kind)
    assert (first != second).any()


def test_dark_is_darker_and_bright_is_brighter(pixels: np.ndarray) -> None:
    assert stressed(pixels, "dark").mean() < pixels.mean() < stressed(pixels, "bright").mean()


def test_contrast_is_less_and_more(pixels: np.ndarray) -> None:
    spreads = [stressed(pixels, kind).std() for kind in ("low_contrast", "high_contrast")]
    assert spreads[0] < pixels.std() < spreads[1]


def test_a_photograph_shows_a_dark_room_around_and_the_picture_upright(
    pixels: np.ndarray,
) -> None:
    for photo in stressed(pixels, "photo").astype(float):
        assert photo[0].min() < 30
        assert photo[10:20].mean() > photo[44:54].mean()


def test_uneven_light_is_less_at_every_edge_and_gone_at_none() -> None:
    bright = np.full((20, 64, 64), 200, np.uint8)
    for lit in stressed(bright, "uneven"):
        edges = np.concatenate([lit[0], lit[-1], lit[:, 0], lit[:, -1]])
        assert lit.max() > 195
        assert 10 < edges.min() < edges.max() < 140
