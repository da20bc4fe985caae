"""Make probabilities mean what they say: a temperature, and what may be told as sure.

A label is told as sure from the lowest confidence at which an exact bound still keeps its promise:
with 95 % certainty at most so many of the *patients* told it are something else. Of looking at many
thresholds: they are tried in a fixed order, from the strictest down, until one fails. Then no
correction is needed ("fixed sequence testing": Angelopoulos et al. 2021, "Learn then Test",
arXiv 2110.01052).
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betaincinv

from classifier.labels import FloatArray, Label
from classifier.model import calibrated, is_close, pneumonia_share
from training.acquisitions import gives_away
from training.arrays import Arrays
from training.dataset import MAY_BE, WRITTEN

CERTAINTY = 0.95
# Told to who is told no label: surely pneumonia, of whatever kind.
PNEUMONIA = "pneumonia"
# Of the patients told an answer as sure, at most this share is something else. Normal or pneumonia
# weighs most.
AT_MOST: dict[str, float] = {
    Label.NORMAL: 0.02,
    Label.BACTERIAL: 0.2,
    Label.VIRAL: 0.2,
    PNEUMONIA: 0.02,
}
# Of those told a kind whose picture does not give it away by how it was taken.
AT_MOST_UNAIDED = 1 / 3
# So many patients make the strictest threshold. Fewer could not prove 2 % of those told "normal"
# even with none wrong, of those told "pneumonia" (a wrong alarm weighs less) with one wrong; nor
# 20 % with five wrong, which is half of what is promised.
FIRST: dict[str, int] = {Label.NORMAL: 149, Label.BACTERIAL: 50, Label.VIRAL: 50, PNEUMONIA: 236}
# The network can be so sure that a share rounds to 1; above `MOST` it counts as that, so that a
# limit which all of those reach is not `NEVER`.
LEAST, MOST, NEVER = 0.5, 1 - 1e-6, 1.0
# In log odds. A picture that is enlarged and saved anew moves by up to 0.065 (95 % of those near
# the threshold): one that was just below may not cross it so.
ABOVE = 0.1
PARTS = 5
CAUSE_UNKNOWN = WRITTEN.index(None)

Classes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answered(Arrays):
    """What a network said of n pictures that it was not trained on.

    `logits` (n, 3), `classes` (n,) indices into `WRITTEN`, `patients` (n,).
    """

    logits: FloatArray
    classes: Classes
    patients: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a card decides by."""

    temperature: float
    sure_from: dict[Label, float]
    pneumonia_from: float = NEVER


@dataclass(frozen=True, slots=True)
class Measured(Arrays):
    """Answers as they read with limits that were fitted on none of the same patients.

    `probabilities` (n, 3), `sure` of a label (n,) bool, of `pneumonia` of whatever kind (n,) bool,
    never of both, and the `temperatures` (n,) that they were made with.
    """

    probabilities: FloatArray
    sure: NDArray[np.bool_]
    pneumonia: NDArray[np.bool_]
    temperatures: FloatArray


def fit_limits(answered: Answered) -> Limits:
    """Find temperature and thresholds, the thresholds after the temperature."""
    return limits_at(answered, fit_temperature(answered.logits, answered.classes))


def limits_at(answered: Answered, temperature: float) -> Limits:
    """Find the thresholds at a temperature: `ABOVE` the lowest that are proven."""
    shares = calibrated(answered.logits, temperature)
    limits = Limits(temperature, sure_from(shares, answered.classes, answered.patients, ABOVE))
    return replace(limits, pneumonia_from=pneumonia_from(answered, limits, ABOVE))


def fit_temperature(logits: FloatArray, classes: Classes) -> float:
    """Find the temperature with the least cross-entropy on pictures not trained on.

    `logits` (n, 3), `classes` (n,) indices into `WRITTEN`. Source: Guo et al. 2017, section 4.2.
    """
    possible = MAY_BE[classes]

    def loss(temperature: float) -> float:
        right = (calibrated(logits, temperature) * possible).sum(1)
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    return temperature_of_least(loss)


def temperature_of_least(loss: Callable[[float], float]) -> float:
    """Find the temperature, of 0.05 to 20, with the least of a loss."""
    least = minimize_scalar(lambda log: loss(float(np.exp(log))), bounds=(-3, 3), method="bounded")
    return float(np.exp(least.x))


