from dataclasses import replace

import numpy as np
import pytest

from classifier.card import Card
from classifier.engines import Output
from classifier.gate import COLOURED, Gate, Kind, Look
from classifier.labels import FloatArray, Label, Modality
from classifier.likeness import Likeness
from classifier.model import Model
from classifier.reading.scan import Scan
from classifier.saliency import Head


class BrightnessEngine:
    """A stand-in network: its one feature is the picture on a 2 x 2 grid, its head decides on it.

    The brighter the picture, the more it speaks for bacterial pneumonia.
    """

    def __init__(self, head: Head) -> None:
        self.head = head

    def run(self, inputs: FloatArray) -> Output:
        n, size = inputs.shape[:2]
        half = size // 2
        features = inputs.reshape(n, 2, half, 2, half, 1).mean((2, 4))
        pooled = features.mean((1, 2))
        return Output(pooled @ self.head.kernel + self.head.bias, features)


class BrightnessGate(Gate):
    """A stand-in gate: white and colour are no scan, all else is what the header says, or X-ray."""

    def __init__(self) -> None:
        pass

    def look(self, grey: FloatArray) -> Look:
        kind = Kind.OTHER if grey.mean() > 0.95 else Kind.XRAY
        shares = {each: float(each is kind) for each in Kind}
        return Look(kind, shares, float(kind is Kind.XRAY), 0, False, False, 0.5)

    def likeness(self, grey: FloatArray) -> float:
        return self.look(grey).likeness

    def modality(self, scan: Scan, look: Look) -> Modality | None:
        if scan.chroma > COLOURED or look.kind is Kind.OTHER:
            return None
        return scan.modality or Modality.XRAY


def make_model(modality: Modality) -> Model:
    """A model over `BrightnessEngine`: dark is normal, bright is bacterial."""
    head = Head(np.array([[-8, 8, 0]], np.float32), np.array([4, -4, 0], np.float32))
    likeness = Likeness(np.array([0.5], np.float32), np.array([[2.5]], np.float32))
    card = Card(
        name=f"stand-in-{modality}",
        modality=modality,
        input_size=32,
        engine_file="none",
        temperature=1.0,
        sure_from=dict.fromkeys(Label, 0.6),
        recipe="none",
        trained_on="nothing",
        command="none",
    )
    return Model(card, BrightnessEngine(head), head, likeness, digest="5" * 64)


def sure_of_no_kind() -> Model:
    """An X-ray model that is sure of pneumonia long before it is sure of a kind."""
    model = make_model(Modality.XRAY)
    card = replace(model.card, sure_from=dict.fromkeys(Label, 0.95), pneumonia_from=0.9)
    return replace(model, card=card)


@pytest.fixture
def xray_model() -> Model:
    return make_model(Modality.XRAY)


@pytest.fixture
def ct_model() -> Model:
    return make_model(Modality.CT)
