from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from classifier.labels import FloatArray, Label
from training import plots
from training.calibrate import AT_MOST, Answered, Measured
from training.figures import Predictions

Drawn = Callable[[], Figure]


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Give the figure that was written, as it was when it was closed."""
    closed: list[Figure] = []
    monkeypatch.setattr(plots.pyplot, "close", closed.append)

    def figure() -> Figure:
        assert Image.open(tmp_path / "plot.png").width > 100
        return closed[0]

    return figure


def told(label: int, confidence: float) -> list[float]:
    """Probabilities of a picture that is told a label."""
    shares = [(1 - confidence) / 2] * 3
    shares[label] = confidence
    return shares


def made_up(shares: list[list[float]], classes: list[int]) -> Predictions:
    probabilities: FloatArray = np.array(shares, np.float32)
    return Predictions(probabilities, np.array(classes), np.arange(len(classes)).astype(str))


def test_the_confusion_is_counted_row_by_row_for_each_class(tmp_path: Path, drawn: Drawn) -> None:
    guesses = [0, 1, 1, 2, 2, 0]
    some = made_up([told(guess, 0.8) for guess in guesses], [0, 0, 1, 2, 2, 2])
    plots.draw_confusion(some, tmp_path / "plot.png")
    (axes,) = drawn().axes
    assert [text.get_text() for text in axes.texts] == ["1", "1", "0", "0", "1", "0", "1", "0", "2"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(Label)


def test_each_confidence_stands_over_how_often_it_is_right(tmp_path: Path, drawn: Drawn) -> None:
    shares = [told(0, 0.9)] * 4 + [told(1, 0.5)] * 2
    some = made_up(shares, [0, 0, 0, 1, 1, 2])
    before = made_up([told(0, 0.7)] * 6, [0] * 6).probabilities
    plots.draw_reliability(some, tmp_path / "plot.png", before)
    above, _ = drawn().axes
    _, first, shipped = above.lines
    np.testing.assert_allclose(shipped.get_xydata(), [[0.5, 0.5], [0.9, 0.75]], rtol=1e-6)
    np.testing.assert_allclose(first.get_xydata(), [[0.7, 0.5]], rtol=1e-6)


def test_what_is_sure_ends_where_the_dot_is(tmp_path: Path, drawn: Drawn) -> None:
    confidences = [0.9, 0.8, 0.7, 0.6]
    given = made_up([told(0, each) for each in confidences], [0, 1, 0, 0])
    answered = Answered(given.probabilities, given.classes, given.patients)
    sure, none = np.array([True, True, False, False]), np.zeros(4, bool)
    measured = Measured(given.probabilities, sure, none, np.ones(4, np.float32))
    plots.draw_sure(answered, measured, tmp_path / "plot.png")
    (axes,) = drawn().axes
    wrong, dot, promised = axes.lines[:3]
    np.testing.assert_allclose(wrong.get_ydata(), [0, 1 / 2, 1 / 3, 1 / 4])
    np.testing.assert_allclose(dot.get_xydata(), [[2 / 4, 1 / 2]])
    assert promised.get_ydata()[0] == AT_MOST[Label.NORMAL]
