"""A finding as the classifier makes it, and as storage keeps it."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from classifier.labels import Doubt, Finding, Label, Modality, Places
from storage.cases import Saliency, StoredFinding


def stored(finding: Finding, seconds: float) -> StoredFinding:
    """Write a finding down as it is kept."""
    rows, columns = finding.saliency.shape
    return StoredFinding(
        model=finding.model,
        modality=finding.modality,
        **{label.value: share for label, share in finding.probabilities.items()},
        label=finding.label,
        doubts=tuple(finding.doubts),
        slices=finding.slices,
        seconds=seconds,
        saliency=Saliency(rows, columns, finding.saliency.astype("<f4").tobytes()),
        places=json.dumps(asdict(finding.places)) if finding.places else None,
        is_pneumonia=finding.is_pneumonia,
    )


def restored(kept: StoredFinding) -> Finding:
    """Make of a finding as it is kept what the model made."""
    assert kept.saliency is not None
    saliency = np.frombuffer(kept.saliency.values, "<f4")
    return Finding(
        modality=Modality(kept.modality),
        probabilities={label: getattr(kept, label) for label in Label},
        label=Label(kept.label) if kept.label else None,
        saliency=saliency.reshape(kept.saliency.rows, kept.saliency.columns),
        doubts=frozenset(map(Doubt, kept.doubts)),
        model=kept.model,
        slices=kept.slices,
        places=_places(json.loads(kept.places)) if kept.places else None,
        is_pneumonia=kept.is_pneumonia,
    )


def _places(kept: dict[str, Any]) -> Places:
    return Places(**kept | {"deciding": tuple(kept["deciding"])})
