"""Everything between trained weights and a model folder with an honest card."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
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
from training import calibrate, evaluate, export
from training.calibrate import Answered
from training.dataset import Example, Pictures, Split, load_pictures
from training.evaluate import run_engine
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
    patients. The card's are those of the first source.
    """
    folder.mkdir(parents=True, exist_ok=True)
    resnet.save_weights(network, folder / WEIGHTS)
    # The rounded weights are what every engine must stand for.
    resnet.load_weights(network, folder / WEIGHTS)
    tuning, held_out = load_pictures(split.tuning, size), load_pictures(split.held_out, size)
    file, agreed = _export(network, split, tuning, held_out, size, folder)
    export.head_of(folder / file).save(folder / HEAD)
    engine = OnnxEngine(folder / file)
    likeness(engine, split, tuning, size).save(folder / LIKENESS)
    answered = answers_of(engine, held_out, split.held_out)
    limits, measured, proof = calibrate.calibrate(
        answers_of(engine, tuning, split.tuning), answered, out_of_fold
    )
    predictions = Predictions(
        measured.probabilities, answered.classes, tuple(answered.patients.tolist())
    )
    sources = {
        source: predictions.of(held_out.sources == source)
        for source in dict.fromkeys(held_out.sources.tolist())
    }
    first, *others = sources
    is_own = held_out.sources == first

    def predict(pictures: Pictures) -> FloatArray:
        logits = run_engine(engine, pictures.inputs()).logits
        return calibrated(logits / measured.temperatures[is_own, np.newaxis], 1.0)

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
        figures=figures(sources[first]),
        files={name: sha256(folder / name) for name in (file, WEIGHTS, HEAD, LIKENESS)},
        details=_details(run, split, agreed)
        | {
            "calibration": {
                "on": "out-of-fold" if out_of_fold else "tuning and held-out",
                "proof": {label: asdict(each) for label, each in proof.items()},
            },
            "sure": sure_by_source(held_out.sources, answered, measured),
            "stress": stress_figures(predict, held_out.of(is_own)),
            "other_sources": {source: figures(sources[source]) for source in others},
        },
    )
    card.write(folder)
    write_model_card(card, folder)
    evaluate.draw_confusion(sources[first], folder / "confusion.png")
    before = calibrated(answered.logits[is_own], 1.0)
    evaluate.draw_reliability(sources[first], folder / "reliability.png", before)
    evaluate.draw_sure(answered.of(is_own), measured.of(is_own), folder / "sure.png")
    return card


def add_result(card: Card, run: Run, path: Path) -> None:
    """Append one row for a run to the results; a new file starts with a header."""
    about = {name: getattr(run, name) for name in ("name", "recipe", "seed", "fold", "epochs")}
    about |= {"minutes": round(run.minutes, 1), "engine": card.engine_file}
    add_rows(path, [circumstances(run.command) | about | columns(card.figures)])


def _export(
    network: keras.Model,
    split: Split,
    tuning: Pictures,
    held_out: Pictures,
    size: int,
    folder: Path,
) -> tuple[str, Agreement]:
    """Write float and int8 ONNX and keep the int8 one if it agrees well enough."""
    export.to_onnx(network, size, folder / FLOAT)
    step = max(1, len(split.train) // RANGE_PICTURES)
    ranges = load_pictures(split.train[::step], size).inputs()
    export.quantise(folder / FLOAT, folder / INT8, ranges)
    engines = [OnnxEngine(folder / name) for name in (INT8, FLOAT)]
    temperature = calibrate.fit_temperature(
        run_engine(engines[1], tuning.inputs()).logits, tuning.classes
    )
    ours, theirs = (
        calibrated(run_engine(engine, held_out.inputs()).logits, temperature) for engine in engines
    )
    agreed = export.agreement(ours, theirs)
    kept, dropped = (INT8, FLOAT) if agreed.is_enough else (FLOAT, INT8)
    (folder / dropped).unlink()
    return kept, agreed


def answers_of(engine: Engine, pictures: Pictures, examples: Sequence[Example]) -> Answered:
    """Run the engine on the pictures of the examples."""
    patients = np.array([example.patient for example in examples])
    return Answered(run_engine(engine, pictures.inputs()).logits, pictures.classes, patients)


def _details(
    run: Run,
    split: Split,
    agreed: Agreement,
) -> dict[str, object]:
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
