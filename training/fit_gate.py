"""Fit the gate on the pooled features of an X-ray network."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from classifier.gate import KINDS, Gate
from classifier.labels import FloatArray, Modality

DIRECTIONS = 64
KEPT_XRAYS = 1.0


def fit_gate(
    xray: FloatArray,
    more_xray: FloatArray,
    ct: FloatArray,
    neither: FloatArray,
    chosen: FloatArray,
) -> Gate:
    """Fit the gate to pooled features, each (n, channels).

    `xray` and `more_xray`, `ct`, and `neither` teach the three kinds; the leading directions of
    `xray`, the pictures trained on, are the measure of likeness, and `chosen`, X-rays not trained
    on, set its scale.
    """
    kinds = {Modality.XRAY: np.concatenate([xray, more_xray]), Modality.CT: ct, None: neither}
    samples = np.concatenate([kinds[kind] for kind in KINDS])
    truth = np.repeat(range(len(KINDS)), [len(kinds[kind]) for kind in KINDS])
    centre, spread = samples.mean(0), samples.std(0) + 1e-6
    linear = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
    linear.fit((samples - centre) / spread, truth)
    kernel = (linear.coef_ / spread).T
    bias = linear.intercept_ - centre @ kernel
    bias -= _too_strict(np.concatenate([chosen, xray, more_xray]) @ kernel + bias)
    mean, whitening = _likeness(xray, chosen)
    arrays = (kernel, bias, mean, whitening)
    return Gate(*(array.astype(np.float32) for array in arrays))


def _too_strict(scores: np.ndarray) -> np.ndarray:
    """Find how much "neither" must give way so that hardly an X-ray is turned away.

    A stranger let in is still unlike the training pictures, and so gets no sure answer.
    """
    excess = scores[:, KINDS.index(None)] - scores[:, KINDS.index(Modality.XRAY)]
    give_way = np.zeros(len(KINDS))
    give_way[KINDS.index(None)] = max(0.0, np.quantile(excess, KEPT_XRAYS))
    return give_way


def _likeness(trained: FloatArray, chosen: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    """Whiten the leading directions so that 99 of 100 pictures not trained on are within 1."""
    mean = trained.mean(0)
    _, strengths, directions = np.linalg.svd(trained - mean, full_matrices=False)
    count = min(DIRECTIONS, len(strengths))
    deviations = strengths[:count] / np.sqrt(len(trained))
    whitening = directions[:count].T / np.maximum(deviations, 1e-6)
    usual = np.quantile(np.linalg.norm((chosen - mean) @ whitening, axis=1), 0.99)
    return mean, whitening / usual
