"""A labelled folder as examples, split by patient, loaded through the serving preprocessing."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from classifier.labels import FloatArray, Label
from classifier.preprocess import to_grey, to_input
from classifier.reading.picture import read_picture

LABELS = tuple(Label)
FOLDS = 5
TUNING_SHARE = 8


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled picture; `patient` groups the pictures that must not be torn apart."""

    path: Path
    label: Label
    patient: str


@dataclass(frozen=True, slots=True)
class Split:
    """Patient-disjoint parts: to fit, to choose and calibrate, and to report."""

    train: list[Example]
    tuning: list[Example]
    held_out: list[Example]


@dataclass(frozen=True, slots=True)
class Pictures:
    """`pixels` (n, size, size) uint8 and `classes` (n,) int, the index of each label."""

    pixels: NDArray[np.uint8]
    classes: NDArray[np.int64]

    def inputs(self) -> FloatArray:
        """Give what the network takes: (n, size, size, 1) float32 in [0, 1]."""
        return self.pixels[..., np.newaxis].astype(np.float32) / np.float32(255)


def find_examples(folder: Path) -> list[Example]:
    """List `<folder>/<label>/**`, byte-identical copies once, in a fixed order.

    Raises ValueError if a label's folder is missing or empty, or one picture has two labels.
    """
    examples: dict[str, Example] = {}
    for label in LABELS:
        paths = sorted(path for path in (folder / label).rglob("*") if path.is_file())
        if not paths:
            raise ValueError(f"{folder / label} holds no picture")
        for path in paths:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            example = Example(path, label, patient_of(path.relative_to(folder)))
            if examples.setdefault(digest, example).label is not label:
                raise ValueError(f"{path} also stands under {examples[digest].label}")
    return list(examples.values())


def patient_of(path: Path) -> str:
    """Tell the patient of `<label>/<file>` or `<label>/<patient>/<file>`.

    Kaggle's `person12_virus_…` numbers patients within a label, `IM-0115-…` and
    `NORMAL2-IM-0115-…` the children without pneumonia. Any other file is a patient of its own.
    """
    label, *folders, name = path.parts
    if folders:
        return f"{label}/{folders[0]}"
    numbered = re.match(r"person(\d+)_|(?:NORMAL2-)?IM-(\d+)-", name)
    return f"{label}/{numbered[1] or numbered[2] if numbered else path.stem}"


def split(examples: Sequence[Example], fold: int = 0, seed: int = 0) -> Split:
    """Hold out one fifth by patient, and an eighth of the rest for choosing and calibrating."""
    rest, held_out = _cut(examples, FOLDS, fold, seed)
    train, tuning = _cut(rest, TUNING_SHARE, 0, seed)
    return Split(train, tuning, held_out)


def load_pictures(examples: Sequence[Example], size: int) -> Pictures:
    """Read the pictures as the network would see them, rounded to 8 bits."""
    pixels = np.empty((len(examples), size, size), np.uint8)
    for row, example in zip(pixels, examples, strict=True):
        grey = to_grey(read_picture(example.path.read_bytes()))
        row[:] = np.rint(to_input(grey, size)[..., 0] * 255)
    return Pictures(pixels, np.array([LABELS.index(each.label) for each in examples]))


def _cut(
    examples: Sequence[Example], parts: int, part: int, seed: int
) -> tuple[list[Example], list[Example]]:
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    labels = [example.label for example in examples]
    patients = [example.patient for example in examples]
    rest, cut = list(folds.split(labels, labels, patients))[part]
    return [examples[i] for i in rest], [examples[i] for i in cut]
