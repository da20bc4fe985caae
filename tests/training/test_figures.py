from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from classifier.labels import FloatArray
from training.calibrate import CAUSE_UNKNOWN
from training.dataset import Pictures
from training.figures import (
    Predictions,
    auroc,
    expected_calibration_error,
    figures,
    measure,
    stress_figures,
    stress_table,
    table,
)


def predictions(probabilities: FloatArray, classes: list[int], each: int = 1) -> Predictions:
    patients = (np.arange(len(classes)) // each).astype(str)
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


def test_exact_probabilities_show_the_error_of_chance_and_less_with_more_pictures() -> None:
    rng = np.random.default_rng(1)
    shares = rng.dirichlet((2, 1, 1), 4000).astype(np.float32)
    classes = (rng.random((4000, 1)) > shares.cumsum(1)).sum(1)
    of_few, of_all = (
        figures(predictions(shares[:n], classes[:n].tolist()), 99) for n in (400, 4000)
    )
    for measured in (of_few, of_all):
        _, low, high = measured["ece_by_chance"]
        assert low < measured["ece"][0] < high
    assert of_all["ece_by_chance"][0] < 0.5 * of_few["ece_by_chance"][0]


def test_overconfident_probabilities_show_more_error_than_chance(some: Predictions) -> None:
    sharp = some.probabilities**4 / (some.probabilities**4).sum(1, keepdims=True)
    measured = figures(replace(some, probabilities=sharp), 99)
    assert measured["ece"][0] > measured["ece_by_chance"][2]


@pytest.mark.parametrize("shown", [[0, 1, 2], [0, 2], [1]])
def test_macro_f1_is_scikit_learns(some: Predictions, shown: list[int]) -> None:
    few = some.of(np.isin(some.classes, shown))
    theirs = metrics.f1_score(few.classes, few.probabilities.argmax(1), average="macro")
    assert measure(few.classes, few.probabilities)["macro_f1"] == pytest.approx(theirs)


def test_an_interval_holds_its_value_and_is_the_same_on_every_run(some: Predictions) -> None:
    first, second = figures(some, 200), figures(some, 200)
    assert first == second
    for value, low, high in first.values():
        assert low <= value <= high or value < 0.2  # ECE of a resample is never smaller by chance


def test_pictures_of_one_patient_widen_the_interval(some: Predictions) -> None:
    copies = Predictions(
        np.repeat(some.probabilities, 4, axis=0),
        np.repeat(some.classes, 4),
        np.repeat(some.patients, 4),
    )
    as_if_apart = replace(copies, patients=np.arange(len(copies.classes)).astype(str))
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


def test_the_area_is_that_of_the_roc_curve_ties_and_all() -> None:
    rng = np.random.default_rng(0)
    truth, scores = rng.random(200) < 0.3, rng.integers(0, 20, 200) / 20
    assert auroc(truth, scores) == pytest.approx(metrics.roc_auc_score(truth, scores))


def test_the_table_names_each_figure(some: Predictions) -> None:
    rows = table(figures(some, 9)).splitlines()
    assert rows[2].startswith("| accuracy | 0.")


def test_pictures_of_unknown_cause_leave_the_figures_of_two_classes() -> None:
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2]], np.float32)
    measured = figures(predictions(shares, [0, CAUSE_UNKNOWN, CAUSE_UNKNOWN]), 9)
    assert measured["sensitivity"][0] == 0.5
    assert measured["pneumonia_auroc"][0] == 1
    assert "accuracy" not in measured


def test_specificity_is_told_where_98_of_100_ill_are_found() -> None:
    ill = np.linspace(0.5, 1, 100)
    healthy = np.linspace(0, 0.55, 100)
    score = np.concatenate([ill, healthy])
    shares = np.stack([1 - score, score / 2, score / 2], 1).astype(np.float32)
    measured = figures(predictions(shares, [CAUSE_UNKNOWN] * 100 + [0] * 100), 9)
    assert measured["specificity_at_98"][0] == pytest.approx(0.92, abs=0.01)


def test_stress_is_told_next_to_the_clean_pictures(some: Predictions) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (9, 32, 32), np.uint8)
    names = np.array(["here"] * 9)
    pictures = Pictures(pixels, np.arange(9) % 3, names, names)

    def by_brightness(pictures: Pictures) -> FloatArray:
        light = pictures.inputs().mean((1, 2))
        return np.concatenate([1 - light, light / 2, light / 2], 1)

    stress = stress_figures(by_brightness, pictures)
    assert stress["dark"]["specificity"] == 1
    assert stress["bright"]["specificity"] == 0
    rows = stress_table(figures(some, 9), stress).splitlines()
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| clean", *(f"| {k}" for k in stress)]
