"""How large should the picture be, and does a second, mirrored look pay?

`python -m training.sizes --model classifier/models/NAME --data FOLDER [--data FOLDER]`
measures the model's network, in float, on the tuning pictures of its own fold, which no figure is
reported on: with each size once, and once more with the mean of the picture and its mirror image.
`gain` is the balanced accuracy's over that of one look at the shipped size, with its paired
interval. Nothing is trained again, so that it says nothing of a network made for another size.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from classifier.engines import Engine
from classifier.labels import FloatArray
from classifier.model import EngineKind, calibrated, load_model
from training import dataset
from training.answering import run_engine
from training.dataset import Pictures, load_pictures
from training.figures import Predictions, figures
from training.not_worse import difference
from training.record import add_rows, circumstances, columns, command

RESULTS = Path(__file__).parent / "results" / "sizes.csv"
SIZES = (128, 160, 192, 224, 256)
FIGURES = ("accuracy", "macro_auroc", "pneumonia_auroc", "sensitivity", "specificity")


def looks(engine: Engine, temperature: float, pictures: Pictures) -> dict[str, FloatArray]:
    """Give the probabilities (n, 3) after one look and after two, the second one mirrored."""
    inputs = pictures.inputs()
    once, mirrored = (
        calibrated(run_engine(engine, each).logits, temperature)
        for each in (inputs, inputs[:, :, ::-1])
    )
    return {"once": once, "mirrored too": (once + mirrored) / np.float32(2)}


def main(
    model: Annotated[Path, typer.Option(help="a model folder")],
    data: Annotated[list[Path], typer.Option(help="folders of labels, as for training")],
    out: Annotated[Path, typer.Option()] = RESULTS,
) -> None:
    """Measure the network at several sizes, with and without a mirrored look, and add the rows."""
    loaded, rows = load_model(model, EngineKind.TENSORFLOW), []
    about = circumstances(command("training.sizes")) | {"model": loaded.name}
    fold = dataset.fold_of(loaded.card)
    for folder in data:
        examples = dataset.split(dataset.find_examples(folder), fold).tuning
        found = {}
        for size in {loaded.card.input_size: None} | dict.fromkeys(SIZES):
            pictures = load_pictures(examples, size)
            for name, each in looks(loaded.engine, loaded.card.temperature, pictures).items():
                found[size, name] = Predictions(each, pictures.classes, pictures.patients)
        shipped = found[loaded.card.input_size, "once"]
        for (size, name), answers in sorted(found.items(), key=lambda each: each[0][0]):
            measured = figures(answers)
            kept = {figure: measured[figure] for figure in FIGURES if figure in measured}
            rows.append(
                about
                | {"source": folder.name, "pictures": len(examples), "size": size, "looks": name}
                | columns(kept | {"gain": difference(shipped, answers).gain})
            )
            print(rows[-1])
    add_rows(out, rows)


if __name__ == "__main__":
    typer.run(main)
