"""Fit the distance from the training pictures, on a network's pooled features."""

import numpy as np

from classifier.engines import Engine
from classifier.labels import FloatArray
from classifier.likeness import Likeness
from training.answering import run_engine
from training.dataset import Pictures, Split, load_pictures

DIRECTIONS = 64
# A third of many training pictures places it as well as all of them.
EVERY, MANY = 3, 1000
# With the shipped network 90 % of `training.negatives` are beyond what is usual after a fit
# to 700, 80 % after 190, 40 % after 60 and 5 % after 17.
FEWEST = 60
# A direction with a smaller share of the first one's deviation is rounding, or one that no picture
# shows: whitened, it would outweigh all others.
WEAKEST = 1e-3


def likeness_of(engine: Engine, split: Split, tuning: Pictures, size: int) -> Likeness:
    """Fit it to what the network `engine` sees of the pictures it was trained on."""
    step = EVERY if len(split.train) > MANY else 1
    trained = load_pictures(split.train[::step], size).inputs()
    seen, chosen = (run_engine(engine, each).features for each in (trained, tuning.inputs()))
    return fit_likeness(seen, chosen)


def fit_likeness(trained: FloatArray, chosen: FloatArray) -> Likeness:
    """Whiten the leading directions of pooled features, each (n, channels), of those trained on.

    Scaled so that 99 of 100 of `chosen`, not trained on, are within 1. Raises ValueError if
    `trained` are fewer than `FEWEST`.
    """
    if len(trained) < FEWEST:
        raise ValueError(
            f"{len(trained)} pictures trained on cannot tell what is unlike them; it takes {FEWEST}"
        )
    mean = trained.mean(0)
    _, strengths, directions = np.linalg.svd(trained - mean, full_matrices=False)
    # Of as many directions as rows the last ones follow chance.
    most = min(DIRECTIONS, (len(trained) - 1) // 2)
    count = int((strengths[:most] > WEAKEST * strengths[0]).sum())
    whitening = directions[:count].T * np.sqrt(len(trained)) / strengths[:count]
    usual = np.quantile(np.linalg.norm((chosen - mean) @ whitening, axis=1), 0.99)
    return Likeness(mean.astype(np.float32), (whitening / usual).astype(np.float32))
