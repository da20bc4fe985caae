"""The training loop: epochs over batches, checkpoints between them, the best weights kept."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from classifier.labels import FloatArray
from training.batches import batches, targets
from training.dataset import MAY_BE, Example, Pictures, Split
from training.fused_norm import fuse
from training.loss import WrittenLabelLoss
from training.recipe import Recipe

# On a GPU copying the weights out takes as long as a step.
AVERAGED_STEPS = 16
LOOK_SECONDS = 60


@dataclass
class Progress:
    """Where a run stands; written with each checkpoint.

    `of` tells what it is a run of; it is empty if an earlier version began it.
    """

    epoch: int = 0
    best_loss: float = math.inf
    epochs_without_gain: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    of: str = ""


class Average:
    """An exponential moving average of all weights, batch norm's statistics among them.

    `decay` is that of one step; the average is moved every `AVERAGED_STEPS`.
    """

    def __init__(self, weights: list[FloatArray], decay: float) -> None:
        self.weights = [weight.copy() for weight in weights]
        self.decay = decay

    def update(self, weights: list[FloatArray], step: int) -> None:
        """Move towards `weights`; slowly only once there are steps to average over."""
        decay = min(self.decay, (1 + step) / (10 + step)) ** AVERAGED_STEPS
        for average, weight in zip(self.weights, weights, strict=True):
            average += (1 - decay) * (weight - average)


def claim(run: Path, recipe: Recipe, parts: Split, seed: int, fold: int) -> None:
    """Note in a folder what it is a run of; raises ValueError if it holds one of something else."""
    pictures = f"{_digest(parts.train)} trained on, {_digest(parts.held_out)} held out"
    of = f"recipe {recipe.name}, seed {seed}, fold {fold}, pictures {pictures}"
    progress = _progress(run)
    if progress.epoch and progress.of not in ("", of):
        raise ValueError(f"{run} holds a run of {progress.of}; for {of} name another folder")
    if progress.of != of:
        run.mkdir(parents=True, exist_ok=True)
        progress.of = of
        _save_progress(progress, run)


def fit(
    recipe: Recipe,
    model: keras.Model,
    load: Callable[[int], tuple[Pictures, Pictures]],
    run: Path,
    seed: int,
    pool: Executor,
) -> None:
    """Train into `run`; the same `run` goes on where it was killed.

    `load` gives the training and tuning pictures at a size, `pool` augments. Quick epochs are
    looked at and saved only once a minute.
    """
    keras.utils.set_random_seed(seed)
    run.mkdir(parents=True, exist_ok=True)
    model, average, progress = _resume(recipe, model, run)
    size, epoch, looked = 0, progress.epoch, time.monotonic()
    while epoch < recipe.epochs and not _is_over(recipe, progress):
        if recipe.phase_at(epoch).size != size:
            size = recipe.phase_at(epoch).size
            train, tuning = load(size)
        loss = _train_epoch(recipe, model, average, train, epoch, seed, pool)
        epoch += 1
        seconds = time.monotonic() - looked
        if recipe.patience is None and epoch < recipe.epochs and seconds < LOOK_SECONDS:
            continue
        looked = time.monotonic()
        weights = average.weights if average else model.get_weights()
        figures = {"epoch": epoch, "size": size, "loss": loss, "seconds": seconds}
        _note(recipe, progress, figures | _evaluate(recipe, model, weights, tuning), weights, run)
        _checkpoint(model, average, progress, run)


def trained(run: Path) -> tuple[list[FloatArray], Progress]:
    """Give a run's best weights so far and its history.

    The best are those with the lowest loss on the tuning pictures if the recipe stops early, else
    the last (averaged) ones.
    """
    with np.load(run / "best.npz") as best:
        weights = [best[name].astype(np.float32) for name in best.files]
    return weights, _progress(run)


def is_finished(recipe: Recipe, run: Path) -> bool:
    """Tell whether nothing is left to train in `run`."""
    progress = _progress(run)
    return progress.epoch >= recipe.epochs or _is_over(recipe, progress)


def learning_rate(recipe: Recipe, epoch: float) -> float:
    """Tell the rate at a (fractional) epoch: linear warm-up, constant, half a cosine to 1 %."""
    if epoch < recipe.warmup_epochs:
        return recipe.learning_rate * (epoch + 0.01) / recipe.warmup_epochs
    left = recipe.epochs - epoch
    if left >= recipe.decay_epochs:
        return recipe.learning_rate
    part = 1 - left / recipe.decay_epochs
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * part)))


def _train_epoch(
    recipe: Recipe,
    model: keras.Model,
    average: Average | None,
    pictures: Pictures,
    epoch: int,
    seed: int,
    pool: Executor,
) -> float:
    steps = max(1, len(pictures.classes) // recipe.batch)
    made = batches(recipe, pictures, epoch, seed, pool)
    losses = []
    for step, (x, y) in enumerate(track(made, f"epoch {epoch + 1}", steps)):
        model.optimizer.learning_rate = learning_rate(recipe, epoch + step / steps)
        losses.append(model.train_on_batch(x, y))
        if average and step % AVERAGED_STEPS == 0:
            average.update(model.get_weights(), epoch * steps + step)
    return float(np.mean(losses))


def _evaluate(
    recipe: Recipe, model: keras.Model, weights: list[FloatArray], pictures: Pictures
) -> dict[str, float]:
    current = model.get_weights()
    model.set_weights(weights)
    logits = model.predict(pictures.inputs(), batch_size=32, verbose=0)
    model.set_weights(current)
    right = MAY_BE[pictures.classes, logits.argmax(1)]
    # In the terms of training: a network that allows for doubtful labels seems too sure otherwise.
    loss = WrittenLabelLoss(recipe.flips)(targets(pictures.classes), logits)
    return {"tuning_loss": float(loss), "tuning_accuracy": float(right.mean())}


def _is_over(recipe: Recipe, progress: Progress) -> bool:
    return recipe.patience is not None and progress.epochs_without_gain >= recipe.patience


def _note(
    recipe: Recipe,
    progress: Progress,
    figures: dict[str, float],
    weights: list[FloatArray],
    run: Path,
) -> None:
    """Enter the figures in the history and keep the weights if they are the ones to give."""
    progress.epoch = int(figures["epoch"])
    progress.history.append(figures)
    gained = figures["tuning_loss"] < progress.best_loss
    progress.best_loss = min(figures["tuning_loss"], progress.best_loss)
    progress.epochs_without_gain = 0 if gained else progress.epochs_without_gain + 1
    if gained or recipe.patience is None:
        # Rounded as in a model folder: see resnet.save_weights.
        halves = [each.astype(np.float16) if each.ndim > 1 else each for each in weights]
        _save_arrays(run / "best.npz", halves)
    print(", ".join(f"{name} {value:.4g}" for name, value in progress.history[-1].items()))


def _checkpoint(model: keras.Model, average: Average | None, progress: Progress, run: Path) -> None:
    """Write all a run needs to go on; the progress goes last, so that a kill leaves a whole set."""
    last = run / f"epoch{progress.epoch}.keras"
    model.save(last)
    if average:
        _save_arrays(run / f"epoch{progress.epoch}.npz", average.weights)
    _save_progress(progress, run)
    for old in run.glob("epoch*.*"):
        if old.stem != last.stem:
            old.unlink()


def _resume(
    recipe: Recipe, model: keras.Model, run: Path
) -> tuple[keras.Model, Average | None, Progress]:
    progress = _progress(run)
    if progress.epoch:
        model = keras.models.load_model(run / f"epoch{progress.epoch}.keras")
    else:
        model = fuse(model)
        model.compile(
            optimizer=recipe.optimizer(recipe.learning_rate),
            loss=WrittenLabelLoss(recipe.flips, recipe.label_smoothing),
            # Slower on a CPU with TensorFlow; without it JAX runs operation by operation.
            jit_compile=keras.backend.backend() == "jax",
        )
    if recipe.ema is None:
        return model, None, progress
    average = Average(model.get_weights(), recipe.ema)
    if progress.epoch:
        with np.load(run / f"epoch{progress.epoch}.npz") as arrays:
            average.weights = [arrays[name] for name in arrays.files]
    return model, average, progress


def _progress(run: Path) -> Progress:
    saved = run / "progress.json"
    return Progress(**json.loads(saved.read_text())) if saved.exists() else Progress()


def _save_progress(progress: Progress, run: Path) -> None:
    scratch = run / "progress.tmp"
    scratch.write_text(json.dumps(asdict(progress), indent=1))
    scratch.replace(run / "progress.json")


def _digest(examples: Sequence[Example]) -> str:
    """Stand for labels, patients and names of files, wherever these lie."""
    told = sorted(f"{each.label} {each.patient} {each.path.name}" for each in examples)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _save_arrays(path: Path, arrays: Sequence[NDArray[np.floating]]) -> None:
    scratch = path.with_suffix(".tmp.npz")
    np.savez(scratch, *arrays)
    scratch.replace(path)
