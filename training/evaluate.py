"""Measure a model on a labelled folder: figures with intervals, under stress too, and plots.

`python -m training.evaluate --model classifier/models/NAME --data FOLDER [--fold 0] [--out DIR]`
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import matplotlib
import numpy as np
import typer
from numpy.typing import NDArray
from sklearn import metrics

from classifier.engines import Engine, Output
from classifier.labels import FloatArray, Label
from classifier.likeness import pooled
from classifier.model import EngineKind, calibrated, load_model
from training import dataset
from training.calibrate import AT_MOST, Answered, Measured
from training.dataset import Example, Pictures, load_pictures
from training.figures import (
    UNKNOWN,
    Classes,
    Predictions,
    figures,
    stress_figures,
    stress_table,
    table,
)

matplotlib.use("Agg")
from matplotlib import pyplot


def run_engine(engine: Engine, inputs: FloatArray, batch: int = 32) -> Output:
    """Run (n, size, size, 1) in batches; the features come pooled, (n, channels)."""
    starts = range(0, len(inputs), batch)
    outputs = [engine.run(inputs[start : start + batch]) for start in starts]
    return Output(
        np.concatenate([output.logits for output in outputs]),
        np.concatenate([pooled(output.features) for output in outputs]),
    )


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


def draw_reliability(
    predictions: Predictions, path: Path, before: FloatArray | None = None
) -> None:
    """Write how often each confidence is right as PNG.

    `before` are the probabilities (n, 3) of the same pictures without the temperature.
    """
    edges = np.linspace(1 / len(Label), 1, 11)
    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(5, 6), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    above.plot((1 / len(Label), 1), (1 / len(Label), 1), ":", color="grey", label="as it should be")
    for shares, name in (
        (before, "before the temperature"),
        (predictions.probabilities, "shipped"),
    ):
        if shares is not None:
            points = _reliability(shares, predictions.classes, edges)
            above.plot(*zip(*points, strict=True), "o-", label=name)
    above.set(ylabel="share right")
    above.legend()
    below.hist(predictions.probabilities.max(1), edges)
    below.set(xlabel="confidence", ylabel="pictures")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _reliability(
    shares: FloatArray, classes: Classes, edges: NDArray[np.float64]
) -> list[tuple[float, float]]:
    """Give mean confidence and share right of each bin that is not empty."""
    confidence, right = shares.max(1), shares.argmax(1) == classes
    bins = np.clip(np.digitize(confidence, edges) - 1, 0, len(edges) - 2)
    return [(confidence[bins == b].mean(), right[bins == b].mean()) for b in np.unique(bins)]


def draw_sure(answered: Answered, measured: Measured, path: Path) -> None:
    """Write as PNG how the share that is wrong grows with the share that is told a label.

    Pictures of known cause, the most confident first; the dot is where sure answers end, the dotted
    line what is promised.
    """
    figure, axes = pyplot.subplots(figsize=(5, 4), layout="constrained")
    guesses, confidence = measured.probabilities.argmax(1), measured.probabilities.max(1)
    for index, label in enumerate(Label):
        mine = np.flatnonzero(guesses == index)
        mine = mine[np.argsort(-confidence[mine])]
        counts = np.arange(1, len(mine) + 1)
        wrong = (answered.classes[mine] != index).cumsum() / counts
        (line,) = axes.plot(counts / len(guesses), wrong, label=label)
        if end := int(measured.sure[mine].sum()):
            axes.plot(end / len(guesses), wrong[end - 1], "o", color=line.get_color())
        axes.axhline(AT_MOST[label], color=line.get_color(), linestyle=":", linewidth=1)
    axes.set(xlabel="share of all pictures told this label", ylabel="share of these wrong")
    axes.legend()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(
    model: Annotated[Path, typer.Option(help="a model folder")],
    data: Annotated[Path, typer.Option(help="folder of labels, as for training")],
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

    def predict(pictures: Pictures) -> FloatArray:
        logits = run_engine(loaded.engine, pictures.inputs()).logits
        return calibrated(logits, loaded.card.temperature)

    patients = tuple(example.patient for example in examples)
    predictions = Predictions(predict(pictures), pictures.classes, patients)
    measured, stress = figures(predictions), stress_figures(predict, pictures)
    out.mkdir(parents=True, exist_ok=True)
    if UNKNOWN not in pictures.classes:
        draw_confusion(predictions, out / "confusion.png")
        draw_reliability(predictions, out / "reliability.png")
    (out / "figures.json").write_text(json.dumps(measured, indent=2) + "\n")
    (out / "stress.json").write_text(json.dumps(stress, indent=2) + "\n")
    print(f"{loaded.card.name} on {len(examples)} pictures\n\n{table(measured)}\n")
    print(stress_table(measured, stress))


if __name__ == "__main__":
    typer.run(main)
