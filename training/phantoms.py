"""Chests drawn in three dimensions, no two alike, to be projected as X-rays from any side."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from classifier.labels import FloatArray

SLICES, SIDE = 72, 112
# Millimetres between slices and between pixels.
SPACING = (4.0, 3.4)
AIR, FAT, SOFT, BONE = -1000, -90, 45, 350

Space = NDArray[np.float64]
Inside = NDArray[np.bool_]


def chest(rng: np.random.Generator) -> FloatArray:
    """Draw a chest, (SLICES, SIDE, SIDE) in Hounsfield units: the first slice lowest, front up."""
    up, back, left = np.meshgrid(
        np.linspace(-1, 1, SLICES), *[np.linspace(-1, 1, SIDE)] * 2, indexing="ij"
    )
    wide, deep = rng.uniform(0.65, 0.9), rng.uniform(0.45, 0.7)
    narrowing = 1 - rng.uniform(0.1, 0.45) * np.clip(up - rng.uniform(0.1, 0.5), 0, 1) ** 1.5
    across, behind = left / (wide * narrowing), back / (deep * narrowing)
    shell = np.hypot(across, behind)
    volume = np.full(up.shape, float(AIR))
    if rng.random() < 0.4:
        volume[_breasts(across, behind, up, rng)] = FAT
    volume[shell < 1] = FAT
    volume[shell < rng.uniform(0.88, 0.97)] = SOFT
    if rng.random() < 0.7:
        _raise_arms(volume, left, back, up, wide, rng)
    lungs = _lungs(across, behind, up, rng)
    vessels = ndimage.gaussian_filter(rng.standard_normal(up.shape), rng.uniform(0.8, 2))
    volume[lungs] = (rng.uniform(-880, -720) + 400 * vessels)[lungs]
    volume[_heart(across, behind, up, rng)] = SOFT
    volume[_bones(across, behind, up, shell, rng)] = BONE
    return volume.astype(np.float32)


def _ball(*offsets: Space) -> Inside:
    inside: Inside = np.sum([each**2 for each in offsets], axis=0) < 1
    return inside


def _lungs(across: Space, behind: Space, up: Space, rng: np.random.Generator) -> Inside:
    """Two rounded cones on the domes of the diaphragm, which lies lower behind."""
    floor, slope, dome = rng.uniform(-0.65, -0.2), rng.uniform(0.2, 0.6), rng.uniform(0.15, 0.4)
    lungs = np.zeros(up.shape, bool)
    for side in (-1, 1):
        aside = across - side * rng.uniform(0.4, 0.5)
        room = _ball(aside / rng.uniform(0.36, 0.42), behind / 0.82, (up + 0.25) / 1.15)
        ground = floor - slope * behind + dome * np.clip(1 - (aside / 0.45) ** 2 - behind**2, 0, 1)
        lungs |= room & (up > ground + rng.uniform(-0.05, 0.05))
    return lungs


def _heart(across: Space, behind: Space, up: Space, rng: np.random.Generator) -> Inside:
    """A heart to the left in front, and the great vessels above it."""
    middle, low = rng.uniform(0.05, 0.2), rng.uniform(-0.5, -0.15)
    heart = _ball(
        (across - middle) / rng.uniform(0.3, 0.42),
        (behind + 0.3) / rng.uniform(0.4, 0.55),
        (up - low) / rng.uniform(0.3, 0.45),
    )
    return heart | (np.hypot(across / 0.14, (behind + 0.05) / 0.4) < 1) & (up > low)


def _bones(
    across: Space, behind: Space, up: Space, shell: Space, rng: np.random.Generator
) -> Inside:
    """A spine with its discs, a breastbone, and ribs that fall towards the front."""
    discs = np.sin(2 * np.pi * rng.uniform(4, 6) * up) > -0.8
    spine = (np.hypot(across / 0.13, (behind - 0.62) / 0.2) < 1) & discs
    process = (np.abs(across) < 0.03) & (behind > 0.7) & (behind < 0.9)
    breastbone = (np.abs(across) < 0.1) & (np.abs(behind + 0.83) < 0.05) & (up > -0.2)
    height = up + rng.uniform(0.15, 0.4) * behind
    ribs = (np.abs(shell - 0.83) < 0.035) & (np.sin(2 * np.pi * rng.uniform(4, 6) * height) > 0.5)
    bones: Inside = spine | process | breastbone | ribs & (height > -0.75)
    return bones


def _breasts(across: Space, behind: Space, up: Space, rng: np.random.Generator) -> Inside:
    size, low = rng.uniform(0.25, 0.4), rng.uniform(-0.4, 0.0)
    return np.logical_or(
        *(
            _ball((across - side) / size, (behind + 0.95) / size, (up - low) / 0.35)
            for side in (-0.45, 0.45)
        )
    )


def _raise_arms(
    volume: Space, left: Space, back: Space, up: Space, wide: float, rng: np.random.Generator
) -> None:
    """Put shoulders, and the arms above them, beside the upper chest."""
    thick, forward = rng.uniform(0.15, 0.25), rng.uniform(-0.5, 0.3)
    for side in (-1, 1):
        aside = left - side * wide * rng.uniform(0.75, 0.95)
        along = back - forward * np.clip(up - 0.3, 0, 1)
        is_above = up > rng.uniform(0.2, 0.5)
        volume[(np.hypot(aside, along) < thick) & is_above] = SOFT
        volume[(np.hypot(aside, along) < thick / 3) & is_above] = BONE
