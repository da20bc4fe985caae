"""A frame as it is looked at: upright, and with pixels as wide as they are high."""

from typing import cast

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from classifier.labels import CTNumbers, Greys
from classifier.reading.header import numbers
from classifier.reading.limits import is_too_large

Orientation = tuple[float, float, float, float, float, float]
Pixels = Greys | CTNumbers

# Nearer to square nobody sees it; further from it no scanner is.
_SQUARE, _FURTHEST = 1.02, 4.0


def upright(pixels: Pixels, orientation: Orientation | None) -> Pixels:
    """Turn and mirror an axial slice, (rows, columns), as doctors look at it.

    The front of the body above, its left side on the right, as seen from the feet. By the direction
    of rows and columns in the patient, where x rises to the left and y to the back (PS3.3
    C.7.6.2.1.1). What is not axial, or not known, stays as it is.
    """
    if orientation is None:
        return pixels
    along_rows, along_columns = np.array(orientation[:3]), np.array(orientation[3:])
    if np.abs(np.cross(along_rows, along_columns)).argmax() != 2:
        return pixels
    if abs(along_rows[1]) > abs(along_rows[0]):
        pixels, along_rows, along_columns = pixels.T, along_columns, along_rows
    across, down = -1 if along_rows[0] < 0 else 1, -1 if along_columns[1] < 0 else 1
    return pixels[::down, ::across]


def height_to_width(dataset: Dataset, spacing: tuple[float, float] | None) -> float:
    """Tell how high a pixel is for its width: by its `spacing`, else PS3.3 C.7.6.3.1.7."""
    ratio = spacing or numbers(dataset, "PixelAspectRatio")
    return ratio[0] / ratio[1] if len(ratio) == 2 and min(ratio) > 0 else 1.0


def squared(pixels: Pixels, height: float) -> Pixels:
    """Stretch (rows, columns) so that pixels `height` times as high as wide become square."""
    rows, columns = pixels.shape
    if 1 / _SQUARE < height < _SQUARE or not 1 / _FURTHEST <= height <= _FURTHEST:
        return pixels
    rows, columns = round(rows * max(height, 1)), round(columns * max(1 / height, 1))
    if is_too_large(rows, columns):
        return pixels
    whole = Image.fromarray(pixels.astype(np.float32))
    stretched = np.asarray(whole.resize((columns, rows), Image.Resampling.BILINEAR))
    whole_numbers = pixels.dtype.kind in "iu"
    rounded = np.rint(stretched) if whole_numbers else stretched
    return cast("Pixels", rounded.astype(pixels.dtype))
