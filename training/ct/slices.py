"""CT slices of public sets as examples: what the file names say, and what the network sees."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier.engines import Engine
from classifier.labels import FloatArray
from classifier.lungs import GRID, Masks, find_lungs, lung_input, small_grey
from classifier.preprocess import to_unit
from classifier.reading.picture import read_picture
from training.answering import run_engine
from training.arrays import Arrays
from training.calibrate import Classes
from training.dataset import LABELS

AT_ONCE = 64
# Such as `sysu-b012-03.jpg`: source, patient, slice.
NAME = re.compile(r"([a-z]+)-([a-z]\d+)")


@dataclass(frozen=True, slots=True)
class Slices(Arrays):
    """Slices with lung: `inputs` (n, size, size) uint8, `masks` and `greys` (n, `GRID`, `GRID`).

    `classes` (n,) are indices into `LABELS`, known only for each patient; `sources`, `patients`
    (n,).
    """

    inputs: NDArray[np.uint8]
    masks: Masks
    greys: FloatArray
    classes: Classes
    sources: NDArray[np.str_]
    patients: NDArray[np.str_]

    def features(self, engine: Engine) -> FloatArray:
        """Give the pooled features (n, channels) that a network has for each."""
        grey = self.inputs[..., np.newaxis]
        parts = [grey[start : start + AT_ONCE] for start in range(0, len(grey), AT_ONCE)]
        return np.concatenate([run_engine(engine, to_unit(part)).features for part in parts])


def load_slices(folder: Path, size: int) -> tuple[Slices, int]:
    """Read `<folder>/slices-*/<label>/*`; gives the slices with lung and how many have none.

    Raises ValueError if there is none.
    """
    paths = sorted(folder.glob("slices-*/*/*"))
    if not paths:
        raise ValueError(f"{folder} holds no slices-*/<label>/<file>")
    names = [NAME.match(path.name) for path in paths]
    inputs = np.empty((len(paths), size, size), np.uint8)
    masks = np.empty((len(paths), GRID, GRID), bool)
    greys = np.empty((len(paths), GRID, GRID), np.float32)
    for start in range(0, len(paths), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        scans = [read_picture(path.read_bytes()) for path in paths[part]]
        masks[part] = find_lungs(scans)
        greys[part] = [small_grey(scan) for scan in scans]
        for row, scan, mask in zip(inputs[part], scans, masks[part], strict=True):
            row[:] = lung_input(scan, mask, size)
    found = Slices(
        inputs,
        masks,
        greys,
        np.array([LABELS.index(path.parent.name) for path in paths]),
        np.array([name[1] if name else "unknown" for name in names]),
        np.array([name[0] if name else path.stem for name, path in zip(names, paths, strict=True)]),
    )
    with_lung = np.array([mask.any() for mask in masks])
    return found.of(with_lung), int((~with_lung).sum())
