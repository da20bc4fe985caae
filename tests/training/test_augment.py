import numpy as np
import pytest

from training import augment as augmenting
from training.augment import Augment, augment, augment_far


@pytest.mark.parametrize("augment", [augment, augment_far])
def test_the_same_generator_gives_the_same_picture(augment: Augment) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    first, second, third = (augment(pixels, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()
    assert first.shape == pixels.shape
    assert first.dtype == np.uint8


def test_a_picture_is_never_turned_upside_down() -> None:
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:20] = 255
    for seed in range(100):
        varied = augment(pixels, np.random.default_rng(seed)).astype(float)
        assert varied[:32].mean() > varied[32:].mean()


def test_the_source_is_left_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    before = pixels.copy()
    augment(pixels, np.random.default_rng(0))
    np.testing.assert_array_equal(pixels, before)


def test_light_is_uneven_in_the_large_and_even_in_the_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(augmenting, "augment", lambda pixels, rng: pixels)
    monkeypatch.setattr(augmenting, "FAR_CHANCE", 0)
    monkeypatch.setattr(augmenting, "UNEVEN_CHANCE", 1)
    pixels = np.full((64, 64), 120, np.uint8)
    lit = np.stack([augment_far(pixels, np.random.default_rng(seed)) for seed in range(60)])
    spread = np.ptp(lit.reshape(60, -1), axis=1)
    assert (spread.max() > 100, np.median(spread) > 40) == (True, True)
    assert np.abs(np.diff(lit.astype(int), axis=1)).max() < 30
    darkest = np.argmin(lit[:, 32], axis=1)
    assert {int(each) for each in darkest} > {0, 63}, "from the middle, to both sides"
