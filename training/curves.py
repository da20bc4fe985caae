"""A run's history as a picture."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from training.loop import Progress


def draw_curves(progress: Progress, path: Path) -> None:
    """Write loss and accuracy over the epochs as PNG."""
    epochs = [row["epoch"] for row in progress.history]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for axes, names in ((left, ("loss", "tuning_loss")), (right, ("tuning_accuracy",))):
        for name in names:
            axes.plot(epochs, [row[name] for row in progress.history], "o-", label=name)
        axes.set(xlabel="epoch")
        axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
