"""The training loop: epochs over batches, a checkpoint after each, the best weights kept."""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import keras
import numpy as np
from rich.progress import track

from classifier.labels import FloatArray
from training.augment import augment, mixup
from training.dataset import LABELS, Pictures
from training.fused_norm import fuse
from training.recipe import Recipe

Batch = tuple[FloatArray, FloatArray]


@dataclass
class Progress:
    """Where a run stands; written beside the weights after each epoch."""

    epoch: int = 0
    best_loss: float = math.inf
    epochs_without_gain: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class Average:
    """An exponential moving average of all weights, batch norm's statistics among them."""

    def __init__(self, weights: list[FloatArray], decay: float) -> None:
        self.weights = [weight.copy() for weight in weights]
        self.decay = decay

    def update(self, weights: list[FloatArray], step: int) -> None:
        """Move towards `weights`; slowly only once there are steps to average over."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for average, weight in zip(self.weights, weights, strict=True):
            average += (1 - decay) * (weight - average)


def fit(
    recipe: Recipe,
    model: keras.Model,
    load: Callable[[int], tuple[Pictures, Pictures]],
    run: Path,
    seed: int,
) -> tuple[list[FloatArray], Progress]:
    """Train and give the best weights with the run's history; resumes from `run` after a kill.

    `load` gives the training and tuning pictures at a size. The weights given are those with the
    lowest loss on the tuning pictures if the recipe stops early, else the last (averaged) ones.
    """
    keras.utils.set_random_seed(seed)
    run.mkdir(parents=True, exist_ok=True)
    model, average, progress = _resume(recipe, model, run)
    size = 0
    while progress.epoch < recipe.epochs and not _is_over(recipe, progress):
        if recipe.phase_at(progress.epoch).size != size:
            size = recipe.phase_at(progress.epoch).size
            train, tuning = load(size)
        begun = time.monotonic()
        loss = _train_epoch(recipe, model, average, train, progress.epoch, seed)
        weights = average.weights if average else model.get_weights()
        figures = _evaluate(model, weights, tuning)
        figures |= {"size": size, "loss": loss, "seconds": time.monotonic() - begun}
        _note(recipe, progress, figures, weights, run)
        _checkpoint(model, average, progress, run)
    with np.load(run / "best.npz") as best:
        return [best[name] for name in best.files], progress


def learning_rate(recipe: Recipe, epoch: float) -> float:
    """Tell the rate at a (fractional) epoch: linear warm-up, then constant or cosine to 1 %."""
    if epoch < recipe.warmup_epochs:
        return recipe.learning_rate * (epoch + 0.01) / recipe.warmup_epochs
    if not recipe.cosine:
        return recipe.learning_rate
    part = (epoch - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * part)))


def _train_epoch(
    recipe: Recipe,
    model: keras.Model,
    average: Average | None,
    pictures: Pictures,
    epoch: int,
    seed: int,
) -> float:
    steps = max(1, len(pictures.classes) // recipe.batch)
    batches = _ahead(_batches(recipe, pictures, epoch, seed))
    losses = []
    for step, (x, y) in enumerate(track(batches, f"epoch {epoch + 1}", steps)):
        model.optimizer.learning_rate = learning_rate(recipe, epoch + step / steps)
        losses.append(model.train_on_batch(x, y))
        if average:
            average.update(model.get_weights(), epoch * steps + step)
    return float(np.mean(losses))


def _batches(
    recipe: Recipe, pictures: Pictures, epoch: int, seed: int
) -> Iterator[Callable[[], Batch]]:
    """Give each batch as a call that makes it, so that it can be made ahead."""
    rng = np.random.default_rng([seed, epoch])
    count = len(pictures.classes)
    if recipe.balance:
        rarity = 1 / np.bincount(pictures.classes)[pictures.classes]
        order = rng.choice(count, count, p=rarity / rarity.sum())
    else:
        order = rng.permutation(count)
    for start in range(0, max(1, count - recipe.batch + 1), recipe.batch):
        chosen, child = order[start : start + recipe.batch], rng.spawn(1)[0]
        yield partial(_batch, recipe, pictures, chosen, child)


def _batch(
    recipe: Recipe, pictures: Pictures, chosen: np.ndarray, rng: np.random.Generator
) -> Batch:
    pixels = pictures.pixels[chosen]
    if recipe.augment:
        pixels = np.stack([augment(each, rng) for each in pixels])
    x = pixels[..., np.newaxis].astype(np.float32) / 255
    y = np.eye(len(LABELS), dtype=np.float32)[pictures.classes[chosen]]
    return mixup(x, y, recipe.mixup, rng) if recipe.mixup else (x, y)


def _ahead(calls: Iterable[Callable[[], Batch]], depth: int = 2) -> Iterator[Batch]:
    """Make batches in another thread while the network is busy with the ones before."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Batch]] = deque()
        for call in calls:
            waiting.append(pool.submit(call))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _evaluate(
    model: keras.Model, weights: list[FloatArray], pictures: Pictures
) -> dict[str, float]:
    current = model.get_weights()
    model.set_weights(weights)
    logits = model.predict(pictures.inputs(), batch_size=32, verbose=0).astype(np.float64)
    model.set_weights(current)
    logits -= logits.max(1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    loss = -log_probabilities[np.arange(len(logits)), pictures.classes].mean()
    accuracy = (logits.argmax(1) == pictures.classes).mean()
    return {"tuning_loss": float(loss), "tuning_accuracy": float(accuracy)}


def _is_over(recipe: Recipe, progress: Progress) -> bool:
    return recipe.patience is not None and progress.epochs_without_gain >= recipe.patience


def _note(
    recipe: Recipe,
    progress: Progress,
    figures: dict[str, float],
    weights: list[FloatArray],
    run: Path,
) -> None:
    """Enter the epoch in the history and keep its weights if they are the ones to give."""
    progress.epoch += 1
    progress.history.append({"epoch": progress.epoch, **figures})
    gained = figures["tuning_loss"] < progress.best_loss
    progress.best_loss = min(figures["tuning_loss"], progress.best_loss)
    progress.epochs_without_gain = 0 if gained else progress.epochs_without_gain + 1
    if gained or recipe.patience is None:
        _save_arrays(run / "best.npz", weights)
    print(", ".join(f"{name} {value:.4g}" for name, value in progress.history[-1].items()))


def _checkpoint(model: keras.Model, average: Average | None, progress: Progress, run: Path) -> None:
    """Write all a run needs to go on; the progress goes last, so that a kill leaves a whole set."""
    last = run / f"epoch{progress.epoch}.keras"
    model.save(last)
    if average:
        _save_arrays(run / f"epoch{progress.epoch}.npz", average.weights)
    scratch = run / "progress.tmp"
    scratch.write_text(json.dumps(asdict(progress), indent=1))
    scratch.replace(run / "progress.json")
    for old in run.glob("epoch*.*"):
        if old.stem != last.stem:
            old.unlink()


def _resume(
    recipe: Recipe, model: keras.Model, run: Path
) -> tuple[keras.Model, Average | None, Progress]:
    saved = run / "progress.json"
    progress = Progress(**json.loads(saved.read_text())) if saved.exists() else Progress()
    if progress.epoch:
        model = keras.models.load_model(run / f"epoch{progress.epoch}.keras")
    else:
        model = fuse(model)
        model.compile(
            optimizer=recipe.optimizer(recipe.learning_rate),
            loss=keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=recipe.label_smoothing
            ),
            jit_compile=False,
        )
    if recipe.ema is None:
        return model, None, progress
    average = Average(model.get_weights(), recipe.ema)
    if progress.epoch:
        with np.load(run / f"epoch{progress.epoch}.npz") as arrays:
            average.weights = [arrays[name] for name in arrays.files]
    return model, average, progress


def _save_arrays(path: Path, arrays: list[FloatArray]) -> None:
    scratch = path.with_suffix(".tmp.npz")
    np.savez(scratch, *arrays)
    scratch.replace(path)
