"""Train a recipe on a labelled folder: `python -m training.train recipes/xray --data FOLDER`."""

import sys
from pathlib import Path
from typing import Annotated

import keras
import typer

from classifier import resnet
from classifier.labels import FloatArray
from training import dataset, recipe
from training.curves import draw_curves
from training.loop import Progress, fit
from training.package import GatePictures, Run, add_result, package

RESULTS = Path(__file__).parent / "results" / "xray.csv"
GATE_PICTURES = 600


def main(
    recipe_name: Annotated[str, typer.Argument(metavar="RECIPE", help="recipes/paper or …/xray")],
    data: Annotated[Path, typer.Option(help="folder with normal/, bacterial/ and viral/")],
    run: Annotated[Path, typer.Option(help="checkpoints; the same folder again resumes")],
    ct: Annotated[Path, typer.Option(help="folder of CT slices, for the gate")],
    more_xray: Annotated[Path, typer.Option(help="folder of other X-rays, for the gate")],
    start: Annotated[Path | None, typer.Option(help="folded ResNet-18 weights (.npz)")] = None,
    name: Annotated[str | None, typer.Option(help="of the model; default from recipe")] = None,
    models: Annotated[Path | None, typer.Option(help="where the model folder goes")] = None,
    results: Annotated[Path, typer.Option(help="CSV that gets a row")] = RESULTS,
    about: Annotated[str, typer.Option(help="a sentence on the data, for the card")] = "",
    seed: int = 0,
    fold: int = 0,
) -> None:
    """Train one network on four fifths of a folder and write a measured model folder."""
    chosen = recipe.load(recipe_name)
    if chosen.start is not recipe.Start.SCRATCH and start is None:
        raise typer.BadParameter(f"{recipe_name} needs --start")
    parts = dataset.split(dataset.find_examples(data), fold)
    weights, progress = _train(chosen, parts, run, start, seed)
    draw_curves(progress, run / "curves.png")
    keras.config.set_dtype_policy("float32")
    network = resnet.build(chosen.dropout)
    network.set_weights(weights)
    about_run = Run(
        name=name or f"resnet34_{chosen.name}",
        recipe=chosen.name,
        seed=seed,
        fold=fold,
        epochs=progress.epoch,
        minutes=sum(row["seconds"] for row in progress.history) / 60,
        command=_command(),
        data=about,
    )
    folder = (models or run) / about_run.name
    size = chosen.phases[-1].size
    gate = GatePictures(_some(more_xray), _some(ct))
    add_result(package(network, about_run, parts, gate, size, folder), about_run, results)


def _some(folder: Path) -> list[Path]:
    """Take pictures evenly from all of a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return files[:: max(1, len(files) // GATE_PICTURES)]


def _command() -> str:
    """Give the command for the records; where this machine keeps its data is nobody's business."""
    words = (Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])
    return f"python -m training.train {' '.join(words)}"


def _train(
    chosen: recipe.Recipe, parts: dataset.Split, run: Path, start: Path | None, seed: int
) -> tuple[list[FloatArray], Progress]:
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(seed)
    model = resnet.build(chosen.dropout)
    if start is not None and chosen.start is recipe.Start.FOLDED_RESNET18:
        resnet.load_folded_start(model, start, _sample(parts.train, chosen.phases[0].size))

    def load(size: int) -> tuple[dataset.Pictures, dataset.Pictures]:
        train, tuning = (dataset.load_pictures(part, size) for part in (parts.train, parts.tuning))
        return train, tuning

    return fit(chosen, model, load, run, seed)


def _sample(examples: list[dataset.Example], size: int, count: int = 64) -> FloatArray:
    """Take pictures evenly from the list: the start's statistics should not be of one class."""
    chosen = examples[:: max(1, len(examples) // count)]
    return dataset.load_pictures(chosen, size).inputs()


if __name__ == "__main__":
    typer.run(main)
