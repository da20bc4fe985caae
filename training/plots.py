"""Plots of how a model does: what it confuses, what its confidence is worth, what it is sure of."""

from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from classifier.labels import FloatArray, Label
from training.calibrate import AT_MOST, Answered, Classes, Measured
from training.figures import Predictions

matplotlib.use("Agg")
from matplotlib import pyplot


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
