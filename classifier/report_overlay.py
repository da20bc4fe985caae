"""Where the model looked, as colour over the scan, on one scale for all scans."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifier.labels import FloatArray

FULL_COLOUR = 12.0
"""The evidence at which colour is strongest, in logits.

A cell's evidence is its saliency times the number of cells: the logit the picture would get if all
of it spoke like this place. So the scale does not change with the size of the grid.
"""

TRANSPARENT_BELOW = 0.12
"""The part of the scale around zero that stays clear."""

_WARM = ((236, 96, 16), (255, 150, 24))  # speaks for pneumonia: faint, strong
_COOL = ((40, 124, 224), (80, 176, 255))  # speaks for normal
_OPACITY_WARM = 0.66
# Evidence for normal lies over the whole of a healthy lung; fainter, so that it does not glow.
_OPACITY_COOL = 0.34
_STEPS = 127  # of each sign


def overlay(scan: Image.Image, saliency: FloatArray) -> Image.Image:
    """Colour an `L` picture by a saliency grid that covers all of it; returns `RGB`."""
    evidence = strength(saliency)
    columns, rows = scan.size
    across = _weights(columns, evidence.shape[1])
    down = _weights(rows, evidence.shape[0])
    # Not `@`: waking the threads of BLAS costs more than this little sum.
    spread = np.einsum("ri,ij->rj", down, evidence)
    return _tint(scan, np.einsum("rj,jc->rc", spread, np.ascontiguousarray(across.T)))


def strength(saliency: FloatArray) -> FloatArray:
    """Put saliency on the fixed scale: -1 speaks fully for normal, 1 for pneumonia."""
    evidence = saliency.astype(np.float32) * np.float32(saliency.size / FULL_COLOUR)
    return evidence.clip(-1.0, 1.0)


def scale(width: int, height: int) -> Image.Image:
    """Paint the colour scale over an even grey, as it looks on a scan."""
    across = np.linspace(-1, 1, width, dtype=np.float32)
    return _tint(Image.new("L", (width, height), 80), np.tile(across, (height, 1)))


def _tint(scan: Image.Image, strengths: FloatArray) -> Image.Image:
    # From 0 to twice `_STEPS`, rounded.
    steps = strengths * np.float32(_STEPS) + np.float32(_STEPS + 0.5)
    places = np.clip(steps, 0, 2 * _STEPS, out=steps).astype(np.uint8)
    # Four bytes at once are taken ten times as fast as one by one.
    colours = _palette().view(np.uint32).ravel().take(places)
    tint = Image.frombuffer("RGBA", scan.size, colours, "raw", "RGBA", 0, 1)
    coloured = scan.convert("RGB")
    coloured.paste(tint, (0, 0), tint)
    return coloured


@lru_cache(maxsize=1)
def _palette() -> NDArray[np.uint8]:
    """List the RGBA colour of each step from -1 to 1."""
    strengths = np.linspace(-1, 1, 2 * _STEPS + 1)
    shown = np.clip((np.abs(strengths) - TRANSPARENT_BELOW) / (1 - TRANSPARENT_BELOW), 0, 1)
    warm = (strengths > 0)[:, None]
    faint = np.where(warm, _WARM[0], _COOL[0])
    strong = np.where(warm, _WARM[1], _COOL[1])
    opacity = np.where(strengths > 0, _OPACITY_WARM, _OPACITY_COOL) * shown * 255
    colour = faint + (strong - faint) * shown[:, None]
    return np.rint(np.column_stack([colour, opacity])).astype(np.uint8)


@lru_cache(maxsize=64)
def _weights(wanted: int, given: int) -> FloatArray:
    """Build the matrix that stretches `given` cells over `wanted` pixels, bicubic (Mitchell)."""
    centre = (np.arange(wanted) + 0.5) * given / wanted - 0.5
    first = np.floor(centre).astype(int) - 1
    weights = np.zeros((wanted, given), dtype=np.float32)
    for tap in range(4):
        place = first + tap
        np.add.at(
            weights,
            (np.arange(wanted), np.clip(place, 0, given - 1)),
            _mitchell(np.abs(centre - place)).astype(np.float32),
        )
    return weights


def _mitchell(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh a cell at distance `x`: Mitchell and Netravali (1988), B = C = 1/3; little ringing."""
    near = (7 * x**3 - 12 * x**2 + 16 / 3) / 6
    far = (-7 / 3 * x**3 + 12 * x**2 - 20 * x + 32 / 3) / 6
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
