"""What reading hands on: one picture as a `Scan`, one upload as a `Study`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

import numpy as np

from classifier.labels import CTNumbers, Doubt, Greys, Modality

T = TypeVar("T")


class Units(StrEnum):
    """What a pixel value means."""

    GREY = "grey"
    HOUNSFIELD = "hounsfield"


class FileKind(StrEnum):
    """What the content of a file is."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    TIFF = "tiff"
    BMP = "bmp"
    DICOM = "dicom"
    ZIP = "zip"


@dataclass(frozen=True, slots=True)
class Tags:
    """The only DICOM attributes that leave the reader; none is shown or logged."""

    patient_key: str | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    instance_number: int | None = None
    position: tuple[float, float, float] | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    slice_location: float | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """One picture, upright, in its own resolution, its pixels square.

    `pixels` is (rows, columns). In `Units.GREY` it is float32 from 0 (black) to 1 (white), or uint8
    up to 255 if the file holds no more than that; in `Units.HOUNSFIELD` CT numbers in int16.
    `spacing` is millimetres between rows and between columns. `modality` is
    what the file says of itself, None if it says nothing. `chroma` is the mean difference between
    the largest and the smallest colour channel, 0 for grey to 1; `patches` is as in `colour`.
    `doubts` are what the file itself gives reason for.
    """

    pixels: Greys | CTNumbers
    units: Units
    modality: Modality | None
    spacing: tuple[float, float] | None
    tags: Tags = field(default_factory=Tags)
    came_as: FileKind = FileKind.JPEG
    chroma: float = 0.0
    patches: float = 0.0
    doubts: frozenset[Doubt] = frozenset()


@dataclass(frozen=True, slots=True)
class Study:
    """One upload: a single picture, or the slices of one CT series in anatomical order.

    `unseen` counts damaged slices and other pictures of the upload that are not among `scans`.
    `skipped` numbers, from 0, the slices of the series that are not among `scans`: damaged ones,
    and of a long series those that were left out. `from_feet` tells that the first slice is the
    one next to the feet; `series` counts the CT series there were to choose from.
    """

    scans: tuple[Scan, ...]
    unseen: int = 0
    from_feet: bool = False
    series: int = 1
    skipped: frozenset[int] = frozenset()

    @property
    def slices(self) -> int:
        """How many slices the series has, those skipped too."""
        return len(self.scans) + len(self.skipped)

    def place(self, index: int) -> int:
        """Number a scan, from 0, among all slices of the series."""
        return [place for place in range(self.slices) if place not in self.skipped][index]


def evenly(items: Sequence[T], most: int) -> list[T]:
    """Keep at most so many, evenly from the first to the last."""
    places = np.linspace(0, len(items) - 1, min(len(items), most)).round().astype(int)
    return [items[place] for place in places]
