"""Measure a model on a labelled folder: figures with intervals, under stress too, and plots.

`python -m training.evaluate --model classifier/models/NAME --data FOLDER [--fold 0] [--out DIR]`
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from classifier.model import EngineKind, load_model
from training import dataset
from training.answering import predictions_of
from training.calibrate import CAUSE_UNKNOWN
from training.dataset import Example, load_pictures
from training.figures import figures, stress_figures, stress_table, table
from training.plots import draw_confusion, draw_reliability


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
    predictions = predictions_of(loaded, pictures)
    measured = figures(predictions)
    stress = stress_figures(lambda shown: predictions_of(loaded, shown).probabilities, pictures)
    out.mkdir(parents=True, exist_ok=True)
    if CAUSE_UNKNOWN not in pictures.classes:
        draw_confusion(predictions, out / "confusion.png")
        draw_reliability(predictions, out / "reliability.png")
    (out / "figures.json").write_text(json.dumps(measured, indent=2) + "\n")
    (out / "stress.json").write_text(json.dumps(stress, indent=2) + "\n")
    print(f"{loaded.card.name} on {len(examples)} pictures\n\n{table(measured)}\n")
    print(stress_table(measured, stress))


if __name__ == "__main__":
    typer.run(main)
