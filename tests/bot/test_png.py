import io

import numpy as np
import pytest
from PIL import Image

from bot.png import grey_png


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (37, 53)])
def test_pixels_survive(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    opened = Image.open(io.BytesIO(grey_png(pixels)))
    opened.verify()
    again = Image.open(io.BytesIO(grey_png(pixels)))
    assert again.mode == "L" and np.array_equal(np.asarray(again), pixels)
