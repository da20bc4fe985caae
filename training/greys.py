"""Would it help to bring the greys of every picture into line first?

`python -m training.greys --model classifier/models/NAME --data FOLDER [--data FOLDER]` does so
to the tuning pictures of the model's fold in several ways, and to the same pictures changed as
another hospital might show them (`training/stress.py`), and compares the shipped engine's answers
with those to the pictures left as they are. Nothing is trained again, so that it says nothing of a
network made for such greys.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageOps

from classifier.model import Model, load_model
from classifier.reading.scan import evenly
from training import dataset
from training.answering import predictions_of
from training.augment import Grey, rounded
from training.dataset import load_pictures
from training.figures import figures
from training.not_worse import difference
from training.record import add_rows, circumstances, columns, command
from training.saliency_check import lung_share
from training.stress import stressed

RESULTS = Path(__file__).parent / "results" / "greys.csv"
STRESSES = ("low_contrast", "high_contrast", "dark", "bright", "photo")
FIGURES = ("balanced_accuracy", "pneumonia_auroc", "sensitivity", "specificity")
# So many training pictures tell what is usual.
USUAL_OF = 500

Way = Callable[[Grey], Grey]


def ways(usual: NDArray[np.uint8]) -> Mapping[str, Way]:
    """Give what brings the greys of one picture (size, size) into line with `usual` ones.

    `usual` (n, size, size) are pictures trained on.
    """
    lungs = lung_share(*usual.shape[1:]) > 0.5
    inside = usual[:, lungs]
    return {
        "stretched": lambda grey: np.asarray(ImageOps.autocontrast(Image.fromarray(grey), 1)),
        "equalised": lambda grey: np.asarray(ImageOps.equalize(Image.fromarray(grey))),
        "gamma": partial(_to_median, float(np.median(usual, (1, 2)).mean())),
        "lungs": partial(_to_spread, lungs, float(inside.mean()), float(inside.std(1).mean())),
        "matched": partial(_to_histogram, np.sort(usual.reshape(len(usual), -1)).mean(0)),
    }


def _to_median(median: float, grey: Grey) -> Grey:
    """Bend the greys (gamma) so that half of the picture is darker than the usual median."""
    unit = grey / 255
    middle = np.clip(np.median(unit), 0.02, 0.98)
    return rounded(255 * unit ** (np.log(median / 255) / np.log(middle)))


def _to_spread(lungs: NDArray[np.bool_], mean: float, spread: float, grey: Grey) -> Grey:
    """Give the lung fields the usual mean and standard deviation."""
    inside = grey[lungs]
    return rounded((grey - inside.mean()) / max(float(inside.std()), 1.0) * spread + mean)


def _to_histogram(levels: NDArray[np.float64], grey: Grey) -> Grey:
    """Give the darkest place the usual darkest level, and so on up to the brightest."""
    matched = np.empty(grey.size)
    matched[np.argsort(grey, None, kind="stable")] = levels
    return rounded(matched.reshape(grey.shape))


def compared(model: Model, split: dataset.Split) -> list[dict[str, object]]:
    """Measure each way on the tuning pictures: rows for each kind of picture, as it is first."""
    size = model.card.input_size
    usual, clean = (
        load_pictures(each, size) for each in (evenly(split.train, USUAL_OF), split.tuning)
    )
    brought, rows = ways(usual.pixels), []
    for kind in ("clean", *STRESSES):
        shown = clean.pixels if kind == "clean" else stressed(clean.pixels, kind)
        as_it_is = predictions_of(model, replace(clean, pixels=shown))
        answered = {"as it is": as_it_is}
        for name, way in brought.items():
            pixels = np.stack([way(each) for each in shown])
            answered[name] = predictions_of(model, replace(clean, pixels=pixels))
        for name, answers in answered.items():
            measured = figures(answers)
            rows.append(
                {"pictures": len(shown), "kind": kind, "greys": name}
                | columns({each: measured[each] for each in FIGURES if each in measured})
                | columns({"gain": difference(as_it_is, answers).gain})
            )
            print(rows[-1])
    return rows


def main(
    model: Annotated[Path, typer.Option(help="a model folder")],
    data: Annotated[list[Path], typer.Option(help="folders of labels, as for training")],
    out: Annotated[Path, typer.Option()] = RESULTS,
) -> None:
    """Compare the greys of every folder and add the rows."""
    loaded = load_model(model)
    about = circumstances(command("training.greys")) | {"model": loaded.name}
    fold = dataset.fold_of(loaded.card)
    for folder in data:
        rows = compared(loaded, dataset.split(dataset.find_examples(folder), fold))
        add_rows(out, [about | {"source": folder.name} | row for row in rows])


if __name__ == "__main__":
    typer.run(main)
