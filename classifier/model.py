"""One installed model: its card, its engine, and how its outputs become a finding."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from classifier.card import (
    CARD,
    BrokenModel,
    Card,
    Flaw,
    check_file,
    read_card,
    sha256,
)
from classifier.card import WEIGHTS as WEIGHTS
from classifier.engines import Engine, EngineDown
from classifier.engines.headed import HeadedEngine
from classifier.engines.proven import ProvenEngine
from classifier.labels import Doubt, Finding, FloatArray, Label, Modality
from classifier.likeness import Likeness
from classifier.saliency import Head, class_maps, pneumonia_map

MODELS = Path(__file__).parent / "models"
HEAD = "head.npz"
LIKENESS = "likeness.npz"
LOW_MARGIN = 0.2


class EngineKind(StrEnum):
    """Which engine runs the network."""

    ONNX = "onnx"
    TENSORFLOW = "tensorflow"


# Networks in use, by the file's digest: two models on one trunk hold it in memory once.
_networks: WeakValueDictionary[tuple[EngineKind, str], Engine] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder, loaded and checked.

    `digest` is the sha256 of its card, which names that of every file: two builds of one name are
    two models.
    """

    card: Card
    engine: Engine
    head: Head
    likeness: Likeness
    digest: str

    @property
    def name(self) -> str:
        """Name this build, as findings do."""
        return build_name(self.card.name, self.digest)

    def finding(
        self, logits: FloatArray, features: FloatArray, slices: int, doubts: frozenset[Doubt]
    ) -> Finding:
        """Turn `logits` (3,) and `features` (h, w, channels) into a finding."""
        probabilities = calibrated(logits, self.card.temperature)
        label = tuple(Label)[int(probabilities.argmax())]
        if is_close(probabilities):
            doubts |= {Doubt.LOW_MARGIN}
        sure = _reaches(probabilities.max(), self.card.sure_from[label]) and not doubts
        is_pneumonia = (
            not sure
            and doubts <= {Doubt.LOW_MARGIN}
            and _reaches(pneumonia_share(probabilities), self.card.pneumonia_from)
        )
        if is_pneumonia:
            # That two kinds are close is what this answer says already.
            doubts = frozenset()
        return Finding(
            modality=self.card.modality,
            probabilities=dict(zip(Label, probabilities.tolist(), strict=True)),
            label=label if sure else None,
            saliency=pneumonia_map(class_maps(features, self.head)),
            doubts=doubts,
            model=self.name,
            slices=slices,
            is_pneumonia=is_pneumonia,
        )


def _reaches(share: FloatArray, limit: float) -> bool:
    """Tell whether a share is enough; a limit of 1 is never reached, however sure the network."""
    return limit < 1 and bool(share >= limit)


def build_name(name: str, digest: str) -> str:
    """Name a build of a model: `resnet34_xray@1f0c99ab`."""
    return f"{name}@{digest[:8]}"


def calibrated(logits: FloatArray, temperature: float) -> FloatArray:
    """Softmax of the logits over the temperature: (…, 3) to (…, 3), each row summing to 1.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    shares: FloatArray = powers / powers.sum(-1, keepdims=True)
    return shares


def is_close(probabilities: FloatArray) -> NDArray[np.bool_]:
    """Tell whether the two likeliest of probabilities (…, 3) are too close to name one: (…)."""
    ordered = np.sort(probabilities)
    close: NDArray[np.bool_] = ordered[..., 2] - ordered[..., 1] < LOW_MARGIN
    return close


def pneumonia_share(probabilities: FloatArray) -> FloatArray:
    """Add up bacterial and viral of probabilities (…, 3): (…), in [0, 1].

    0 where normal comes close to the likeliest, so that such a picture is never told as pneumonia.
    """
    normal, *kinds = np.moveaxis(probabilities, -1, 0)
    share: FloatArray = np.where(np.maximum(*kinds) - normal < LOW_MARGIN, 0.0, sum(kinds))
    return share


def load_model(folder: Path, kind: EngineKind = EngineKind.ONNX, url: str = "") -> Model:
    """Load a model folder; raises BrokenModel if a file is missing, altered or does not fit.

    With a `url`, that of a server of the Open Inference Protocol V2, the network runs there up to
    its features, which must show that it is the same one. Such a server may be down for now, so it
    is not asked: that is left to `check_fit`.
    """
    card = read_card(folder)
    if LIKENESS not in card.files:
        raise BrokenModel(f"{card.name}: an older version made it, without {LIKENESS}; train anew")
    head_file, likeness = (check_file(folder, card, name) for name in (HEAD, LIKENESS))
    try:
        engine, head = _engine(folder, card, kind, url), Head.load(head_file)
        if card.trunk or url:
            engine = HeadedEngine(engine, head)
        model = Model(card, engine, head, Likeness.load(likeness), sha256(folder / CARD))
    except (BrokenModel, ImportError):
        raise
    except Exception as error:
        # ONNX Runtime has a kind of error for each way in which a file can be wrong.
        raise _misfit(card, error) from error
    if not url:
        check_fit(model)
    return model


def check_fit(model: Model) -> None:
    """Run the network once; raises BrokenModel unless card, network, head and likeness go together.

    Raises EngineDown if the network runs elsewhere and gives no answer.
    """
    card, head, likeness = model.card, model.head, model.likeness
    try:
        output = model.engine.run(np.zeros((1, card.input_size, card.input_size, 1), np.float32))
    except EngineDown:
        raise
    except Exception as error:
        raise _misfit(card, error) from error
    labels, channels = len(card.labels), output.features.shape[-1]
    shapes = {
        "logits": (output.logits.shape, (1, labels)),
        "features": (output.features.shape[:1] + output.features.shape[3:], (1, channels)),
        "head": (head.kernel.shape + head.bias.shape, (channels, labels, labels)),
        "likeness": (likeness.mean.shape + likeness.whitening.shape[:1], (channels, channels)),
    }
    for part, (found, wanted) in shapes.items():
        if found != wanted:
            what = f"{card.name}: {part} is {found} and not {wanted}"
            raise BrokenModel(what, Flaw.SHAPE)


def _misfit(card: Card, error: Exception) -> BrokenModel:
    return BrokenModel(f"{card.name}: {type(error).__name__}", Flaw.SHAPE)


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
    path = check_file(folder, card, card.engine_file if kind is EngineKind.ONNX else WEIGHTS)
    key = kind, card.files[path.name]
    engine = _networks.get(key)
    if engine is None:
        engine = _networks[key] = _load_engine(path, kind)
    if url:
        from classifier.engines.remote import RemoteEngine

        elsewhere = RemoteEngine(url, card.trunk or card.name)
        return ProvenEngine(elsewhere, engine, card.input_size)
    return engine


def _load_engine(path: Path, kind: EngineKind) -> Engine:
    if kind is EngineKind.ONNX:
        from classifier.engines.onnx import OnnxEngine

        return OnnxEngine(path)
    # Imported here so that a bot on a CPU never loads TensorFlow.
    from classifier.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(path)
