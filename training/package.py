"""Everything between trained weights and a model folder with an honest card."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np

from classifier import resnet
from classifier.card import Card, sha256
from classifier.engines import Engine
from classifier.engines.onnx import OnnxEngine
from classifier.labels import FloatArray, Modality
from classifier.likeness import Likeness
from classifier.model import HEAD, LIKENESS, WEIGHTS, calibrated
from training import calibrate, export, plots
from training.answering import answers_of
from training.calibrate import Answered, Measured
from training.dataset import Pictures, Split, load_pictures
from training.export import Agreement
from training.figures import Predictions, figures, stress_figures, sure_by_source
from training.likeness import likeness_of
from training.model_card import write_model_card
from training.record import add_rows, circumstances, columns, versions

INT8 = "model.int8.onnx"
FLOAT = "model.onnx"
RANGE_PICTURES = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a training run was: for the card and the results."""

    name: str
    recipe: str
    seed: int
    fold: int
    epochs: int
    minutes: float
    command: str
    data: str


# Makes the likeness of a network out of what its engine sees of the pictures.
MakeLikeness = Callable[[Engine, Split, Pictures, int], Likeness]


def package(
    network: keras.Model,
    run: Run,
    split: Split,
    size: int,
    folder: Path,
    out_of_fold: Answered | None = None,
    likeness: MakeLikeness = likeness_of,
) -> Card:
    """Write a model folder and give its card.

    `network` in float32. Temperature and thresholds come from the answers `out_of_fold`, else from
    the tuning and the held-out part; the scale of `likeness` from the tuning part, the figures from
    the held-out part with the engine shipped, read with limits that were fitted on none of the same
    patients.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tuning, held_out = load_pictures(split.tuning, size), load_pictures(split.held_out, size)
    file, agreed = _write_network(network, split, tuning, held_out, size, folder)
    engine = OnnxEngine(folder / file)
    likeness(engine, split, tuning, size).save(folder / LIKENESS)
    answered = answers_of(engine, held_out)
    limits, measured, proof = calibrate.calibrate(answers_of(engine, tuning), answered, out_of_fold)
    is_own = held_out.sources == held_out.sources[0]
    card = Card(
        name=run.name,
        modality=Modality.XRAY,
        input_size=size,
        engine_file=file,
        temperature=limits.temperature,
        sure_from=limits.sure_from,
        pneumonia_from=limits.pneumonia_from,
        recipe=run.recipe,
        trained_on=run.data,
        command=run.command,
        figures={},
        files={name: sha256(folder / name) for name in (file, WEIGHTS, HEAD, LIKENESS)},
        details=_details(run, split, agreed)
        | {
            "calibration": {"on": "out-of-fold" if out_of_fold else "tuning and held-out"} | proof,
            "stress": _stressed(engine, held_out.of(is_own), measured.of(is_own)),
        },
    )
    return write_measured(card, held_out, answered, measured, folder)


def write_measured(
    card: Card, held_out: Pictures, answered: Answered, measured: Measured, folder: Path
) -> Card:
    """Write a card with what was measured on held-out pictures, its page and its plots.

    Its own figures are those of the first source.
    """
    sources = _by_source(held_out, measured)
    first, *others = sources
    is_own = held_out.sources == first
    told = {
        "sure": sure_by_source(held_out.sources, answered, measured),
        "other_sources": {source: figures(sources[source]) for source in others},
    }
    card = replace(card, figures=figures(sources[first]), details=card.details | told)
    card.write(folder)
    write_model_card(card, folder)
    _draw(sources[first], answered.of(is_own), measured.of(is_own), folder)
    return card


def add_result(card: Card, run: Run, path: Path) -> None:
    """Append one row for a run to the results; a new file starts with a header."""
    about = {name: getattr(run, name) for name in ("name", "recipe", "seed", "fold", "epochs")}
    about |= {"minutes": round(run.minutes, 1), "engine": card.engine_file}
    add_rows(path, [circumstances(run.command) | about | columns(card.figures)])


def _write_network(
    network: keras.Model,
    split: Split,
    tuning: Pictures,
    held_out: Pictures,
    size: int,
    folder: Path,
) -> tuple[str, Agreement]:
    """Write weights, engine and head; the engine is int8 if that agrees well enough with float."""
    resnet.save_weights(network, folder / WEIGHTS)
    # The rounded weights are what every engine must stand for.
    resnet.load_weights(network, folder / WEIGHTS)
    export.to_onnx(network, size, folder / FLOAT)
    step = max(1, len(split.train) // RANGE_PICTURES)
    ranges = load_pictures(split.train[::step], size).inputs()
    export.quantise(folder / FLOAT, folder / INT8, ranges)
    engines = [OnnxEngine(folder / name) for name in (INT8, FLOAT)]
    temperature = calibrate.fit_temperature(answers_of(engines[1], tuning).logits, tuning.classes)
    ours, theirs = (
        calibrated(answers_of(engine, held_out).logits, temperature) for engine in engines
    )
    agreed = export.agreement(ours, theirs)
    kept, dropped = (INT8, FLOAT) if agreed.is_enough else (FLOAT, INT8)
    (folder / dropped).unlink()
    export.head_of(folder / kept).save(folder / HEAD)
    return kept, agreed


def _by_source(pictures: Pictures, measured: Measured) -> dict[str, Predictions]:
    """Divide what was measured of pictures, in the order of their sources."""
    whole = Predictions(measured.probabilities, pictures.classes, pictures.patients)
    sources = dict.fromkeys(pictures.sources.tolist())
    return {source: whole.of(pictures.sources == source) for source in sources}


def _stressed(
    engine: Engine, pictures: Pictures, measured: Measured
) -> dict[str, dict[str, float]]:
    """Measure the same pictures under stress, each with the temperature it was measured with."""

    def predict(changed: Pictures) -> FloatArray:
        logits = answers_of(engine, changed).logits
        return calibrated(logits / measured.temperatures[:, np.newaxis], 1.0)

    return stress_figures(predict, pictures)


def _draw(own: Predictions, answered: Answered, measured: Measured, folder: Path) -> None:
    plots.draw_confusion(own, folder / "confusion.png")
    plots.draw_reliability(own, folder / "reliability.png", calibrated(answered.logits, 1.0))
    plots.draw_sure(answered, measured, folder / "sure.png")


def _details(run: Run, split: Split, agreed: Agreement) -> dict[str, object]:
    parts = {"train": split.train, "tuning": split.tuning, "held_out": split.held_out}
    return {
        "run": asdict(run),
        "pictures": {name: len(part) for name, part in parts.items()},
        "patients": {name: len({each.patient for each in part}) for name, part in parts.items()},
        "sources": {
            source: {
                name: sum(example.source == source for example in part)
                for name, part in parts.items()
            }
            for source in dict.fromkeys(example.source for example in split.held_out)
        },
        "int8_agreement": asdict(agreed),
        "versions": versions(),
    }