def sure_from(
    probabilities: FloatArray, classes: Classes, patients: NDArray[np.str_], above: float = 0.0
) -> dict[Label, float]:
    """Find for each label the lowest top probability from which `AT_MOST` is proven.

    `probabilities` (n, 3), `classes` (n,) indices into `WRITTEN`; `above` as in `lowest_proven`; 1
    if nothing is proven. Pneumonia of unknown cause proves nothing about its kind and is left out
    there. Of a kind `AT_MOST_UNAIDED` is proven as well.
    """
    found = {}
    for index, label in enumerate(Label):
        mine = (probabilities.argmax(1) == index) & _tells(classes, label)
        confidence, whose = probabilities[mine, index], patients[mine]
        wrong = ~MAY_BE[classes[mine], index]
        found[label] = lowest_proven(
            *_by_patient(confidence, wrong, whose), FIRST[label], AT_MOST[label], above=above
        )
        if odds := unaided_odds(label, classes, patients):
            rows = ~gives_away(whose)
            unaided = _by_patient(confidence[rows], wrong[rows], whose[rows])
            least = lowest_proven(*unaided, FIRST[label], AT_MOST_UNAIDED, odds, above)
            strictest = unaided[0][FIRST[label] - 1] if least < NEVER else 0.0
            found[label] = max(found[label], least) if found[label] <= strictest else NEVER
    return found


def unaided_odds(label: Label, classes: Classes, patients: NDArray[np.str_]) -> float | None:
    """Tell how often one wrongly told a kind counts, pictures that give theirs away left out.

    So that either kind is as frequent as with them, the bacterial ones that stay stand for all: who
    is told "viral" wrongly counts that often, who is told "bacterial" rightly too. None where
    nothing is left out.
    """
    every, left = (
        len(np.unique(patients[(classes == WRITTEN.index(Label.BACTERIAL)) & rows]))
        for rows in (True, ~gives_away(patients))
    )
    if label is Label.NORMAL or every == left:
        return None
    if not left:
        return np.inf
    return every / left if label is Label.VIRAL else left / every


def pneumonia_from(answered: Answered, limits: Limits, above: float = 0.0) -> float:
    """Find the lowest share of both kinds from which `AT_MOST` is proven of who is told no label.

    The temperature and thresholds of `limits` say who that is; `above` as in `lowest_proven`; 1 if
    nothing is proven. Pneumonia of unknown cause is pneumonia.
    """
    shares = calibrated(answered.logits, limits.temperature)
    mine = _unnamed(shares, limits)
    wrong = _is_normal(answered.classes[mine])
    by_patient = _by_patient(pneumonia_share(shares[mine]), wrong, answered.patients[mine])
    return lowest_proven(*by_patient, FIRST[PNEUMONIA], AT_MOST[PNEUMONIA], above=above)


def upper_bound(wrong: int, count: int, odds: float = 1.0) -> float:
    """Bound the share that is wrong with 95 % certainty, on one side (Clopper and Pearson 1934).

    Each who is wrong counts `odds` times.
    """
    share = float(betaincinv(wrong + 1, count - wrong, CERTAINTY)) if wrong < count else 1.0
    return share / (share + (1 - share) / odds)


@dataclass(frozen=True, slots=True)
class Told:
    """Patients who are surely told an answer, those of them who have something else, and a bound.

    `wrong_at_most` bounds the share that is wrong with 95 % certainty.
    """

    patients: int
    wrong: int
    wrong_at_most: float


def told(answered: Answered, measured: Measured) -> dict[str, Told]:
    """Count for each label, and for `PNEUMONIA`, who is surely told it, and who of them wrongly.

    Pneumonia of unknown cause is left out where the kind is told.
    """
    rows = {PNEUMONIA: (measured.pneumonia, _is_normal(answered.classes))}
    for index, label in enumerate(Label):
        is_told = measured.sure & (measured.probabilities.argmax(1) == index)
        wrong = ~MAY_BE[answered.classes, index]
        rows[label] = is_told & _tells(answered.classes, label), wrong
    counts = {}
    for answer in (*Label, PNEUMONIA):
        mine, wrong = rows[answer]
        all_told, wrongly = (
            len(np.unique(answered.patients[each])) for each in (mine, mine & wrong)
        )
        counts[answer] = Told(all_told, wrongly, upper_bound(wrongly, all_told))
    return counts


def told_unaided(answered: Answered, measured: Measured) -> dict[str, Told]:
    """Count the same for the kinds without the pictures that give theirs away.

    The bound is at the ratio of kinds with them; no rows where there are none.
    """
    rows = ~gives_away(answered.patients)
    counts = told(answered.of(rows), measured.of(rows))
    return {
        label: _with_odds(counts[label], odds)
        for label in Label
        if (odds := unaided_odds(label, answered.classes, answered.patients))
    }


def is_sure(probabilities: FloatArray, limits: Limits) -> NDArray[np.bool_]:
    """Tell which of (n, 3) probabilities are enough to name a label as sure."""
    needed = np.array([limits.sure_from[label] for label in Label])[probabilities.argmax(1)]
    sure: NDArray[np.bool_] = (probabilities.max(1) >= needed) & (needed < NEVER)
    return sure


def _with_odds(found: Told, odds: float) -> Told:
    return replace(found, wrong_at_most=upper_bound(found.wrong, found.patients, odds))


