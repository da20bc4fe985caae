"""The words every room shares: classes, modalities, doubts and the finding itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
# A picture's greys: 0 black to 1 white, or in levels up to 255.
Greys = FloatArray | Levels
CTNumbers = NDArray[np.int16]


class Label(StrEnum):
    """The three classes, in the order of the network's outputs."""

    NORMAL = "normal"
    BACTERIAL = "bacterial"
    VIRAL = "viral"


class Modality(StrEnum):
    """What kind of picture it is."""

    XRAY = "xray"
    CT = "ct"


class Doubt(StrEnum):
    """Why an answer should be trusted less; with any of these no class is named."""

    LOW_MARGIN = "low_margin"
    UNLIKE_TRAINING = "unlike_training"
    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    CLIPPED = "clipped"
    FLAT = "flat"
    EDITED = "edited"
    PHOTOGRAPHED = "photographed"
    DAMAGED = "damaged"
    OTHER_AGE = "other_age"
    OTHERS_UNSEEN = "others_unseen"
    POOR_QUALITY = "poor_quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where in a CT series its finding comes from.

    `deciding` are the indices of the slices that decided, the first most; index 0 is next to the
    feet if `from_feet`, else nobody knows which end is which. Of the `looked_at` slices with much
    lung `affected` speak rather for pneumonia. The upload held `series` CT series.
    """

    deciding: tuple[int, ...]
    from_feet: bool
    looked_at: int
    affected: int
    series: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """What the network estimates of one study.

    `probabilities` are calibrated, in [0, 1], and sum to 1. `label` is None when the answer is
    "unsure", or when it surely `is_pneumonia` though no kind is named. `saliency` is (rows,
    columns) float32 in logit units: how much each place speaks for pneumonia (above 0) or for
    normal (below 0). `places` is None but for a CT series.
    """

    modality: Modality
    probabilities: dict[Label, float]
    label: Label | None
    saliency: FloatArray
    doubts: frozenset[Doubt]
    model: str
    slices: int
    places: Places | None = None
    is_pneumonia: bool = False

    @property
    def told(self) -> str:
        """What a patient is told in a word: the label, "pneumonia" or "unsure"."""
        return self.label or ("pneumonia" if self.is_pneumonia else "unsure")


def gravest(findings: Iterable[Finding]) -> Finding | None:
    """Choose the finding that speaks most for pneumonia."""
    return min(findings, key=lambda finding: finding.probabilities[Label.NORMAL], default=None)
