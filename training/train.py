"""Train a recipe on a labelled folder: `python -m training.train recipes/xray --data FOLDER`."""

from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import typer

from classifier import resnet
from classifier.labels import FloatArray
from training import dataset, recipe
from training.loop import fit


def main(
    recipe_name: Annotated[str, typer.Argument(metavar="RECIPE", help="recipes/paper or …/xray")],
    data: Annotated[Path, typer.Option(help="folder with normal/, bacterial/ and viral/")],
    run: Annotated[Path, typer.Option(help="checkpoints; the same folder again resumes")],
    start: Annotated[Path | None, typer.Option(help="folded ResNet-18 weights (.npz)")] = None,
    seed: int = 0,
    fold: int = 0,
) -> None:
    """Train one network."""
    chosen = recipe.load(recipe_name)
    parts = dataset.split(dataset.find_examples(data), fold)
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(seed)
    model = resnet.build(chosen.dropout)
    if chosen.start is recipe.Start.FOLDED_RESNET18:
        if start is None:
            raise typer.BadParameter(f"{recipe_name} needs --start")
        resnet.load_folded_start(model, start, _sample(parts.train, chosen.phases[0].size))

    def load(size: int) -> tuple[dataset.Pictures, dataset.Pictures]:
        return tuple(dataset.load_pictures(part, size) for part in (parts.train, parts.tuning))

    weights, progress = fit(chosen, model, load, run, seed)


def _sample(examples: list[dataset.Example], size: int, count: int = 64) -> FloatArray:
    """Take pictures evenly from the list: the start's statistics should not be of one class."""
    chosen = examples[:: max(1, len(examples) // count)]
    pixels = dataset.load_pictures(chosen, size).pixels
    return pixels[..., np.newaxis].astype(np.float32) / 255


if __name__ == "__main__":
    typer.run(main)
