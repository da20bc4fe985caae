import io

import numpy as np
import pytest
from PIL import Image

from classifier import png


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (640, 480)])
def test_every_pixel_comes_back(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    encoded = io.BytesIO(png.encode(Image.fromarray(pixels)))
    decoded = Image.open(encoded, formats=["PNG"])
    assert (decoded.mode, decoded.size) == ("RGB", size)
    np.testing.assert_array_equal(np.asarray(decoded), pixels)


def test_grey_is_written_as_colour() -> None:
    encoded = png.encode(Image.new("L", (4, 4), 77))
    assert Image.open(io.BytesIO(encoded)).getpixel((2, 2)) == (77, 77, 77)
