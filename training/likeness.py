"""Fit the distance from the training pictures, on a network's pooled features."""

import numpy as np

from classifier.engines import Engine
from classifier.labels import FloatArray
from classifier.likeness import Likeness
from training.answering import run_engine
from training.dataset import Pictures, Split, load_pictures

DIRECTIONS = 64
# A third of the training pictures places it as well as all of them.
EVERY = 3


def likeness_of(engine: Engine, split: Split, tuning: Pictures, size: int) -> Likeness:
    """Fit it to what the network `engine` sees of the pictures it was trained on."""
    trained = load_pictures(split.train[::EVERY], size).inputs()
    seen, chosen = (run_engine(engine, each).features for each in (trained, tuning.inputs()))
    return fit_likeness(seen, chosen)


def fit_likeness(trained: FloatArray, chosen: FloatArray) -> Likeness:
    """Whiten the leading directions of pooled features, each (n, channels), of those trained on.

    Scaled so that 99 of 100 of `chosen`, not trained on, are within 1.
    """
    mean = trained.mean(0)
    _, strengths, directions = np.linalg.svd(trained - mean, full_matrices=False)
    count = min(DIRECTIONS, len(strengths))
    deviations = strengths[:count] / np.sqrt(len(trained))
    whitening = directions[:count].T / np.maximum(deviations, 1e-6)
    usual = np.quantile(np.linalg.norm((chosen - mean) @ whitening, axis=1), 0.99)
    return Likeness(mean.astype(np.float32), (whitening / usual).astype(np.float32))
