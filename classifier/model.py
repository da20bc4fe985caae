"""One installed model: its card, its engine, and how its outputs become a finding."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from classifier.card import BrokenModel, Card, check_file, read_card
from classifier.engines import Engine
from classifier.gate import Gate
from classifier.labels import Doubt, Finding, FloatArray, Label, Modality
from classifier.saliency import Head, class_maps, pneumonia_map

MODELS = Path(__file__).parent / "models"
WEIGHTS = "weights.npz"
HEAD = "head.npz"
GATE = "gate.npz"
LOW_MARGIN = 0.2


class EngineKind(StrEnum):
    """Which engine runs the network."""

    ONNX = "onnx"
    TENSORFLOW = "tensorflow"


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder, loaded and checked."""

    card: Card
    engine: Engine
    head: Head
    gate: Gate

    def finding(
        self, logits: FloatArray, features: FloatArray, slices: int, doubts: frozenset[Doubt]
    ) -> Finding:
        """Turn `logits` (3,) and `features` (h, w, channels) into a finding."""
        probabilities = calibrated(logits, self.card.temperature)
        second, first = np.sort(probabilities)[-2:]
        label = tuple(Label)[int(probabilities.argmax())]
        if first - second < LOW_MARGIN:
            doubts |= {Doubt.LOW_MARGIN}
        sure = first >= self.card.sure_from[label] and Doubt.UNLIKE_TRAINING not in doubts
        return Finding(
            modality=self.card.modality,
            probabilities=dict(zip(Label, probabilities.tolist(), strict=True)),
            label=label if sure else None,
            saliency=pneumonia_map(class_maps(features, self.head)),
            doubts=doubts,
            model=self.card.name,
            slices=slices,
        )


def calibrated(logits: FloatArray, temperature: float) -> FloatArray:
    """Softmax of the logits over the temperature: (…, 3) to (…, 3), each row summing to 1.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    shares: FloatArray = powers / powers.sum(-1, keepdims=True)
    return shares


def load_model(folder: Path, kind: EngineKind = EngineKind.ONNX, url: str = "") -> Model:
    """Load a model folder; raises BrokenModel if a file is missing or not the card's.

    With a `url`, that of a server of the Open Inference Protocol V2, the network runs there.
    """
    card = read_card(folder)
    gate = Gate.load(check_file(folder, card, GATE))
    head = Head.load(check_file(folder, card, HEAD))
    return Model(card, _engine(folder, card, kind, url), head, gate)


def load_installed(
    models: Path = MODELS, kind: EngineKind = EngineKind.ONNX, url: str = ""
) -> dict[Modality, Model]:
    """Load the model of each modality, of several the last by name; raises BrokenModel."""
    folders = sorted(path.parent for path in models.glob("*/card.json"))
    chosen = {read_card(folder).modality: folder for folder in folders}
    if Modality.XRAY not in chosen:
        raise BrokenModel(f"{models} holds no X-ray model")
    return {modality: load_model(folder, kind, url) for modality, folder in chosen.items()}


def _engine(folder: Path, card: Card, kind: EngineKind, url: str) -> Engine:
    if url:
        from classifier.engines.remote import RemoteEngine

        return RemoteEngine(url, card.name)
    if kind is EngineKind.ONNX:
        from classifier.engines.onnx import OnnxEngine

        return OnnxEngine(check_file(folder, card, card.engine_file))
    # Imported here so that a bot on a CPU never loads TensorFlow.
    from classifier.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(check_file(folder, card, WEIGHTS))
