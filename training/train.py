"""Train a recipe: `python -m training.train recipes/xray --data FOLDER --run RUN --start NPZ`."""

from pathlib import Path
from typing import Annotated

import typer

from training import dataset, recipe
from training.batches import workers
from training.curves import draw_curves
from training.loop import claim
from training.network import train_network, trained_network
from training.out_of_fold import answers_of_others
from training.package import Run, add_result, package
from training.record import command

RESULTS = Path(__file__).parent / "results" / "xray.csv"
DATA_HELP = "folder with normal/, bacterial/ and viral/; another may hold normal/ and pneumonia/"


def main(
    recipe_name: Annotated[str, typer.Argument(metavar="RECIPE", help="such as recipes/shift")],
    data: Annotated[list[Path], typer.Option(help=DATA_HELP)],
    run: Annotated[Path, typer.Option(help="checkpoints; the same folder again resumes")],
    start: Annotated[Path | None, typer.Option(help="weights to start from (.npz)")] = None,
    name: Annotated[str | None, typer.Option(help="of the model; default from recipe")] = None,
    models: Annotated[Path | None, typer.Option(help="where the model folder goes")] = None,
    results: Annotated[Path, typer.Option(help="CSV that gets a row")] = RESULTS,
    about: Annotated[str, typer.Option(help="a sentence on the data, for the card")] = "",
    out_of_fold: Annotated[
        Path | None, typer.Option(help="calibrate on what training.out_of_fold wrote")
    ] = None,
    as_it_stands: Annotated[
        bool, typer.Option("--as-it-stands", help="train no further: package what the run has")
    ] = False,
    seed: Annotated[int, typer.Option(help="of all that is drawn at random")] = 0,
    fold: Annotated[int, typer.Option(help="which fifth is held out: 0 to 4")] = 0,
) -> None:
    """Train one network on four fifths of the pictures and write a measured model folder."""
    chosen = recipe.load(recipe_name)
    if chosen.start is not recipe.Start.SCRATCH and start is None:
        raise typer.BadParameter(f"{recipe_name} needs --start")
    parts = dataset.split(dataset.find_all(data), fold)
    claim(run, chosen, parts, seed, fold)
    if as_it_stands:
        network, progress = trained_network(chosen, run)
    else:
        with workers(0) as pool:
            network, progress = train_network(chosen, parts, run, start, seed, pool)
    draw_curves(progress, run / "curves.png")
    about_run = Run(
        name=name or f"resnet34_{chosen.name}",
        recipe=chosen.name,
        seed=seed,
        fold=fold,
        epochs=progress.epoch,
        minutes=sum(row["seconds"] for row in progress.history) / 60,
        command=command("training.train", about),
        data=about,
    )
    folder = (models or run) / about_run.name
    size = int(progress.history[-1]["size"])
    calibration = answers_of_others(out_of_fold, fold) if out_of_fold else None
    card = package(network, about_run, parts, size, folder, calibration)
    add_result(card, about_run, results)


if __name__ == "__main__":
    typer.run(main)
