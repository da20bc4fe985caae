import numpy as np
from numpy.testing import assert_allclose
from PIL import Image

from classifier.labels import Modality
from classifier.preprocess import FINE, as_trained, shrunk, to_grey, to_input
from classifier.reading.scan import Scan, Units
from training import dataset, films


def test_hounsfield_units_go_through_the_lung_window() -> None:
    hounsfield = np.array([[-2000, -1350, -600, 150, 3000]], np.float32)
    grey = to_grey(Scan(hounsfield, Units.HOUNSFIELD, Modality.CT, None))
    assert_allclose(grey, [[0, 0, 0.5, 1, 1]])
    assert grey.dtype == np.float32


def test_grey_stays_as_it_is() -> None:
    pixels = np.random.default_rng(0).random((4, 5)).astype(np.float32)
    assert to_grey(Scan(pixels, Units.GREY, None, None)) is pixels


def test_levels_become_exactly_their_share_of_255_and_go_the_same_way() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (300, 400), np.uint8)
    grey = to_grey(Scan(levels, Units.GREY, None, None))
    np.testing.assert_array_equal(grey, levels / np.float32(255))
    assert grey.dtype == np.float32
    np.testing.assert_array_equal(to_input(levels, 160), to_input(grey, 160))
    large = levels.repeat(4, 0).repeat(4, 1)
    assert_allclose(shrunk(large), shrunk(large / np.float32(255)), atol=0.5 / 255)


def test_a_picture_of_the_right_size_is_not_resampled() -> None:
    pixels = np.random.default_rng(0).random((224, 224)).astype(np.float32)
    np.testing.assert_array_equal(to_input(pixels, 224)[..., 0], pixels)


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), (448, 224))
    assert_allclose(to_input(stripes, 64)[8:-8, 8:-8], 0.5, atol=0.02)


def test_a_large_picture_is_shrunk_by_a_whole_factor_and_looks_the_same_to_the_network() -> None:
    y, x = np.mgrid[0:1:1400j, 0:1:1000j]
    large = ((np.sin(9 * x) * np.cos(7 * y) + 1) / 2).astype(np.float32)
    small = shrunk(large)
    assert small.shape == (700, 500)
    np.testing.assert_array_equal(to_input(small, 160), to_input(large, 160))
    assert shrunk(small) is small
    at_once = Image.fromarray(large).resize((160, 160), Image.Resampling.BILINEAR)
    assert_allclose(to_input(large, 160)[..., 0], np.asarray(at_once), atol=0.004)


def test_a_small_picture_is_not_shrunk() -> None:
    pixels = np.zeros((2 * FINE - 1, 3 * FINE), np.float32)
    assert shrunk(pixels) is pixels


def test_training_uses_the_very_functions_of_serving() -> None:
    for module in (dataset, films):
        assert vars(module)["to_grey"] is to_grey
        assert vars(module)["as_trained"] is as_trained
