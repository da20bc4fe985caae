import numpy as np
import pytest

from classifier.labels import Label
from classifier.model import calibrated
from training.calibrate import PROMISED, fit_temperature, sure_from


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
    shares = calibrated(rng.normal(0, 2, (5000, 3)), 1.0)
    classes = np.array([rng.choice(3, p=p) for p in shares])
    thresholds = sure_from(shares, classes)
    for index, label in enumerate(Label):
        sure = (shares.argmax(1) == index) & (shares[:, index] >= thresholds[label])
        assert 0.5 < thresholds[label] < 1
        assert (classes[sure] == index).mean() >= PROMISED[label]


def test_normal_is_harder_to_say_than_pneumonia() -> None:
    rng = np.random.default_rng(1)
    shares = calibrated(rng.normal(0, 2, (5000, 3)), 1.0)
    classes = np.array([rng.choice(3, p=p) for p in shares])
    thresholds = sure_from(shares, classes)
    assert thresholds[Label.NORMAL] > max(thresholds[Label.BACTERIAL], thresholds[Label.VIRAL])


def test_missed_pneumonia_raises_the_threshold() -> None:
    shares = np.array([[0.6, 0.2, 0.2]] * 5 + [[0.9, 0.05, 0.05]] * 195)
    assert sure_from(shares, np.array([1] * 5 + [0] * 195))[Label.NORMAL] == 0.61


def test_where_nothing_keeps_the_promise_nothing_is_sure() -> None:
    shares = np.array([[0.99, 0.005, 0.005]] * 20)
    assert sure_from(shares, np.array([0, 1] * 10)) == dict.fromkeys(Label, 1.0)
