import io

import numpy as np
import pytest
from PIL import Image

from classifier import png


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (640, 480)])
def test_every_pixel_comes_back(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    encoded = io.BytesIO(png.encode(pixels))
    decoded = Image.open(encoded, formats=["PNG"])
    assert (decoded.mode, decoded.size) == ("RGB", size)
    np.testing.assert_array_equal(np.asarray(decoded), pixels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (37, 53)])
def test_grey_stays_grey(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    decoded = Image.open(io.BytesIO(png.encode(pixels)), formats=["PNG"])
    assert decoded.mode == "L"
    np.testing.assert_array_equal(np.asarray(decoded), pixels)
