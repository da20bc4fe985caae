"""How good a picture is, from its pixels alone: size, sharpness, grain, exposure, contrast, edits.

The limits lie beyond what 995 of 1000 pictures of each training source keep; `training.quality`
measures them.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from classifier.labels import Doubt, FloatArray, Greys, Modality
from classifier.preprocess import to_input, to_levels

# All but the size is measured on a copy of so many pixels a side: sharper the network never sees.
SIDE = 224
SMALLEST = 150
BLURRED = 1.15
DARK = 0.36
BRIGHT = 0.66
WHITE = 0.04
BLACK = 0.32
# Of `grain`, `grain_2` and `grain_4`.
GRAINY = (0.032, 0.009, 0.015)
# Edges so sharp where all that is fine is missing were sharpened by a program.
ENLARGED = -6.0
SHARPENED = 1.22
# Of these measures see `Quality`.
PLAIN = 0.06
SPARSE = 0.15
EQUALISED = 0.05
FLAT = {Modality.XRAY: 0.115, Modality.CT: 0.08}
# In cycles over the picture.
CYCLES = np.hypot(np.fft.fftfreq(SIDE)[:, np.newaxis], np.fft.rfftfreq(SIDE)) * SIDE
FINE, COARSE = (CYCLES >= 45) & (CYCLES < 75), (CYCLES >= 12) & (CYCLES < 28)
FADE = np.outer(np.hanning(SIDE), np.hanning(SIDE)).astype(np.float32)
# What noise of variance 1 leaves of squared gradients after blurs of 1 and of 2 pixels.
NOISE_LEFT = {1: 0.0514, 2: 0.00466}


@dataclass(frozen=True, slots=True)
class Quality:
    """What is measured on a picture.

    `side` is the shorter one in pixels. `sharpness` compares edges after a blur of one pixel with
    those after two: about 2 for the sharpest edges, near 1 for none. `fineness` is the logarithm of
    the power of fine detail over that of coarse: about -4 for a film, below -6 for an enlarged
    thumbnail. `grain` is the standard deviation of white noise, `grain_2` and `grain_4` of what
    coarser noise there is besides, in grains of 2 and 4 pixels of `SIDE`. `shadows` and `lights`
    are the greys that a quarter of the picture is below and above, `white` and `black` the shares
    of it that are lost there, `contrast` is the spread of its greys: all in [0, 1].

    Edits: `plain` is the share covered by one grey, neither black nor white, `fullness` compares
    how many greys are used (exponential of their entropy) with a normal distribution of the same
    spread, and `unevenness` is how far the greys are from each being used alike (Kolmogorov and
    Smirnov's distance).
    """

    side: int
    sharpness: float
    fineness: float
    grain: float
    grain_2: float
    grain_4: float
    shadows: float
    lights: float
    white: float
    black: float
    contrast: float
    plain: float
    fullness: float
    unevenness: float


def measure(shown: Greys, side: int | None = None) -> Quality:
    """Measure a picture as shown: (rows, columns).

    `side` is the shorter one of the picture as it came, where this is a copy shrunk from it.
    """
    grey = to_input(shown, SIDE)[..., 0]
    soft, softer = _blurred(grey, 1), _blurred(grey, 2)
    shadows, lights = np.quantile(soft, (0.25, 0.75))
    noise = _noise(grey)
    fine, coarse = _edges(soft, NOISE_LEFT[1] * noise), _edges(softer, NOISE_LEFT[2] * noise)
    return Quality(
        side=side or min(shown.shape),
        sharpness=float(np.sqrt(fine / coarse)) if coarse > 0 else np.inf,
        fineness=_fineness(grey),
        grain=noise**0.5,
        grain_2=_coarse_noise(grey, 2, noise) ** 0.5,
        grain_4=_coarse_noise(grey, 4, noise) ** 0.5,
        shadows=float(shadows),
        lights=float(lights),
        white=float((grey > 0.99).mean()),
        black=float((grey < 0.01).mean()),
        contrast=float(soft.std()),
        plain=_plain(grey, soft.std()),
        **_greys(shown),
    )


def doubts(quality: Quality, modality: Modality) -> frozenset[Doubt]:
    """Judge a picture; of a CT slice, whose greys are made, only size and contrast."""
    holds = {
        Doubt.TOO_SMALL: quality.side < SMALLEST,
        Doubt.FLAT: quality.contrast < FLAT[modality],
    }
    if modality is Modality.XRAY:
        holds |= {
            Doubt.TOO_SMALL: holds[Doubt.TOO_SMALL] or _is_enlarged(quality),
            Doubt.BLURRED: quality.sharpness < BLURRED,
            Doubt.POOR_QUALITY: _is_grainy(quality),
            Doubt.TOO_DARK: quality.lights < DARK,
            Doubt.TOO_BRIGHT: quality.shadows > BRIGHT,
            Doubt.CLIPPED: quality.white > WHITE or quality.black > BLACK,
            # What is flat says so, and that is enough.
            Doubt.EDITED: not holds[Doubt.FLAT] and _is_edited(quality),
        }
    return frozenset(doubt for doubt, is_so in holds.items() if is_so)


def _is_enlarged(quality: Quality) -> bool:
    return quality.fineness < ENLARGED and quality.sharpness > SHARPENED


def _is_grainy(quality: Quality) -> bool:
    grains = [quality.grain]
    if quality.side >= SIDE:
        # The pixels of smaller pictures are such grains themselves.
        grains += [quality.grain_2, quality.grain_4]
    return any(grain > limit for grain, limit in zip(grains, GRAINY[: len(grains)], strict=True))


def _is_edited(quality: Quality) -> bool:
    return quality.plain > PLAIN or quality.fullness < SPARSE or quality.unevenness < EQUALISED


def _plain(grey: FloatArray, contrast: float) -> float:
    """Give the share of places that all 24 around are like, as where something was covered."""
    low, high = _around(grey, np.minimum), _around(grey, np.maximum)
    plain = (high - low < contrast / 80) & (low > 0.03) & (high < 0.97)
    return float(plain.mean())


def _around(grey: FloatArray, extreme: np.ufunc) -> FloatArray:
    """Give the lowest or the highest grey of each square of 5 by 5."""
    for _ in range(2):
        rows = len(grey) - 4
        grey = reduce(extreme, [grey[top : top + rows] for top in range(5)]).T
    return grey


def _greys(shown: Greys) -> dict[str, float]:
    """Measure which greys are used, on some of the pixels."""
    step = max(1, min(shown.shape) // SIDE)
    levels = to_levels(shown[::step, ::step])
    shares = np.bincount(levels.ravel(), minlength=256) / levels.size
    used = shares[shares > 0]
    count = np.exp(-(used * np.log(used)).sum())
    usual = np.sqrt(2 * np.pi * np.e) * max(float(levels.std()), 1.0)
    even = np.arange(1, 257) / 256
    return {
        "fullness": float(count / usual),
        "unevenness": float(np.abs(shares.cumsum() - even).max()),
    }


def _blurred(grey: FloatArray, radius: int) -> FloatArray:
    """Blur by a Gaussian of this standard deviation in pixels."""
    reach = 3 * radius
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * radius**2)).astype(np.float32)
    weights /= weights.sum()
    for _ in range(2):
        wide = np.pad(grey, ((reach, reach), (0, 0)), mode="edge")
        windows = sliding_window_view(wide, len(weights), axis=0)
        grey = np.ascontiguousarray((windows @ weights).T)
    return grey


def _edges(grey: FloatArray, noise: float) -> float:
    """Give the mean squared gradient, without what noise adds and without the frame."""
    inner = grey[8:-8, 8:-8]
    across = inner[1:-1, 2:] - inner[1:-1, :-2]
    down = inner[2:, 1:-1] - inner[:-2, 1:-1]
    return max(float((across**2 + down**2).mean()) / 4 - noise, 0.0)


def _fineness(grey: FloatArray) -> float:
    """Compare the power of fine detail with that of coarse detail."""
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * FADE)) ** 2
    fine, coarse = power[FINE].mean(), power[COARSE].mean()
    return float(np.log(fine / coarse)) if min(fine, coarse) > 0 else 0.0


def _noise(grey: FloatArray) -> float:
    """Estimate the variance of white noise (Immerkær 1996, with the median against edges)."""
    rows = grey[:-2] - 2 * grey[1:-1] + grey[2:]
    cross = (rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]) / 6
    return float(np.median(np.abs(cross)) / 0.6745) ** 2


def _coarse_noise(grey: FloatArray, pixels: int, noise: float) -> float:
    """Estimate the variance of noise in grains of so many pixels, without what is white."""
    side = len(grey) // pixels
    averaged = grey.reshape(side, pixels, side, pixels).mean((1, 3))
    return max(_noise(averaged) - noise / pixels**2, 0.0)
