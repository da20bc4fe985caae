"""An epoch's batches: which pictures, varied how; made ahead, in other threads or processes."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from classifier.labels import FloatArray
from classifier.preprocess import to_unit
from training.acquisitions import gives_away
from training.augment import Grey, vary
from training.dataset import MAY_BE, WRITTEN, Pictures
from training.figures import BACTERIAL
from training.recipe import Recipe

Batch = tuple[FloatArray, FloatArray]

AHEAD = 32


def workers(processes: int) -> Executor:
    """Give who augments: one thread beside the network, or so many processes beside a GPU."""
    if processes:
        # Not forked: a fork of a process that holds a GPU may hang.
        return ProcessPoolExecutor(processes, get_context("spawn"))
    return ThreadPoolExecutor(1)


def batches(
    recipe: Recipe, pictures: Pictures, epoch: int, seed: int, pool: Executor
) -> Iterator[Batch]:
    """Give an epoch's pictures (n, size, size, 1) and targets, (n, 4) shares of `WRITTEN`.

    The same seed and epoch give the same batches, whoever makes them.
    """
    rng = np.random.default_rng([seed, epoch])
    order = _order(recipe, pictures, rng)
    waiting: deque[Callable[[], Batch]] = deque()
    for start in range(0, max(1, len(order) - recipe.batch + 1), recipe.batch):
        chosen = order[start : start + recipe.batch]
        (varying,) = rng.spawn(1)
        varied = pool.submit(vary, recipe.augment, pictures.pixels[chosen], varying)
        waiting.append(partial(_batch, varied, pictures.classes[chosen]))
        if len(waiting) > AHEAD:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


def _order(recipe: Recipe, pictures: Pictures, rng: np.random.Generator) -> NDArray[np.int64]:
    count = len(pictures.classes)
    if not recipe.balance:
        return rng.permutation(count)
    drawn = chances(pictures)
    return rng.choice(count, count, p=evened(drawn, pictures) if recipe.even else drawn)


def targets(classes: NDArray[np.int64]) -> FloatArray:
    """Give (n, 4) shares of `WRITTEN`: all of the one that is written down."""
    return np.eye(len(WRITTEN), dtype=np.float32)[classes]


def chances(pictures: Pictures) -> NDArray[np.float64]:
    """Tell how likely each picture is drawn: each label alike, in every source.

    Each source is drawn in proportion to its size and its labels equally often, so the source does
    not predict the label; pneumonia of unknown cause counts for two labels.
    """
    chances = np.empty(len(pictures.classes))
    for source in np.unique(pictures.sources):
        mine = pictures.sources == source
        counts = np.bincount(pictures.classes[mine], minlength=len(WRITTEN))
        shares = np.where(counts > 0, MAY_BE.sum(1), 0)
        each = shares / shares.sum() / np.maximum(counts, 1)
        chances[mine] = each[pictures.classes[mine]] * mine.mean()
    return chances


def evened(chances: NDArray[np.float64], pictures: Pictures) -> NDArray[np.float64]:
    """Draw the bacterial pictures that give their kind away as often as those that do not."""
    away = gives_away(pictures.patients)
    rest = (pictures.classes == BACTERIAL) & ~away
    if not away.any() or not rest.any():
        return chances
    half = chances[away | rest].sum() / 2
    shares = [half / chances[rows].sum() for rows in (away, rest)]
    even: NDArray[np.float64] = chances * np.select([away, rest], shares, 1.0)
    return even


def _batch(varied: Future[Grey], classes: NDArray[np.int64]) -> Batch:
    return to_unit(varied.result()[..., np.newaxis]), targets(classes)
