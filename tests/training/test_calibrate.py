from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from classifier.labels import FloatArray, Label
from classifier.model import calibrated
from training import calibrate
from training.calibrate import (
    ABOVE,
    AT_MOST,
    AT_MOST_UNAIDED,
    CAUSE_UNKNOWN,
    FIRST,
    MOST,
    NEVER,
    PNEUMONIA,
    Answered,
    Classes,
    Limits,
    Told,
    cross_fit,
    fit_limits,
    fit_temperature,
    limits_at,
    measure_with,
    pneumonia_from,
    sure_from,
    told,
    told_unaided,
    upper_bound,
)
from training.dataset import LABELS


def drawn(rng: np.random.Generator, count: int = 5000) -> tuple[FloatArray, Classes]:
    """Probabilities that mean what they say, and classes drawn by them."""
    shares = calibrated(rng.normal(0, 6, (count, 3)), 1.0)
    points = rng.random((count, 1))
    return shares, (points > shares.cumsum(1)).sum(1)


def alone(count: int) -> np.ndarray:
    """Patients with one picture each."""
    return np.array([str(number) for number in range(count)])


def certain(of: Label, count: int) -> FloatArray:
    shares = np.full((count, 3), 0.005)
    shares[:, tuple(Label).index(of)] = np.linspace(0.99, 0.98, count)
    return shares


