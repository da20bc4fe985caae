from pathlib import Path

import numpy as np
import pytest

from classifier.labels import FloatArray
from training.evaluate import (
    Predictions,
    draw_confusion,
    draw_reliability,
    expected_calibration_error,
    figures,
    table,
)


def predictions(probabilities: FloatArray, classes: list[int], each: int = 1) -> Predictions:
    patients = tuple(str(index // each) for index in range(len(classes)))
    return Predictions(probabilities, np.array(classes), patients)


@pytest.fixture
def some() -> Predictions:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 300)
    scores = rng.normal(size=(300, 3)) + 2 * np.eye(3)[classes]
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return predictions(shares.astype(np.float32), classes.tolist(), each=3)


def test_a_perfect_model_scores_one() -> None:
    measured = figures(predictions(np.eye(3, dtype=np.float32), [0, 1, 2]), 9)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "specificity"):
        assert measured[name][0] == 1
    assert measured["brier"][0] == measured["ece"][0] == 0


def test_the_figures_of_a_small_table_are_those_by_hand() -> None:
    shares = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3]])
    measured = figures(predictions(shares.astype(np.float32), [0, 1, 2, 2]), 9)
    assert measured["accuracy"][0] == 0.5
    assert measured["balanced_accuracy"][0] == pytest.approx((1 + 0 + 0.5) / 3)
    assert measured["sensitivity"][0] == pytest.approx(2 / 3)
    assert measured["specificity"][0] == 1
    assert measured["pneumonia_auroc"][0] == 1
    assert measured["brier"][0] == pytest.approx((0.06 + 0.86 + 0.14 + 0.78) / 4)


def test_an_interval_holds_its_value_and_is_the_same_on_every_run(some: Predictions) -> None:
    first, second = figures(some, 200), figures(some, 200)
    assert first == second
    for value, low, high in first.values():
        assert low <= value <= high or value < 0.2  # ECE of a resample is never smaller by chance


def test_pictures_of_one_patient_widen_the_interval(some: Predictions) -> None:
    copies = Predictions(
        np.repeat(some.probabilities, 4, axis=0),
        np.repeat(some.classes, 4),
        tuple(np.repeat(some.patients, 4)),
    )
    as_if_apart = Predictions(
        copies.probabilities, copies.classes, tuple(str(i) for i in range(len(copies.classes)))
    )
    widths = [
        high - low
        for _, low, high in (figures(each, 200)["accuracy"] for each in (copies, as_if_apart))
    ]
    assert widths[0] > 1.5 * widths[1]


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    shares = np.tile(np.array([0.9, 0.1, 0.0], np.float32), (10, 1))
    classes = np.array([0] * 6 + [1] * 4)
    assert expected_calibration_error(classes, shares) == pytest.approx(0.3, abs=1e-6)


def test_a_folder_without_one_class_still_has_figures() -> None:
    measured = figures(predictions(np.eye(3, dtype=np.float32)[[0, 1]], [0, 1]), 9)
    assert measured["accuracy"][0] == 1
    assert np.isnan(measured["macro_auroc"][0])


def test_the_plots_are_written(some: Predictions, tmp_path: Path) -> None:
    draw_confusion(some, tmp_path / "confusion.png")
    draw_reliability(some, tmp_path / "reliability.png")
    assert all(
        (tmp_path / f"{name}.png").stat().st_size > 3000 for name in ("confusion", "reliability")
    )


def test_the_table_names_each_figure(some: Predictions) -> None:
    rows = table(figures(some, 9)).splitlines()
    assert rows[2].startswith("| accuracy | 0.")
