"""A `Scan` to what is shown and to what the network takes; the same functions in training."""

import numpy as np
from PIL import Image

from classifier.labels import FloatArray
from classifier.reading.scan import Scan, Units

LUNG_WINDOW_CENTRE = -600.0
LUNG_WINDOW_WIDTH = 1500.0


def to_grey(scan: Scan) -> FloatArray:
    """Give the picture as shown: (rows, columns) float32, 0 black to 1 white.

    Hounsfield units go through one fixed lung window, centre -600 and width 1500 (PS3.3
    C.11.2.1.2 linear), whatever window the file names.
    """
    if scan.units is Units.GREY:
        return scan.pixels
    lowest = LUNG_WINDOW_CENTRE - LUNG_WINDOW_WIDTH / 2
    grey: FloatArray = np.clip((scan.pixels - lowest) / LUNG_WINDOW_WIDTH, 0, 1)
    return grey


def to_input(grey: FloatArray, size: int) -> FloatArray:
    """Resize (rows, columns) in [0, 1] to the network's (size, size, 1), aspect not kept.

    Antialiased bilinear, because the training pictures were made so.
    """
    if grey.shape != (size, size):
        resized = Image.fromarray(grey).resize((size, size), Image.Resampling.BILINEAR)
        grey = np.asarray(resized, dtype=np.float32)
    return np.clip(grey, 0, 1)[..., np.newaxis]
