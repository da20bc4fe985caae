"""Labelled folders as examples, split by patient, loaded through the serving preprocessing."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from classifier.card import Card
from classifier.labels import Doubt, FloatArray, Label
from classifier.preprocess import as_trained, to_grey, to_unit
from classifier.reading.detect import detect
from classifier.reading.picture import PICTURE_KINDS, read_picture
from classifier.reading.scan import Scan
from classifier.refusals import Refusal
from training.arrays import Arrays

LABELS = tuple(Label)
# How the Kaggle set names the pictures of its patients.
KAGGLES_HEALTHY, KAGGLES_ILL = r"(?:NORMAL2-)?IM-(\d+)-", r"person(\d+)_"
# What may be written down for a picture; None is pneumonia of unknown cause.
WRITTEN = (*LABELS, None)
# Row: what is written down. Column: may the truth be this label?
MAY_BE = np.array([[True, 0, 0], [0, True, 0], [0, 0, True], [0, True, True]], bool)
FOLDS = 5
TUNING_PARTS = 8


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled picture; `patient` groups the pictures that must not be torn apart.

    `label` is None for pneumonia of unknown cause. `source` names the folder it came from.
    """

    path: Path
    label: Label | None
    patient: str
    source: str


@dataclass(frozen=True, slots=True)
class Split:
    """Patient-disjoint parts: to fit, to choose and calibrate, and to report."""

    train: list[Example]
    tuning: list[Example]
    held_out: list[Example]


@dataclass(frozen=True, slots=True)
class Pictures(Arrays):
    """n pictures: `pixels` (n, size, size), `classes` indices into `WRITTEN`; all else (n,)."""

    pixels: NDArray[np.uint8]
    classes: NDArray[np.int64]
    sources: NDArray[np.str_]
    patients: NDArray[np.str_]

    def inputs(self) -> FloatArray:
        """Give what the network takes: (n, size, size, 1) float32 in [0, 1]."""
        return to_unit(self.pixels[..., np.newaxis])


def find_examples(folder: Path) -> list[Example]:
    """List `<folder>/<label>/**`, byte-identical copies once, in a fixed order.

    The labels are normal, bacterial and viral, or normal and pneumonia: of unknown cause, unless
    Kaggle's names tell it (`person12_virus_…`). What is hidden is passed over.
    Raises ValueError if a label's folder is missing or empty, one picture has two labels, or a file
    is no picture.
    """
    return list(_by_digest(folder).values())


def find_all(folders: Sequence[Path]) -> list[Example]:
    """List the examples of several folders, each a source of its own.

    Raises ValueError as `find_examples` does, and if one picture stands in two folders: `split`
    cuts each by itself, and could train on a patient whom it also holds out.
    """
    examples: dict[str, Example] = {}
    for folder in folders:
        for digest, example in _by_digest(folder).items():
            first = examples.setdefault(digest, example)
            if first is not example:
                raise ValueError(
                    f"{example.path} is a copy of {first.path}: leave out one of the two folders, "
                    "or in one of them every picture of that patient"
                )
    return list(examples.values())


def patient_of(path: Path) -> str:
    """Tell the patient of `<label>/<file>` or `<label>/<patient>/<file>`.

    Kaggle's `person12_virus_…` numbers patients within a label, `IM-0115-…` and
    `NORMAL2-IM-0115-…` the children without pneumonia; the NIH's `00001803_001` names patient and
    visit. These and a sub-folder are one patient whatever was found. Any other file is a patient of
    its own.
    """
    label, *folders, name = path.parts
    if folders:
        return folders[0]
    if visit := re.match(r"(\d{8})_\d{3}\b", name):
        return f"nih/{visit[1]}"
    numbered = re.match(KAGGLES_HEALTHY if label.lower() == Label.NORMAL else KAGGLES_ILL, name)
    return f"{label}/{numbered[1] if numbered else name}"


