"""Where the lungs are in a CT slice, and the slice as the network takes it: the lungs alone.

One way for every source, in Hounsfield units, as a picture, or cut to the lungs already: what
differs between sources must not differ because of us. The same functions in training.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifier.labels import FloatArray, Levels
from classifier.preprocess import LUNG_WINDOW_CENTRE, LUNG_WINDOW_WIDTH, to_grey
from classifier.reading.scan import Scan, Units
from classifier.reading.series import extent

Masks = NDArray[np.bool_]

GRID = 128
"""The side of a mask, which covers the whole slice: about 3 mm a cell."""

# Between lung and soft tissue; a picture's own grey of that is found by Otsu's rule.
_LUNG_BELOW_HU = -400.0
_BLACK = 0.04  # nothing was recorded, or it was cut away
_SMALLEST = 0.1  # a part of the lungs, in parts of the largest: a windpipe is smaller
_CLOSED = 3  # cells: vessels and small consolidations at the edge belong to the lung
_KEPT_OFF = 2  # cells: the wall of the chest, and the rim that another's mask left, stay out
_LEAST = 0.01  # of the slice; less is no lung
_OUTSIDE = 0.0
# Percentiles within the lungs, what they usually are, and the grey that they become.
_PERCENTILES, _USUAL_HU, _BECOME = (10, 99), (-890.0, -260.0), (0.25, 0.85)


def find_lungs(scans: Sequence[Scan]) -> Masks:
    """Find the lungs in each slice: (n, `GRID`, `GRID`), all False where there are none.

    Dark and shut in by tissue; or, in a slice cut to the lungs, all that is not black.
    """
    greys = np.stack([small_grey(scan) for scan in scans])
    dark = greys < np.array([_threshold(*each) for each in zip(scans, greys, strict=True)])
    seen = greys > _BLACK
    shut_in = _large_parts(dark & seen & ~_from_border(dark))
    in_grey = np.array([scan.units is Units.GREY for scan in scans])
    cut = in_grey & _cut_to_the_lungs(dark, seen, shut_in)
    shut_in[cut] = _large_parts(seen[cut])
    found = _closed(shut_in)
    found[found.mean((1, 2)) < _LEAST] = False
    return found


def lung_volume(scans: Sequence[Scan]) -> float:
    """Estimate how much lung a series shows from slices that span it evenly: in mm³.

    As far as their places and the size of their pixels are known; 0 without places, or with such
    as no body has.
    """
    shares = find_lungs(scans).mean((1, 2))
    sizes = [scan.pixels.size * np.prod(scan.spacing or (1, 1)) for scan in scans]
    volume = float((shares * sizes).mean()) * extent([scan.tags for scan in scans])
    return volume if math.isfinite(volume) else 0.0


def lung_share(scan: Scan, mask: NDArray[np.bool_]) -> float:
    """Give the share of the body, in [0, 1], that is lung in a slice in Hounsfield units.

    `mask` (`GRID`, `GRID`) is its lungs.
    """
    lung, tissue = float(mask.mean()), float((small_grey(scan) > _grey(_LUNG_BELOW_HU)).mean())
    return lung / max(lung + tissue, 1 / GRID**2)


def small_grey(scan: Scan) -> FloatArray:
    """Give the slice in [0, 1] on the grid of the masks."""
    in_hounsfield = scan.units is Units.HOUNSFIELD
    whole = Image.fromarray(scan.pixels.astype(np.float32) if in_hounsfield else to_grey(scan))
    values = np.asarray(whole.resize((GRID, GRID), Image.Resampling.BOX), dtype=np.float32)
    if in_hounsfield:
        values = (values - LUNG_WINDOW_CENTRE) / LUNG_WINDOW_WIDTH + np.float32(0.5)
    return np.clip(values, 0, 1)


def lung_input(scan: Scan, mask: NDArray[np.bool_], size: int) -> Levels:
    """Give the lungs alone as the network takes them, (size, size) in 0 to 255.

    Cropped to the lungs' box, black outside them, and set to one brightness and contrast: that of
    Hounsfield units is known, a picture comes in a window that nobody notes and is set by what is
    darkest and brightest in its lungs. A mask (`GRID`, `GRID`) without lungs takes all.
    """
    if not mask.any():
        mask = np.ones_like(mask)
    box = lung_box(mask)
    low, high = _usual(scan, mask)
    rows, columns = scan.pixels.shape
    scale = (columns / GRID, rows / GRID) * 2
    part = tuple(side * by for side, by in zip(box, scale, strict=True))
    cells = Image.fromarray(mask).convert("L").crop(box)
    inside = np.asarray(cells.resize((size, size), Image.Resampling.BILINEAR)) > 127
    around = Image.fromarray(to_grey(scan))
    grey = np.asarray(around.resize((size, size), Image.Resampling.BILINEAR, box=part))
    contrast = (_BECOME[1] - _BECOME[0]) / max(high - low, 0.05)
    shown = np.clip((grey - low) * contrast + _BECOME[0], 0, 1)
    alone = np.where(inside, shown, _OUTSIDE).astype(np.float32)
    levels: Levels = np.rint(alone * np.float32(255)).astype(np.uint8)
    return levels


def lung_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Give left, top, right and bottom, in cells, of a mask (`GRID`, `GRID`) that is not empty."""
    down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


