"""Train a recipe on each four fifths and keep what each network says of the fifth it never saw.

`python -m training.cross_validate recipes/shift --data FOLDER --runs RUNS --seed 0 --start NPZ`

The same command goes on where it was killed and skips what is done. Started several times on one
machine, each takes what no other is at: a GPU that waits for one is busy with the next.
`python -m training.out_of_fold RUNS --recipe NAME` then puts the answers together.
"""

import fcntl
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import typer

from classifier.labels import FloatArray
from training import dataset, recipe
from training.batches import workers
from training.dataset import FOLDS, Pictures, Split
from training.loop import claim
from training.network import train_network
from training.out_of_fold import Answers
from training.stress import STRESSES, stressed

ANSWERS = "held_out.npz"
BATCH = 64


def main(
    recipe_name: Annotated[str, typer.Argument(metavar="RECIPE")],
    data: Annotated[list[Path], typer.Option(help="folders of labels, as for training.train")],
    runs: Annotated[Path, typer.Option(help="gets a folder for each run")],
    seed: Annotated[list[int], typer.Option(help="of the five runs; may be repeated")],
    start: Annotated[Path | None, typer.Option(help="weights to start from (.npz)")] = None,
    processes: Annotated[int, typer.Option(help="to augment with; 0: a thread")] = 0,
) -> None:
    """Train five networks for each seed, where they are missing."""
    chosen, examples = recipe.load(recipe_name), dataset.find_all(data)
    splits = [dataset.split(examples, fold) for fold in range(FOLDS)]
    with workers(processes) as pool:
        for each in seed:
            for fold, parts in enumerate(splits):
                run = runs / f"fold{fold}-seed{each}"
                with _mine(run) as is_mine:
                    if is_mine:
                        _train_and_answer(chosen, parts, run, start, fold, each, pool)


@contextmanager
def _mine(run: Path) -> Iterator[bool]:
    """Claim a run's folder, tell whether it was free; a killed process leaves it free."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _train_and_answer(
    chosen: recipe.Recipe,
    parts: Split,
    run: Path,
    start: Path | None,
    fold: int,
    seed: int,
    pool: Executor,
) -> None:
    claim(run, chosen, parts, seed, fold)
    if (run / ANSWERS).exists():
        return
    network, _ = train_network(chosen, parts, run, start, seed, pool)
    pictures = dataset.load_pictures(parts.held_out, chosen.phases[-1].size)
    shown = [pictures.pixels, *(stressed(pictures.pixels, kind) for kind in STRESSES)]
    logits = [_logits(network, replace(pictures, pixels=pixels)) for pixels in shown]
    count = len(parts.held_out)
    answers = Answers(
        logits=np.stack(logits, axis=1),
        classes=pictures.classes,
        sources=pictures.sources,
        patients=pictures.patients,
        folds=np.full(count, fold),
        seeds=np.full(count, seed),
    )
    answers.save(run / ANSWERS)
    # The next network has its own optimiser and graph.
    keras.backend.clear_session()


def _logits(network: keras.Model, pictures: Pictures) -> FloatArray:
    logits: FloatArray = network.predict(pictures.inputs(), batch_size=BATCH, verbose=0)
    return logits


if __name__ == "__main__":
    typer.run(main)
