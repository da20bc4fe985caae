import numpy as np

from training.augment import augment


def test_the_same_generator_gives_the_same_picture() -> None:
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