@pytest.mark.parametrize("sharpened", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_sharpening(sharpened: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (5000, 3))
    classes = np.array([rng.choice(3, p=p) for p in calibrated(logits, 1.0)])
    assert fit_temperature(logits * sharpened, classes) == pytest.approx(sharpened, rel=0.1)


def test_probabilities_sum_to_one_even_for_huge_logits() -> None:
    shares = calibrated(np.array([[1e4, 0, -1e4]], np.float32), 0.5)
    assert shares.tolist() == [[1, 0, 0]]


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    assert upper_bound(0, 149) == pytest.approx(1 - 0.05 ** (1 / 149))
    assert upper_bound(5, 50) == pytest.approx(0.1991, abs=1e-3)
    assert upper_bound(0, 0) == upper_bound(3, 3) == 1


def test_a_promise_is_broken_for_new_patients_in_one_of_twenty_tries_at_most() -> None:
    rng = np.random.default_rng(0)
    shares, classes = drawn(rng, 200_000)
    broken = dict.fromkeys(Label, 0)
    for _ in range(100):
        rows = rng.integers(0, len(shares), 1000)
        for index, (label, threshold) in enumerate(
            sure_from(shares[rows], classes[rows], alone(1000)).items()
        ):
            sure = (shares.argmax(1) == index) & (shares[:, index] >= threshold)
            wrong = (classes[sure] != index).mean() if sure.any() else 0
            broken[label] += wrong > AT_MOST[label]
    # 5 of 100 are promised; chance may add a few.
    assert all(count <= 10 for count in broken.values()), broken
    assert sum(broken.values()) > 0


def test_normal_is_harder_to_say_than_pneumonia() -> None:
    shares, classes = drawn(np.random.default_rng(1))
    thresholds = sure_from(shares, classes, alone(5000))
    assert 1 > thresholds[Label.NORMAL] > max(thresholds[Label.BACTERIAL], thresholds[Label.VIRAL])


def test_a_missed_pneumonia_ends_what_may_be_told_as_normal() -> None:
    shares, classes = certain(Label.NORMAL, 200), np.zeros(200, int)
    assert sure_from(shares, classes, alone(200))[Label.NORMAL] == shares[-1, 0]
    classes[180] = 1
    assert sure_from(shares, classes, alone(200))[Label.NORMAL] == shares[179, 0]


@pytest.mark.parametrize("label", Label)
def test_too_few_patients_prove_nothing(label: Label) -> None:
    count = FIRST[label]
    shares, classes = certain(label, count), np.full(count, tuple(Label).index(label))
    assert sure_from(shares, classes, alone(count))[label] < NEVER
    assert sure_from(shares[1:], classes[1:], alone(count - 1))[label] == NEVER


def test_many_pictures_of_one_patient_are_one_proof() -> None:
    shares, classes = certain(Label.NORMAL, 300), np.zeros(300, int)
    twice = np.array([str(number // 3) for number in range(300)])
    assert sure_from(shares, classes, twice)[Label.NORMAL] == NEVER


def test_one_wrong_answer_makes_a_patient_wrongly_told() -> None:
    shares, classes = certain(Label.NORMAL, 300), np.zeros(300, int)
    classes[299] = 1
    patients = np.where(np.arange(300) == 299, "0", alone(300))
    assert sure_from(shares, classes, patients)[Label.NORMAL] == NEVER


def test_pneumonia_of_unknown_cause_proves_no_kind_but_breaks_normal() -> None:
    unknown = np.full(300, CAUSE_UNKNOWN)
    assert sure_from(certain(Label.VIRAL, 300), unknown, alone(300))[Label.VIRAL] == NEVER
    assert sure_from(certain(Label.NORMAL, 300), unknown, alone(300))[Label.NORMAL] == NEVER


def told_a_kind(kind: Label, right: int, wrong: int, early: int = 0, missed: int = 0) -> Answered:
    """Patients told a kind, those wrongly told evenly among the others.

    The `early` bacterial ones are told the kind if it is theirs, else normal, as are `missed` ones.
    """
    index = tuple(Label).index(kind)
    order = np.argsort(np.concatenate([np.linspace(0, 1, each) for each in (right, wrong)]))
    classes = np.repeat([index, 3 - index], [right, wrong])[order]
    numbered = [f"{LABELS[each]}/{number}" for number, each in enumerate(classes, 2000)]
    told_early = kind if kind is Label.BACTERIAL else Label.NORMAL
    bacterial = [f"bacterial/{number}" for number in [*range(early), *range(9000, 9000 + missed)]]
    told_as = [(told_early, early), (Label.NORMAL, missed), (kind, right + wrong)]
    return Answered(
        np.log(np.concatenate([certain(*each) for each in told_as])),
        np.append(np.full(early + missed, 1), classes),
        np.array(bacterial + numbered),
    )


def fitted(answered: Answered) -> dict[Label, float]:
    return sure_from(calibrated(answered.logits, 1.0), answered.classes, answered.patients)


def test_a_kind_that_only_the_acquisition_tells_is_never_sure() -> None:
    given_away = told_a_kind(Label.BACTERIAL, 50, 60, early=900, missed=350)
    assert fitted(given_away)[Label.BACTERIAL] == NEVER
    named_otherwise = replace(given_away, patients=alone(len(given_away.classes)))
    assert fitted(named_otherwise)[Label.BACTERIAL] < NEVER


def test_bacterial_ones_that_stay_stand_for_those_left_out() -> None:
    # Of those that stay half are wrong, but each right one counts ten times.
    half_wrong = told_a_kind(Label.BACTERIAL, 100, 100, early=900)
    assert fitted(half_wrong)[Label.BACTERIAL] < NEVER
    limits = Limits(1.0, dict.fromkeys(Label, 0.9))
    found = told_unaided(half_wrong, measure_with(limits, half_wrong))[Label.BACTERIAL]
    assert (found.patients, found.wrong) == (200, 100)
    assert found.wrong_at_most == pytest.approx(upper_bound(100, 200, odds=1 / 10))
    assert found.wrong_at_most < AT_MOST_UNAIDED


def test_bacterial_ones_told_viral_count_for_those_left_out_too() -> None:
    assert fitted(told_a_kind(Label.VIRAL, 300, 15))[Label.VIRAL] < NEVER
    # Each of the fifteen now counts twenty times.
    assert fitted(told_a_kind(Label.VIRAL, 300, 15, early=285))[Label.VIRAL] == NEVER


def test_without_others_of_the_kind_nothing_unaided_is_proven() -> None:
    assert fitted(told_a_kind(Label.BACTERIAL, 0, 0, early=300))[Label.BACTERIAL] == NEVER


def test_where_nothing_is_given_away_there_is_nothing_unaided_to_tell() -> None:
    answered = ill(200)
    assert told_unaided(answered, measure_with(NO_LABEL, answered)) == {}


NO_LABEL = Limits(1.0, dict.fromkeys(Label, NEVER))


def ill(count: int) -> Answered:
    """Patients of either kind with two kinds that are close, less and less surely ill."""
    normal = np.linspace(0.02, 0.2, count)
    shares = np.stack([normal, (1 - normal) / 2, (1 - normal) / 2], 1)
    return Answered(np.log(shares), np.arange(count) % 2 + 1, alone(count))


def test_the_second_who_is_healthy_ends_what_may_be_told_as_pneumonia() -> None:
    answered = ill(300)
    assert pneumonia_from(answered, NO_LABEL) == pytest.approx(0.8)
    answered.classes[[180, 250]] = 0
    limit = pneumonia_from(answered, NO_LABEL)
    assert limit == pytest.approx(1 - np.linspace(0.02, 0.2, 300)[249])
    counts = told(answered, measure_with(replace(NO_LABEL, pneumonia_from=limit), answered))
    assert (counts[PNEUMONIA].patients, counts[PNEUMONIA].wrong) == (250, 1)


def test_a_healthy_patient_told_pneumonia_is_wrongly_told() -> None:
    answered = ill(200)
    answered.classes[:3] = 0
    counts = told(answered, measure_with(replace(NO_LABEL, pneumonia_from=0.5), answered))
    bound = upper_bound(3, 200)
    assert counts[PNEUMONIA] == Told(patients=200, wrong=3, wrong_at_most=bound)


def test_pneumonia_of_unknown_cause_proves_that_it_is_pneumonia() -> None:
    unknown = replace(ill(300), classes=np.full(300, CAUSE_UNKNOWN))
    limit = pneumonia_from(unknown, NO_LABEL)
    assert limit == pneumonia_from(ill(300), NO_LABEL) < NEVER
    counts = told(unknown, measure_with(replace(NO_LABEL, pneumonia_from=limit), unknown))
    assert (counts[PNEUMONIA].patients, counts[PNEUMONIA].wrong) == (300, 0)


def test_too_few_patients_prove_no_pneumonia() -> None:
    assert pneumonia_from(ill(FIRST[PNEUMONIA]), NO_LABEL) < NEVER
    assert pneumonia_from(ill(FIRST[PNEUMONIA] - 1), NO_LABEL) == NEVER


def test_who_is_told_a_kind_neither_proves_nor_is_told_pneumonia() -> None:
    shares = certain(Label.BACTERIAL, 300)
    answered = Answered(np.log(shares), np.ones(300, int), alone(300))
    sure = Limits(1.0, dict.fromkeys(Label, 0.9))
    assert pneumonia_from(answered, NO_LABEL) < pneumonia_from(answered, sure) == NEVER
    assert not measure_with(replace(sure, pneumonia_from=0.5), answered).pneumonia.any()


def test_two_close_kinds_are_told_as_pneumonia_however_low_the_limit_of_a_kind() -> None:
    low = Limits(1.0, dict.fromkeys(Label, 0.4))
    limit = pneumonia_from(ill(300), low)
    assert limit == pytest.approx(0.8)
    measured = measure_with(replace(low, pneumonia_from=limit), ill(300))
    assert measured.pneumonia.all() and not measured.sure.any()
    assert told(ill(300), measured)[Label.BACTERIAL].patients == 0


def test_a_limit_that_proves_nothing_tells_nobody() -> None:
    answered = Answered(np.array([[-99.0, 0, 0]]), np.array([1]), alone(1))
    assert not measure_with(NO_LABEL, answered).pneumonia.any()


def log_odds(share: float) -> float:
    return float(np.log(share / (1 - share)))


def test_a_picture_just_below_what_is_proven_cannot_cross_the_limit_when_saved_anew() -> None:
    shares, classes = drawn(np.random.default_rng(2))
    answered = Answered(np.log(shares), classes, alone(len(shares)))
    for label, limit in limits_at(answered, 1.0).sure_from.items():
        proven = sure_from(shares, classes, answered.patients)[label]
        assert log_odds(limit) - log_odds(proven) == pytest.approx(ABOVE)


def test_the_limit_for_pneumonia_lies_as_far_above() -> None:
    limits = limits_at(ill(300), 1.0)
    proven = pneumonia_from(ill(300), limits)
    assert log_odds(limits.pneumonia_from) - log_odds(proven) == pytest.approx(ABOVE)


def test_what_is_never_told_has_no_limit_above_that() -> None:
    assert limits_at(ill(10), 1.0).sure_from[Label.NORMAL] == NEVER


def test_no_limit_lies_where_nothing_was_tried() -> None:
    """All are within a tenth in log odds: raised by that much, the limit would lie above all."""
    shares = np.full((160, 3), 0.0)
    shares[:, 0] = np.linspace(0.972, 0.970, 160)
    shares[:, 1:] = (1 - shares[:, :1]) / 2
    narrow = Answered(np.log(shares), np.zeros(160, int), alone(160))
    limits = limits_at(narrow, 1.0)
    assert limits.sure_from[Label.NORMAL] == pytest.approx(shares[FIRST[Label.NORMAL] - 1, 0])
    proven = told(narrow, measure_with(limits, narrow))[Label.NORMAL]
    assert proven.patients >= FIRST[Label.NORMAL] and proven.wrong_at_most <= AT_MOST[Label.NORMAL]
    alike = replace(ill(240), logits=np.repeat(ill(240).logits[:1], 240, 0))
    assert limits_at(alike, 1.0).pneumonia_from == pneumonia_from(alike, NO_LABEL) < NEVER


@pytest.mark.parametrize("label", Label)
def test_answers_that_round_to_1_can_be_told_as_sure(label: Label) -> None:
    index = tuple(Label).index(label)
    logits = np.repeat(100 * np.eye(3)[[index]], 900, 0)
    answered = Answered(logits, np.full(900, index), alone(900))
    limits = fit_limits(answered)
    assert limits.sure_from[label] == MOST < NEVER
    assert measure_with(limits, answered).sure.all()


def test_the_limits_and_their_cross_fit_tell_pneumonia_too() -> None:
    tuning, held_out = ill(400), replace(ill(300), patients=np.char.add("held ", alone(300)))
    assert fit_limits(tuning).pneumonia_from < NEVER
    measured = cross_fit(tuning, held_out)
    assert measured.pneumonia.any()
    assert told(held_out, measured)[PNEUMONIA].patients == measured.pneumonia.sum()


def some(count: int, seed: int) -> Answered:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, count)
    logits = rng.normal(size=(count, 3)) + 3 * np.eye(3)[classes]
    return Answered(logits, classes, np.array([f"{seed}/{row // 2}" for row in range(count)]))


def test_no_held_out_patient_is_read_with_limits_fitted_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted_on: list[set[str]] = []

    def fit(answered: Answered) -> Limits:
        fitted_on.append(set(answered.patients.tolist()))
        return Limits(float(len(fitted_on)), dict.fromkeys(Label, 0.5))

    monkeypatch.setattr(calibrate, "fit_limits", fit)
    tuning, held_out = some(100, seed=0), some(200, seed=1)
    measured = cross_fit(tuning, held_out)
    assert all(first != second for first, second in pairwise(fitted_on))
    for temperature, patient in zip(measured.temperatures, held_out.patients, strict=True):
        assert patient not in fitted_on[int(temperature) - 1]
    expected = calibrated(held_out.logits / measured.temperatures[:, None], 1.0)
    np.testing.assert_allclose(measured.probabilities, expected)


def test_limits_from_answers_out_of_fold_hang_on_no_held_out_patient() -> None:
    tuning, held_out, others = (some(600, seed) for seed in range(3))
    limits, measured, proof = calibrate.calibrate(tuning, held_out, others)
    assert limits == fit_limits(others)
    np.testing.assert_array_equal(measured.sure, measure_with(limits, held_out).sure)
    assert proof == calibrate.proof(limits, others)


def test_who_is_told_what_is_counted_by_patient() -> None:
    answered = Answered(
        logits=np.log([[0.9, 0.05, 0.05]] * 3 + [[0.05, 0.9, 0.05]] * 2),
        classes=np.array([0, 0, 1, 1, CAUSE_UNKNOWN]),
        patients=np.array(["a", "a", "b", "c", "d"]),
    )
    limits = Limits(1.0, dict.fromkeys(Label, 0.8))
    counts = told(answered, measure_with(limits, answered))
    assert (counts[Label.NORMAL].patients, counts[Label.NORMAL].wrong) == (2, 1)
    assert (counts[Label.BACTERIAL].patients, counts[Label.BACTERIAL].wrong) == (1, 0)
    assert counts[Label.VIRAL].wrong_at_most == 1
