"""Stored DICOM values to grey or to CT numbers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from classifier.labels import CTNumbers, FloatArray
from classifier.reading.colour import patches
from classifier.reading.header import number, text, value

AIR = -1024.0
# A window is of other values if it leaves so much of a picture all black or all white, or nearly
# all of it within so few greys.
LOST = 0.9
NARROW = 0.15
_CT_NUMBERS = np.iinfo(np.int16).min, np.iinfo(np.int16).max

Stored = NDArray[np.integer | np.floating]
Mask = NDArray[np.bool_]


def hounsfield(dataset: Dataset, stored: Stored, slope: float, intercept: float) -> CTNumbers:
    """Rescale stored values to whole CT numbers (PS3.3 C.11.1), padding to air.

    Raises ValueError if there is one that is no number.
    """
    padding = _padding(dataset, stored)
    pixels = stored.astype(np.float32)
    pixels *= np.float32(slope)
    pixels += np.float32(intercept)
    if padding is not None:
        pixels[padding] = AIR
    if not np.isfinite(pixels.sum()):
        raise ValueError("not a number")
    np.rint(pixels, out=pixels)
    return np.clip(pixels, *_CT_NUMBERS, out=pixels).astype(np.int16)


def grey(dataset: Dataset, stored: Stored) -> FloatArray:
    """Render stored values for the eye: 0 black to 1 white.

    Modality LUT, then VOI LUT or window (PS3.3 C.11.1, C.11.2), inversion last (C.7.6.3.1.2,
    C.11.6); padding black. Without a VOI that shows something of these values, 8 bits are taken as
    rendered already, and deeper values are windowed from their 0.5th to their 99.5th percentile.
    """
    padding = _padding(dataset, stored)
    pixels = _voi(dataset, _modality_values(dataset, stored), padding)
    if text(dataset, "PhotometricInterpretation") == "MONOCHROME1" or (
        text(dataset, "PresentationLUTShape") == "INVERSE"
    ):
        np.subtract(1, pixels, out=pixels)
    if padding is not None:
        pixels[padding] = 0
    return pixels


def luma(rgb: Stored, full_scale: float) -> tuple[FloatArray, float, float]:
    """Reduce (rows, columns, 3) to luma (ITU-R 601) in [0, 1], mean chroma and `colour.patches`."""
    unit = rgb.astype(np.float32) / np.float32(full_scale)
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    chroma = float((unit.max(axis=2) - unit.min(axis=2)).mean())
    levels = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
    return np.clip(unit @ weights, 0, 1), chroma, patches(Image.fromarray(levels))


def _modality_values(dataset: Dataset, stored: Stored) -> Stored:
    if value(dataset, "ModalityLUTSequence"):
        found, bits = _looked_up(dataset, dataset.ModalityLUTSequence[0], stored)
        return found.astype(np.uint8) if bits <= 8 else found
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    if slope in (None, 0, 1) and intercept in (None, 0):
        return stored
    return stored.astype(np.float32) * np.float32(slope or 1) + np.float32(intercept or 0)


def _voi(dataset: Dataset, values: Stored, padding: Mask | None) -> FloatArray:
    for pixels in _as_told(dataset, values):
        if _shows_something(pixels, padding):
            return pixels
    if values.dtype == np.uint8:
        return values.astype(np.float32) / np.float32(255)
    low, high = _percentiles(values, padding)
    return _linear_exact(values.astype(np.float32), (low + high) / 2, high - low)


def _as_told(dataset: Dataset, values: Stored) -> Iterator[FloatArray]:
    """Render values by the table of a header, and by its window."""
    if value(dataset, "VOILUTSequence"):
        # A window may be good where a table is none.
        with suppress(AttributeError, TypeError, ValueError, IndexError):
            yield _voi_table(dataset, values)
    centre, width = number(dataset, "WindowCenter"), number(dataset, "WindowWidth")
    if centre is not None and width is not None and width > 0:
        function = (text(dataset, "VOILUTFunction") or "LINEAR").upper()
        yield _WINDOWS.get(function, _linear)(values.astype(np.float32), centre, width)


def _shows_something(pixels: FloatArray, padding: Mask | None) -> bool:
    low, high = _percentiles(pixels, padding)
    return ((pixels == 0) | (pixels == 1)).mean() < LOST and high - low > NARROW


def _voi_table(dataset: Dataset, values: Stored) -> FloatArray:
    """Look values up in the first VOI LUT (PS3.3 C.11.2.1.1), as shares of its full scale."""
    found, bits = _looked_up(dataset, dataset.VOILUTSequence[0], values)
    unit: FloatArray = np.clip(found.astype(np.float32) / np.float32(2**bits - 1), 0, 1)
    return unit


def _looked_up(dataset: Dataset, lut: Dataset, values: Stored) -> tuple[NDArray[np.uint16], int]:
    """Look values up in a table, and give its bits; those beyond it take its ends.

    Not by pydicom, which counts in the type of the entries and so wraps 12 bits round at 256, and
    knows no tables of 10 or 12 bits.
    """
    entries, first, bits = (int(each) for each in lut.LUTDescriptor)
    table = _entries(dataset, lut.LUTData, entries or 0x10000)
    return table[np.clip(np.rint(values).astype(np.int32) - first, 0, len(table) - 1)], bits


def _entries(dataset: Dataset, data: bytes | Sequence[int], count: int) -> NDArray[np.uint16]:
    """Read the entries of a table: 16 bits each, or 8 bits packed into words."""
    order = "<" if dataset.original_encoding[1] is not False else ">"
    words = data if isinstance(data, bytes) else np.asarray(data, f"{order}u2").tobytes()
    table = np.frombuffer(words, f"{order}u2" if len(words) >= 2 * count else np.uint8)
    return table[:count].astype(np.uint16)


def _linear(values: FloatArray, centre: float, width: float) -> FloatArray:
    """PS3.3 C.11.2.1.2.1: a width of 1 is a threshold."""
    return _linear_exact(values, centre - 0.5, max(width - 1, 1e-6))


def _linear_exact(values: FloatArray, centre: float, width: float) -> FloatArray:
    """PS3.3 C.11.2.1.3.2."""
    values -= np.float32(centre)
    values /= np.float32(max(width, 1e-6))
    values += np.float32(0.5)
    return np.clip(values, 0, 1, out=values)


def _sigmoid(values: FloatArray, centre: float, width: float) -> FloatArray:
    """PS3.3 C.11.2.1.3.1."""
    exponent = np.clip(-4 * (values - np.float32(centre)) / np.float32(width), -80, 80)
    pixels: FloatArray = 1 / (1 + np.exp(exponent))
    return pixels


_WINDOWS: dict[str, Callable[[FloatArray, float, float], FloatArray]] = {
    "LINEAR": _linear,
    "LINEAR_EXACT": _linear_exact,
    "SIGMOID": _sigmoid,
}


def _percentiles(values: Stored, padding: Mask | None) -> tuple[float, float]:
    inside = values.ravel() if padding is None else values[~padding]
    if inside.size == 0:
        return 0.0, 1.0
    # A million values say as much as all of them.
    low, high = np.percentile(inside[:: max(1, inside.size // 1_000_000)], (0.5, 99.5))
    return float(low), float(high)


def _padding(dataset: Dataset, stored: Stored) -> Mask | None:
    """Find the padding (PS3.3 C.7.5.1.1.2): one stored value, or an inclusive range of them."""
    first = _as_stored(dataset, "PixelPaddingValue")
    if first is None:
        return None
    last = _as_stored(dataset, "PixelPaddingRangeLimit")
    low, high = sorted((first, first if last is None else last))
    mask: Mask = (stored == low) if low == high else (stored >= low) & (stored <= high)
    return mask


def _as_stored(dataset: Dataset, keyword: str) -> int | None:
    """Read a value as the pixels are: many writers give -2000 as the unsigned 63536."""
    found = number(dataset, keyword)
    if found is None:
        return None
    whole = int(found) & 0xFFFF
    signed = number(dataset, "PixelRepresentation") == 1
    return whole - 0x10000 if signed and whole >= 0x8000 else whole