def split(examples: Sequence[Example], fold: int = 0) -> Split:
    """Hold out one fifth by patient, and an eighth of the rest for choosing and calibrating.

    Each source is cut by itself: another source beside it does not move its cuts.
    """
    whole = Split([], [], [])
    for source in dict.fromkeys(example.source for example in examples):
        mine = [example for example in examples if example.source == source]
        rest, held_out = _cut(mine, FOLDS, fold)
        train, tuning = _cut(rest, TUNING_PARTS, 0)
        whole.train.extend(train)
        whole.tuning.extend(tuning)
        whole.held_out.extend(held_out)
    return whole


def fold_of(card: Card) -> int:
    """Tell which fifth was held out of what a model was trained on, 0 to 4.

    Raises ValueError if its card does not tell.
    """
    if "run" not in card.details:
        raise ValueError(f"the card of {card.name} does not tell which fold was held out")
    return int(card.details["run"]["fold"])


def load_pictures(examples: Sequence[Example], size: int) -> Pictures:
    """Read the pictures as the network would see them.

    Raises ValueError if one is refused or a damaged JPEG.
    """
    pixels = np.empty((len(examples), size, size), np.uint8)
    for row, example in zip(pixels, examples, strict=True):
        grey = to_grey(_read(example.path))
        row[:] = as_trained(grey, size)[..., 0]
    return Pictures(
        pixels,
        np.array([WRITTEN.index(each.label) for each in examples]),
        np.array([each.source for each in examples]),
        np.array([each.patient for each in examples]),
    )


def _by_digest(folder: Path) -> dict[str, Example]:
    """List what `find_examples` does by the sha256 of each picture."""
    examples: dict[str, Example] = {}
    for name, written in _names_of_labels(folder).items():
        for path in _pictures(folder / name):
            digest = hashlib.sha256(_picture(path)).hexdigest()
            label = written or _kind_of(path.name)
            patient = patient_of(Path(label or name, path.relative_to(folder / name)))
            example = Example(path, label, patient, folder.name)
            if examples.setdefault(digest, example).label is not label:
                raise ValueError(f"{path} also stands under {examples[digest].label}")
    return examples


def _pictures(folder: Path) -> list[Path]:
    """List what is not hidden, nor in a hidden folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    shown = [path for path in files if "/." not in f"/{path.relative_to(folder).as_posix()}"]
    if not shown:
        raise ValueError(f"{folder} holds no picture")
    return sorted(shown)


def _picture(path: Path) -> bytes:
    """Give the bytes of a file, if they begin like a picture."""
    data = path.read_bytes()
    if detect(data) not in PICTURE_KINDS:
        raise ValueError(f"{path} is no JPEG, PNG, WebP, TIFF or BMP picture: take it out")
    return data


def _read(path: Path) -> Scan:
    try:
        scan = read_picture(path.read_bytes())
    except Refusal as refusal:
        raise ValueError(f"{path} is refused, {refusal}: mend it or take it out") from refusal
    if Doubt.DAMAGED in scan.doubts:
        raise ValueError(f"{path} is damaged: mend it or take it out")
    return scan


def _names_of_labels(folder: Path) -> dict[str, Label | None]:
    """Tell which folder holds which label; Kaggle writes NORMAL and PNEUMONIA."""
    written = {path.name.lower(): path.name for path in folder.glob("*") if path.is_dir()}
    labels: dict[str, Label | None] = {label: label for label in LABELS}
    if "pneumonia" in written:
        labels = {Label.NORMAL: Label.NORMAL, "pneumonia": None}
    return {written.get(name, name): label for name, label in labels.items()}


def _kind_of(name: str) -> Label | None:
    named = re.match(r"person\d+_(bacteria|virus)_", name)
    return {"bacteria": Label.BACTERIAL, "virus": Label.VIRAL}[named[1]] if named else None


def _cut(examples: Sequence[Example], parts: int, part: int) -> tuple[list[Example], list[Example]]:
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=0)
    labels = [str(example.label) for example in examples]
    patients = [example.patient for example in examples]
    rest, cut = list(folds.split(labels, labels, patients))[part]
    return [examples[i] for i in rest], [examples[i] for i in cut]
