import numpy as np
import pytest

from classifier.model import calibrated
from training.calibrate import SURE_ACCURACY, fit_temperature, sure_from


@pytest.mark.parametrize("sharpened", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_sharpening(sharpened: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (5000, 3))
    classes = np.array([rng.choice(3, p=p) for p in calibrated(logits, 1.0)])
    assert fit_temperature(logits * sharpened, classes) == pytest.approx(sharpened, rel=0.1)


def test_probabilities_sum_to_one_even_for_huge_logits() -> None:
    shares = calibrated(np.array([[1e4, 0, -1e4]], np.float32), 0.5)
    assert shares.tolist() == [[1, 0, 0]]


def test_sure_answers_keep_their_promise() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (2000, 3))
    shares = calibrated(logits, 1.0)
    classes = np.array([rng.choice(3, p=p) for p in shares])
    threshold = sure_from(shares, classes)
    sure = shares.max(1) >= threshold
    assert 0.5 < threshold < 1
    assert (shares[sure].argmax(1) == classes[sure]).mean() >= SURE_ACCURACY


def test_missed_pneumonia_raises_the_threshold() -> None:
    shares = np.array([[0.6, 0.2, 0.2]] * 5 + [[0.9, 0.05, 0.05]] * 95)
    classes = np.array([1] * 5 + [0] * 95)
    assert sure_from(shares, classes) > 0.6


def test_where_nothing_keeps_the_promise_nothing_is_sure() -> None:
    shares = np.array([[0.99, 0.005, 0.005]] * 20)
    assert sure_from(shares, np.array([0, 1] * 10)) == 1.0
