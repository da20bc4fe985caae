"""Make probabilities mean what they say: a temperature, and a threshold for "unsure"."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from classifier.labels import FloatArray, Label
from classifier.model import calibrated

NORMAL = tuple(Label).index(Label.NORMAL)
# Of the answers given as sure, at least so many are right, and of the sure "normal" ones at most
# so many are pneumonia.
SURE_ACCURACY = 0.9
SURE_NORMAL_MISSES = 0.02


def fit_temperature(logits: FloatArray, classes: NDArray[np.int64]) -> float:
    """Find the temperature with the least cross-entropy on pictures not trained on.

    `logits` (n, 3), `classes` (n,). Source: Guo et al. 2017, section 4.2.
    """
    rows = np.arange(len(classes))

    def loss(log_temperature: float) -> float:
        shares = calibrated(logits, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(shares[rows, classes], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def sure_from(probabilities: FloatArray, classes: NDArray[np.int64]) -> float:
    """Find the lowest top probability (from 0.5) from which answers keep both promises above.

    `probabilities` (n, 3), `classes` (n,). Gives 1 if no threshold keeps them.
    """
    for percent in range(50, 100):
        threshold = percent / 100
        sure = probabilities.max(1) >= threshold
        guesses, truth = probabilities[sure].argmax(1), classes[sure]
        if not sure.any():
            break
        misses = truth[guesses == NORMAL] != NORMAL
        if (guesses == truth).mean() >= SURE_ACCURACY and (
            not len(misses) or misses.mean() <= SURE_NORMAL_MISSES
        ):
            return threshold
    return 1.0