def _unnamed(probabilities: FloatArray, limits: Limits) -> NDArray[np.bool_]:
    """Tell who is told no label in use: there two close ones are not told apart either."""
    return ~is_sure(probabilities, limits) | is_close(probabilities)


def _is_normal(classes: Classes) -> NDArray[np.bool_]:
    normal: NDArray[np.bool_] = classes == WRITTEN.index(Label.NORMAL)
    return normal


def measure_with(limits: Limits, answered: Answered) -> Measured:
    """Read answers with limits fitted elsewhere."""
    shares = calibrated(answered.logits, limits.temperature)
    unnamed = _unnamed(shares, limits)
    ill = (pneumonia_share(shares) >= limits.pneumonia_from) & (limits.pneumonia_from < NEVER)
    temperatures = np.full(len(shares), limits.temperature)
    return Measured(shares, ~unnamed, ill & unnamed, temperatures)


def calibrate(
    tuning: Answered, held_out: Answered, out_of_fold: Answered | None
) -> tuple[Limits, Measured, dict[str, Any]]:
    """Give the limits that ship, the held-out answers as read without them, and their proof.

    `out_of_fold` are answers of the same recipe's networks to patients who are not held out; with
    them the limits hang on no held-out patient at all.
    """
    if out_of_fold:
        limits = fit_limits(out_of_fold)
        return limits, measure_with(limits, held_out), proof(limits, out_of_fold)
    both = Answered.joined([tuning, held_out])
    limits = fit_limits(both)
    return limits, cross_fit(tuning, held_out), proof(limits, both)


def proof(limits: Limits, answered: Answered) -> dict[str, Any]:
    """Tell for a card which patients prove the promises: all, and those unaided."""
    measured = measure_with(limits, answered)
    rows = {"proof": told(answered, measured), "unaided": told_unaided(answered, measured)}
    return {
        name: {answer: asdict(each) for answer, each in counts.items()}
        for name, counts in rows.items()
    }


def cross_fit(tuning: Answered, held_out: Answered) -> Measured:
    """Read each fifth of the held-out patients with limits from the others and the tuning part.

    The limits that ship come from all of them, so that nothing could be measured with those.
    """
    parts, read = _parts(held_out), np.arange(0)
    measured = []
    for part in range(PARTS):
        others, mine = held_out.of(parts != part), held_out.of(parts == part)
        limits = fit_limits(Answered.joined([tuning, others]))
        measured.append(measure_with(limits, mine))
        read = np.concatenate([read, np.flatnonzero(parts == part)])
    return Measured.joined(measured).of(np.argsort(read))


def _parts(answered: Answered) -> Classes:
    """Deal the patients of each class out, in an order that only hangs on their names."""
    first_class = dict(zip(answered.patients.tolist(), answered.classes.tolist(), strict=True))
    ordered = sorted(first_class, key=lambda patient: (first_class[patient], _digest(patient)))
    part = {patient: place % PARTS for place, patient in enumerate(ordered)}
    return np.array([part[patient] for patient in answered.patients.tolist()])


def _digest(patient: str) -> bytes:
    return hashlib.sha256(patient.encode()).digest()


def _tells(classes: Classes, label: Label) -> NDArray[np.bool_]:
    """Leave out pneumonia of unknown cause where the kind is what is promised."""
    known: NDArray[np.bool_] = (classes != CAUSE_UNKNOWN) | (label is Label.NORMAL)
    return known


def _by_patient(
    confidence: FloatArray, wrong: NDArray[np.bool_], patients: NDArray[np.str_]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Give each patient's highest confidence, highest first, and whether any answer is wrong."""
    names, whose = np.unique(patients, return_inverse=True)
    highest = np.zeros(len(names), confidence.dtype)
    any_wrong = np.zeros(len(names), np.bool_)
    np.maximum.at(highest, whose, confidence)
    np.logical_or.at(any_wrong, whose, wrong)
    order = np.argsort(-highest, kind="stable")
    return highest[order], any_wrong[order]


def lowest_proven(
    confidence: FloatArray,
    wrong: NDArray[np.bool_],
    first: int,
    at_most: float,
    odds: float = 1.0,
    above: float = 0.0,
) -> float:
    """Go down from the strictest threshold, patient by patient, as long as the promise is kept.

    Gives the lowest that keeps it, raised by `above` in log odds, but not beyond the strictest: of
    what lies above that nothing was tried.
    """
    confidence, lowest = np.minimum(confidence, MOST), NEVER
    for count in range(first, len(confidence) + 1):
        here = float(confidence[count - 1])
        if here < LEAST or upper_bound(int(wrong[:count].sum()), count, odds) > at_most:
            break
        if count == len(confidence) or confidence[count] < here:
            lowest = here
    if lowest == NEVER:
        return NEVER
    raised = lowest / (1 - lowest) * np.exp(above)
    return min(float(raised / (1 + raised)), float(confidence[first - 1]))
