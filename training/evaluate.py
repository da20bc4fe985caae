"""Measure a model on a labelled folder: figures with intervals, confusion and reliability plots.

`python -m training.evaluate --model classifier/models/NAME --data FOLDER [--fold 0] [--out DIR]`
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import matplotlib
import numpy as np
import typer
from numpy.typing import NDArray
from sklearn import metrics

from classifier.engines import Engine, Output
from classifier.gate import pooled
from classifier.labels import FloatArray, Label
from classifier.model import EngineKind, calibrated, load_model
from training import dataset
from training.dataset import Example, load_pictures

matplotlib.use("Agg")
from matplotlib import pyplot

NORMAL = tuple(Label).index(Label.NORMAL)
BINS = 15

Classes = NDArray[np.int64]
Metric = Callable[[Classes, FloatArray], float]
Interval = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Predictions:
    """`probabilities` (n, 3), `classes` (n,) and the patient of each picture."""

    probabilities: FloatArray
    classes: Classes
    patients: tuple[str, ...]


def run_engine(engine: Engine, inputs: FloatArray, batch: int = 32) -> Output:
    """Run (n, size, size, 1) in batches; the features come pooled, (n, channels)."""
    starts = range(0, len(inputs), batch)
    outputs = [engine.run(inputs[start : start + batch]) for start in starts]
    return Output(
        np.concatenate([output.logits for output in outputs]),
        np.concatenate([pooled(output.features) for output in outputs]),
    )


def figures(predictions: Predictions, resamples: int = 1000, seed: int = 0) -> dict[str, Interval]:
    """Measure everything: value, lower and upper end of the 95 % bootstrap interval.

    Patients are drawn, not pictures: those of one patient are not independent.
    """
    values = _measure(predictions.classes, predictions.probabilities)
    members: dict[str, list[int]] = {}
    for row, patient in enumerate(predictions.patients):
        members.setdefault(patient, []).append(row)
    groups = list(members.values())
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        chosen = rng.integers(0, len(groups), len(groups))
        rows = np.concatenate([groups[group] for group in chosen])
        drawn.append(_measure(predictions.classes[rows], predictions.probabilities[rows]))
    return {name: (value, *_ends([each[name] for each in drawn])) for name, value in values.items()}


def _ends(drawn: Sequence[float]) -> tuple[float, float]:
    known = [value for value in drawn if not np.isnan(value)] or [np.nan]
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def expected_calibration_error(classes: Classes, probabilities: FloatArray) -> float:
    """Mean gap between confidence and accuracy over 15 equal bins (Guo et al. 2017)."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == classes
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[bins == each].mean() - right[bins == each].mean()) * (bins == each).mean()
        for each in np.unique(bins)
    ]
    return float(sum(gaps))


def _measure(classes: Classes, probabilities: FloatArray) -> dict[str, float]:
    guesses = probabilities.argmax(1)
    ill, called_ill = classes != NORMAL, probabilities[:, NORMAL] < 0.5
    one_hot = np.eye(len(Label))[classes]
    return {
        "accuracy": float((guesses == classes).mean()),
        "balanced_accuracy": float(
            np.nanmean([(guesses == each)[classes == each].mean() for each in np.unique(classes)])
        ),
        "macro_f1": float(metrics.f1_score(classes, guesses, average="macro")),
        "macro_auroc": _macro_auroc(one_hot, probabilities),
        "pneumonia_accuracy": float((ill == called_ill).mean()),
        "pneumonia_auroc": _auroc(ill.astype(int), 1 - probabilities[:, NORMAL]),
        "sensitivity": float(called_ill[ill].mean()) if ill.any() else np.nan,
        "specificity": float((~called_ill)[~ill].mean()) if not ill.all() else np.nan,
        "brier": float(((probabilities - one_hot) ** 2).sum(1).mean()),
        "ece": expected_calibration_error(classes, probabilities),
    }


def _macro_auroc(one_hot: NDArray[np.float64], probabilities: FloatArray) -> float:
    return float(np.mean([_auroc(*pair) for pair in zip(one_hot.T, probabilities.T, strict=True)]))


def _auroc(truth: NDArray[Any], scores: FloatArray) -> float:
    """Give NaN where a class is missing: a small folder, or an unlucky resample."""
    return float(metrics.roc_auc_score(truth, scores)) if np.ptp(truth) else float("nan")


def draw_confusion(predictions: Predictions, path: Path) -> None:
    """Write the confusion matrix, counts and row shares, as PNG."""
    guesses = predictions.probabilities.argmax(1)
    display = metrics.ConfusionMatrixDisplay.from_predictions(
        predictions.classes,
        guesses,
        labels=range(len(Label)),
        display_labels=list(Label),
        cmap="Blues",
        colorbar=False,
    )
    display.figure_.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(display.figure_)


def draw_reliability(predictions: Predictions, path: Path) -> None:
    """Write how often each confidence is right as PNG."""
    confidence = predictions.probabilities.max(1)
    right = predictions.probabilities.argmax(1) == predictions.classes
    edges = np.linspace(1 / len(Label), 1, 11)
    bins = np.clip(np.digitize(confidence, edges) - 1, 0, 9)
    points = [(confidence[bins == b].mean(), right[bins == b].mean()) for b in np.unique(bins)]
    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(5, 6), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    above.plot((1 / len(Label), 1), (1 / len(Label), 1), ":", color="grey", label="as it should be")
    above.plot(*zip(*points, strict=True), "o-", label="this model")
    above.set(ylabel="share right")
    above.legend()
    below.hist(confidence, edges)
    below.set(xlabel="confidence", ylabel="pictures")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def table(measured: dict[str, Interval]) -> str:
    """Write figures as a Markdown table."""
    rows = [
        f"| {name} | {value:.4f} | {low:.4f} – {high:.4f} |"
        for name, (value, low, high) in measured.items()
    ]
    return "\n".join(["| figure | value | 95 % interval |", "|---|---|---|", *rows])


def main(
    model: Annotated[Path, typer.Option(help="a model folder")],
    data: Annotated[Path, typer.Option(help="folder with normal/, bacterial/ and viral/")],
    out: Annotated[Path, typer.Option(help="where the plots go")] = Path("runs/evaluation"),
    fold: Annotated[int | None, typer.Option(help="only this held-out fifth")] = None,
    engine: Annotated[EngineKind, typer.Option()] = EngineKind.ONNX,
) -> None:
    """Measure a model on a labelled folder, or on one held-out fifth of it."""
    loaded = load_model(model, engine)
    examples: Sequence[Example] = dataset.find_examples(data)
    if fold is not None:
        examples = dataset.split(examples, fold).held_out
    pictures = load_pictures(examples, loaded.card.input_size)
    logits = run_engine(loaded.engine, pictures.inputs()).logits
    predictions = Predictions(
        calibrated(logits, loaded.card.temperature),
        pictures.classes,
        tuple(example.patient for example in examples),
    )
    out.mkdir(parents=True, exist_ok=True)
    measured = figures(predictions)
    draw_confusion(predictions, out / "confusion.png")
    draw_reliability(predictions, out / "reliability.png")
    (out / "figures.json").write_text(json.dumps(measured, indent=2) + "\n")
    print(f"{loaded.card.name} on {len(examples)} pictures\n\n{table(measured)}")


if __name__ == "__main__":
    typer.run(main)
