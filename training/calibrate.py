"""Make probabilities mean what they say: a temperature, and a threshold for "unsure"."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from classifier.labels import FloatArray, Label
from classifier.model import calibrated
from training.dataset import MAY_BE

# Of the answers given as sure, at least so many are right: a missed pneumonia weighs most.
PROMISED = {Label.NORMAL: 0.98, Label.BACTERIAL: 0.9, Label.VIRAL: 0.9}
# So many further wrong answers must not break the promise: a few lucky ones are no proof.
SPARE = 1


def fit_temperature(logits: FloatArray, classes: NDArray[np.int64]) -> float:
    """Find the temperature with the least cross-entropy on pictures not trained on.

    `logits` (n, 3), `classes` (n,) indices into `WRITTEN`. Source: Guo et al. 2017, section 4.2.
    """
    possible = MAY_BE[classes]

    def loss(log_temperature: float) -> float:
        shares = calibrated(logits, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum((shares * possible).sum(1), 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def sure_from(probabilities: FloatArray, classes: NDArray[np.int64]) -> dict[Label, float]:
    """Find for each label the lowest top probability from which its answers keep `PROMISED`.

    `probabilities` (n, 3), `classes` (n,) indices into `WRITTEN`. Searched from 0.5 up, in steps of
    0.01; 1 if nothing keeps the promise.
    """
    return {
        label: _lowest(probabilities.max(1)[mine], MAY_BE[classes[mine], index], PROMISED[label])
        for index, label in enumerate(Label)
        for mine in (probabilities.argmax(1) == index,)
    }


def _lowest(confidence: FloatArray, right: NDArray[np.bool_], promised: float) -> float:
    for percent in range(50, 100):
        sure = confidence >= percent / 100
        if right[sure].sum() >= promised * (sure.sum() + SPARE):
            return percent / 100
    return 1.0
