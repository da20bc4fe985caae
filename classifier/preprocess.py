"""A `Scan` to what is shown and to what the network takes; the same functions in training."""

from typing import cast

import numpy as np
from PIL import Image

from classifier.labels import FloatArray, Greys, Levels
from classifier.reading.scan import Scan, Units

LUNG_WINDOW_CENTRE = -600.0
LUNG_WINDOW_WIDTH = 1500.0
# Twice the sides that the gate, the networks and the quality checks look at.
FINE = 448


def to_grey(scan: Scan) -> FloatArray:
    """Give the picture as shown: (rows, columns) float32, 0 black to 1 white."""
    return to_unit(as_shown(scan))


def as_shown(scan: Scan) -> Greys:
    """Give (rows, columns) as shown; what is grey already stays as it is, maybe in levels.

    Hounsfield units go through one fixed lung window, centre -600 and width 1500 (PS3.3
    C.11.2.1.2 linear), whatever window the file names.
    """
    if scan.units is Units.GREY:
        return cast(Greys, scan.pixels)
    lowest = np.float32(LUNG_WINDOW_CENTRE - LUNG_WINDOW_WIDTH / 2)
    grey: FloatArray = scan.pixels - lowest
    grey /= np.float32(LUNG_WINDOW_WIDTH)
    return np.clip(grey, 0, 1, out=grey)


def to_unit(grey: Greys) -> FloatArray:
    """Give (rows, columns) in [0, 1], a level v as v / 255; what is so already stays as it is."""
    if grey.dtype == np.uint8:
        return np.divide(grey, np.float32(255), dtype=np.float32)
    return grey.astype(np.float32, copy=False)


def to_levels(grey: Greys) -> Levels:
    """Give (rows, columns) in [0, 1] as 0 to 255; what is in such levels already stays as it is."""
    if grey.dtype == np.uint8:
        return grey.astype(np.uint8, copy=False)
    levels = np.empty(grey.shape, np.uint8)
    step = max(1, 65536 // grey.shape[1])  # in strips that the processor's cache holds
    for top in range(0, len(grey), step):
        strip = grey[top : top + step] * np.float32(255)
        strip += np.float32(0.5)
        levels[top : top + step] = np.clip(strip, 0, 255, out=strip)
    return levels


def shrunk(grey: Greys) -> FloatArray:
    """Average a large picture (rows, columns) down by a whole factor, to sides of `FINE` or more.

    Done once, it spares all that looks closer the work on the full size. A small one stays.
    """
    factor = min(grey.shape) // FINE
    return to_unit(grey if factor < 2 else np.asarray(Image.fromarray(grey).reduce(factor)))


def to_input(grey: Greys, size: int) -> FloatArray:
    """Resize (rows, columns) to the network's (size, size, 1) in [0, 1], aspect not kept.

    Antialiased bilinear, because the training pictures were made so.
    """
    small = shrunk(grey)
    if small.shape != (size, size):
        resized = Image.fromarray(small).resize((size, size), Image.Resampling.BILINEAR)
        small = np.asarray(resized, dtype=np.float32)
    return np.clip(small, 0, 1)[..., np.newaxis]


def as_trained(grey: Greys, size: int) -> Levels:
    """Give (size, size, 1) rounded to 8 bits, which networks were trained and calibrated on.

    What is not rounded gets another answer in the fourth digit, and a limit may lie that close.
    """
    levels: Levels = np.rint(to_input(grey, size) * np.float32(255)).astype(np.uint8)
    return levels
