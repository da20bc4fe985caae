import numpy as np
import pytest

from classifier.card import Card
from classifier.engines import Output
from classifier.gate import Gate
from classifier.labels import FloatArray, Label, Modality
from classifier.model import Model
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


def make_model(modality: Modality) -> Model:
    """A model over `BrightnessEngine`: dark is normal, bright is bacterial, white is no scan."""
    head = Head(np.array([[-8, 8, 0]], np.float32), np.array([4, -4, 0], np.float32))
    gate = Gate(
        kernel=np.array([[0, 0, 20]], np.float32),
        bias=np.array([0, -99, -19], np.float32),
        mean=np.array([0.5], np.float32),
        whitening=np.array([[2.5]], np.float32),
    )
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
    return Model(card, BrightnessEngine(head), head, gate, digest="5" * 64)


@pytest.fixture
def xray_model() -> Model:
    return make_model(Modality.XRAY)


@pytest.fixture
def ct_model() -> Model:
    return make_model(Modality.CT)
