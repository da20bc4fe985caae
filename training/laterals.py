"""Chests projected as X-rays from the side, which the gate refuses, and from the front.

It learns from chests that are drawn, and is measured on real ones, from CT series.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from classifier.labels import FloatArray
from classifier.preprocess import to_input
from classifier.reading.dicom import read_dicom
from classifier.reading.scan import Scan
from training import phantoms
from training.augment import Grey, rounded
from training.gate_data import KEPT, Shown
from training.gate_pictures import projections

LATERALS, FRONTS = "laterals", "fronts"
# Degrees from the front; a film may also be taken through the back, and from either side.
ANGLES = {
    LATERALS: (*range(65, 116, 5), *range(245, 296, 5)),
    FRONTS: (*range(-15, 16, 5), *range(165, 196, 5)),
}
DRAWN, EACH = 60, 4
# Hounsfield units that air, clothes and a blanket do not reach.
BODY = -300
# Body and table touch on fewer than twice so many pixels, of 1 to 2 mm.
APART = 3
# A picture ends where the body does: its shadow is brighter than this.
SHADOW = 0.05


def drawn() -> Shown:
    """Project `DRAWN` chests that are made up, each in a few ways from the sides and the front."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(DRAWN):
        volume = phantoms.chest(rng)
        some = {family: rng.choice(angles, EACH).tolist() for family, angles in ANGLES.items()}
        rows.append(_projected(volume, phantoms.SPACING, some, f"chest {number}", "made up"))
    return Shown.joined(rows)


def projected(folders: Sequence[Path]) -> Shown:
    """Project each chest CT series, a folder of DICOM slices, from all of `ANGLES`.

    Its folder's name stands for its source and for its patient.
    """
    rows = []
    for folder in folders:
        volume, spacing = _volume(folder)
        alone = np.where(_body(volume), volume, -1000)
        rows.append(_projected(alone, spacing, ANGLES, folder.name, folder.name))
    return Shown.joined(rows)


def _projected(
    volume: FloatArray,
    spacing: tuple[float, float],
    angles: Mapping[str, Sequence[int]],
    group: str,
    source: str,
) -> Shown:
    pictures = [
        _framed(each) for some in angles.values() for each in projections(volume, spacing, some)
    ]
    count = len(pictures)
    return Shown(
        np.stack(pictures),
        np.repeat(list(angles), [len(some) for some in angles.values()]),
        np.full(count, source),
        np.full(count, group),
        np.zeros(count, np.float32),
    )


def _volume(folder: Path) -> tuple[FloatArray, tuple[float, float]]:
    """Read a series as (slices, rows, columns) in Hounsfield units, with millimetres between."""
    scans = [read_dicom(path.read_bytes())[0] for path in folder.iterdir() if path.is_file()]
    placed = sorted((scan for scan in scans if scan.tags.position), key=_height)
    volume = np.stack([scan.pixels[::2, ::2].astype(np.float32) for scan in placed])
    between = (_height(placed[-1]) - _height(placed[0])) / (len(placed) - 1)
    return volume, (between, 2 * (placed[0].spacing or (1.0, 1.0))[1])


def _height(scan: Scan) -> float:
    assert scan.tags.position is not None
    return scan.tags.position[2]


def _body(volume: FloatArray) -> NDArray[np.bool_]:
    """Find the body without the table it lies on, (slices, rows, columns)."""
    filled = [ndimage.binary_fill_holes(each) for each in volume > BODY]
    parts, _ = ndimage.label(
        np.stack([ndimage.binary_opening(each, iterations=APART) for each in filled])
    )
    largest: NDArray[np.bool_] = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    return largest


def _framed(picture: FloatArray) -> Grey:
    shadow = np.flatnonzero(picture.max(0) > SHADOW)
    framed = to_input(picture[:, shadow[0] : shadow[-1] + 1], KEPT)
    return rounded(framed[..., 0] * 255)
