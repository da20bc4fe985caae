from dataclasses import replace

import numpy as np
import pytest

from training.figures import Predictions
from training.not_worse import MARGIN, Difference, difference


def made_up(right: np.ndarray, patients: int | None = None) -> Predictions:
    """Answers of which the given ones are right, a third of the pictures for each class."""
    count = len(right)
    classes = np.arange(count) % 3
    guesses = np.where(right, classes, (classes + 1) % 3)
    names = (np.arange(count) % (patients or count)).astype(str)
    return Predictions(np.eye(3, dtype=np.float32)[guesses], classes, names)


def answers(count: int, wrong: int) -> Predictions:
    right = np.ones(count, bool)
    right[:wrong] = False
    return made_up(right)


def test_the_same_answers_differ_in_nothing_and_pass() -> None:
    base = answers(300, 60)
    found = difference(base, base)
    assert found.base == found.candidate == pytest.approx(0.8)
    assert found.low == found.high == 0
    assert found.is_not_worse


def test_a_clear_gain_passes_and_a_clear_loss_does_not() -> None:
    better, worse = answers(300, 30), answers(300, 60)
    gain, loss = difference(worse, better), difference(better, worse)
    assert gain.low > 0 and gain.is_not_worse
    assert loss.high < 0 and not loss.is_not_worse


def test_a_small_loss_passes_only_where_many_pictures_prove_it_small() -> None:
    """One point lost of 3,000 pictures is surely within the margin, of 300 it is not."""
    for count, passes in ((3000, True), (300, False)):
        base = np.ones(count, bool)
        candidate = base.copy()
        # One in ten changes: slightly more become wrong than right.
        base[: count * 9 // 200] = False
        candidate[-(count * 11 // 200) :] = False
        found = difference(made_up(base), made_up(candidate))
        assert found.candidate - found.base == pytest.approx(-0.01, abs=0.002)
        assert found.is_not_worse is passes


def test_the_bound_itself_passes() -> None:
    assert Difference(0.8, 0.8, low=-MARGIN, high=0.1).is_not_worse
    assert not Difference(0.8, 0.8, low=-MARGIN - 1e-6, high=0.1).is_not_worse


def test_the_same_pictures_of_fewer_patients_prove_less() -> None:
    right = np.arange(300) % 10 > 1
    base, candidate = made_up(right), made_up(np.roll(right, 2))
    wide = difference(made_up(right, 10), made_up(np.roll(right, 2), 10))
    narrow = difference(base, candidate)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_each_class_weighs_the_same_however_many_pictures_it_has() -> None:
    classes = np.array([0] * 90 + [1] * 6 + [2] * 6)
    shares = np.eye(3, dtype=np.float32)[classes]
    base = Predictions(shares, classes, np.arange(len(classes)).astype(str))
    wrong = classes.copy()
    wrong[classes == 1] = 2
    candidate = replace(base, probabilities=np.eye(3, dtype=np.float32)[wrong])
    assert difference(base, candidate).candidate == pytest.approx(2 / 3)


def test_pneumonia_of_unknown_cause_is_right_as_either() -> None:
    classes = np.array([0, 3, 3])
    shares = np.eye(3, dtype=np.float32)[[0, 1, 2]]
    given = Predictions(shares, classes, np.array(["a", "b", "c"]))
    assert difference(given, given).base == 1