def _usual(scan: Scan, mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Give the greys of aerated lung and of its densest parts."""
    if scan.units is Units.HOUNSFIELD:
        return _grey(_USUAL_HU[0]), _grey(_USUAL_HU[1])
    low, high = np.percentile(small_grey(scan)[mask], _PERCENTILES)
    return float(low), float(high)


def _grey(hounsfield: float) -> float:
    return (hounsfield - LUNG_WINDOW_CENTRE) / LUNG_WINDOW_WIDTH + 0.5


def _threshold(scan: Scan, grey: FloatArray) -> NDArray[np.float64]:
    value = _grey(_LUNG_BELOW_HU) if scan.units is Units.HOUNSFIELD else _otsu(grey[grey > _BLACK])
    return np.full((1, 1), value)


def _otsu(values: FloatArray) -> float:
    """Split values in [0, 1] into two groups that are each as even as can be (Otsu 1979)."""
    counts, edges = np.histogram(values, 64, (0, 1))
    middles = (edges[:-1] + edges[1:]) / 2
    below, total = counts.cumsum(), counts.sum()
    mass = (counts * middles).cumsum()
    means = mass / np.maximum(below, 1), (mass[-1] - mass) / np.maximum(total - below, 1)
    return float(edges[1:][(below * (total - below) * (means[1] - means[0]) ** 2).argmax()])


def _cut_to_the_lungs(dark: Masks, seen: Masks, shut_in: Masks) -> NDArray[np.bool_]:
    """Tell which slices (n,) had all but the lungs made black: dark, and open to that black."""
    size = seen.sum((1, 2))
    cut: NDArray[np.bool_] = (shut_in.sum((1, 2)) < 0.1 * size) & (
        (dark & seen).sum((1, 2)) > 0.5 * size
    )
    return cut


def _from_border(allowed: Masks) -> Masks:
    """Find what can be reached from the border through allowed cells."""
    border = np.zeros_like(allowed)
    border[:, [0, -1]] = border[:, :, [0, -1]] = True
    return _spread(border.astype(np.int8), allowed) > 0


def _large_parts(mask: Masks) -> Masks:
    """Drop connected parts that are small beside the largest of their slice."""
    numbers = np.arange(1, mask.size + 1, dtype=np.int32).reshape(mask.shape)
    parts = _spread(numbers, mask)
    sizes = np.bincount(parts.ravel(), minlength=mask.size + 1)[parts]
    sizes[~mask] = 0
    large: Masks = mask & (sizes >= _SMALLEST * sizes.max((1, 2), initial=0, keepdims=True))
    return large


def _spread(values: NDArray[Any], allowed: Masks) -> NDArray[Any]:
    """Let the largest value win in each connected part of the allowed cells; 0 elsewhere.

    By sweeps over all slices at once, up, down and across until nothing changes.
    """
    # All ones where a value may lie: quicker than a condition.
    keep = np.ascontiguousarray(allowed.transpose(1, 2, 0)) * values.dtype.type(-1)
    values = np.ascontiguousarray(values.transpose(1, 2, 0)) & keep
    before = -1
    while (total := int(values.sum(dtype=np.int64))) != before:
        before = total
        for lines, may in ((values, keep), (values.swapaxes(0, 1), keep.swapaxes(0, 1))):
            for way in (1, -1):
                _sweep(lines[::way], may[::way])
    return values.transpose(2, 0, 1)


def _sweep(values: NDArray[Any], keep: NDArray[Any]) -> None:
    for last, line, may in zip(values[:-1], values[1:], keep[1:], strict=True):
        np.maximum(line, last, out=line)
        line &= may


def _closed(mask: Masks) -> Masks:
    """Fill gaps between the parts of a mask, then keep off its edge."""
    room = _CLOSED + 1
    padded = np.pad(mask, ((0, 0), (room, room), (room, room)))
    closed = ~_grow(~_grow(padded, _CLOSED), _CLOSED + _KEPT_OFF)
    inner: Masks = closed[:, room:-room, room:-room]
    return inner


def _grow(mask: Masks, cells: int) -> Masks:
    """Dilate by a diamond of this radius."""
    for _ in range(cells):
        grown = mask.copy()
        grown[:, 1:] |= mask[:, :-1]
        grown[:, :-1] |= mask[:, 1:]
        grown[:, :, 1:] |= mask[:, :, :-1]
        grown[:, :, :-1] |= mask[:, :, 1:]
        mask = grown
    return mask
