"""Figures with intervals: accuracy, ranking, calibration; for three classes and for two."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from classifier.labels import FloatArray, Label
from training.acquisitions import gives_away
from training.arrays import Arrays
from training.calibrate import CAUSE_UNKNOWN, Answered, Classes, Measured, told
from training.dataset import Pictures
from training.stress import STRESSES, stressed

NORMAL, BACTERIAL, VIRAL = range(len(Label))
BINS = 15
STRESS_FIGURES = ("accuracy", "pneumonia_accuracy", "sensitivity", "specificity")

Interval = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Predictions(Arrays):
    """`probabilities` (n, 3), `classes` (n,) indices into `WRITTEN`, `patients` (n,)."""

    probabilities: FloatArray
    classes: Classes
    patients: NDArray[np.str_]


def figures(predictions: Predictions, resamples: int = 1000) -> dict[str, Interval]:
    """Measure everything: value, lower and upper end of the 95 % bootstrap interval.

    Of three classes also `ece_by_chance`, what `ece` would be for exact probabilities.
    """

    def values(rows: NDArray[np.int64]) -> dict[str, float]:
        return measure(predictions.classes[rows], predictions.probabilities[rows])

    found = intervals(predictions.patients, values, resamples)
    by_chance = {"ece_by_chance": ece_by_chance(predictions.probabilities, resamples)}
    return found | by_chance if "ece" in found else found


def intervals(
    patients: NDArray[np.str_],
    values: Callable[[NDArray[np.int64]], dict[str, float]],
    resamples: int = 1000,
) -> dict[str, Interval]:
    """Give what `values` measures on rows, each with its 95 % bootstrap interval.

    Patients are drawn, not pictures: those of one patient are not independent.
    """
    members: dict[str, list[int]] = {}
    for row, patient in enumerate(patients.tolist()):
        members.setdefault(patient, []).append(row)
    groups = [np.array(rows) for rows in members.values()]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(resamples):
        chosen = rng.integers(0, len(groups), len(groups))
        drawn.append(values(np.concatenate([groups[group] for group in chosen])))
    whole = values(np.arange(len(patients)))
    return {name: (value, *_ends([each[name] for each in drawn])) for name, value in whole.items()}


def sure_figures(answered: Answered, measured: Measured) -> dict[str, Any]:
    """Tell how many pictures get a sure answer, a label or pneumonia, and to whom each was told.

    `named` is the share of those that get a label.
    """
    any_sure = measured.sure | measured.pneumonia

    def share(rows: NDArray[np.int64]) -> dict[str, float]:
        return {"share": float(any_sure[rows].mean()), "named": float(measured.sure[rows].mean())}

    counts = told(answered, measured)
    return {
        **intervals(answered.patients, share),
        "told": {answer: asdict(each) for answer, each in counts.items()},
    }


def sure_by_source(
    sources: NDArray[np.str_], answered: Answered, measured: Measured
) -> dict[str, dict[str, Any]]:
    """Give `sure_figures` for each of the `sources` (n,), in their order."""
    return {
        source: sure_figures(answered.of(sources == source), measured.of(sources == source))
        for source in dict.fromkeys(sources.tolist())
    }


def _ends(drawn: Sequence[float]) -> tuple[float, float]:
    known = [value for value in drawn if not np.isnan(value)] or [np.nan]
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def expected_calibration_error(classes: Classes, probabilities: FloatArray) -> float:
    """Mean gap between confidence and accuracy over 15 equal bins (Guo et al. 2017)."""
    return _calibration_gap(probabilities.max(1), probabilities.argmax(1) == classes)


def ece_by_chance(probabilities: FloatArray, draws: int = 1000) -> Interval:
    """Give the calibration error that exact probabilities (n, 3) would show on n pictures.

    Their labels are drawn by the probabilities: mean, 2.5th and 97.5th percentile of the draws.
    """
    confidence = probabilities.max(1)
    rng = np.random.default_rng(0)
    drawn = [
        _calibration_gap(confidence, rng.random(len(confidence)) < confidence) for _ in range(draws)
    ]
    return float(np.mean(drawn)), *_ends(drawn)


def _calibration_gap(confidence: FloatArray, right: NDArray[np.bool_]) -> float:
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[bins == each].mean() - right[bins == each].mean()) * (bins == each).mean()
        for each in np.unique(bins)
    ]
    return float(sum(gaps))


def measure(classes: Classes, probabilities: FloatArray) -> dict[str, float]:
    """Measure everything once; pictures of unknown cause leave only the two-class figures."""
    two = _of_pneumonia(classes, probabilities)
    return two if (classes == CAUSE_UNKNOWN).any() else _of_three(classes, probabilities) | two


def _of_three(classes: Classes, probabilities: FloatArray) -> dict[str, float]:
    guesses = probabilities.argmax(1)
    one_hot = np.eye(len(Label))[classes]
    return {
        "accuracy": float((guesses == classes).mean()),
        "balanced_accuracy": float(
            np.nanmean([(guesses == each)[classes == each].mean() for each in np.unique(classes)])
        ),
        "macro_f1": _macro_f1(classes, guesses),
        "macro_auroc": _macro_auroc(one_hot, probabilities),
        "brier": float(((probabilities - one_hot) ** 2).sum(1).mean()),
        "ece": expected_calibration_error(classes, probabilities),
    }


def _of_pneumonia(classes: Classes, probabilities: FloatArray) -> dict[str, float]:
    score = 1 - probabilities[:, NORMAL]
    ill, called_ill = classes != NORMAL, score > 0.5
    return {
        "pneumonia_accuracy": float((ill == called_ill).mean()),
        "pneumonia_auroc": auroc(ill, score),
        "sensitivity": float(called_ill[ill].mean()) if ill.any() else np.nan,
        "specificity": float((~called_ill)[~ill].mean()) if not ill.all() else np.nan,
        "specificity_at_98": _specificity_at(0.98, ill, score),
    }


def _specificity_at(sensitivity: float, ill: NDArray[np.bool_], score: FloatArray) -> float:
    """Give the share of healthy below the score that so many of the ill reach."""
    if ill.all() or not ill.any():
        return float("nan")
    needed = np.sort(score[ill])[int((1 - sensitivity) * ill.sum())]
    return float((score[~ill] < needed).mean())


def _macro_f1(classes: Classes, guesses: NDArray[np.int64]) -> float:
    """Give the mean F1 of the labels there are; in a bootstrap scikit-learn's takes most time."""
    hits, shown, told = (
        np.bincount(each, minlength=len(Label))
        for each in (classes[classes == guesses], classes, guesses)
    )
    return float(np.mean((2 * hits / np.maximum(shown + told, 1))[shown + told > 0]))


def _macro_auroc(one_hot: NDArray[np.float64], probabilities: FloatArray) -> float:
    return float(np.mean([auroc(*pair) for pair in zip(one_hot.T, probabilities.T, strict=True)]))


def auroc(truth: NDArray[Any], scores: FloatArray) -> float:
    """Give the area under the ROC curve by ranks (Hanley and McNeil 1982).

    NaN where a class is missing: a small folder, or an unlucky resample.
    """
    ill = np.asarray(truth, bool)
    count, others = int(ill.sum()), int((~ill).sum())
    if not count or not others:
        return float("nan")
    above = rankdata(scores)[ill].sum() - count * (count + 1) / 2
    return float(above / (count * others))


def area(truth: NDArray[np.bool_], scores: FloatArray, patients: NDArray[np.str_]) -> Interval:
    """Give the area under the ROC curve, with its interval over patients."""

    def under(rows: NDArray[np.int64]) -> dict[str, float]:
        return {"auroc": auroc(truth[rows], scores[rows])}

    return intervals(patients, under)["auroc"]


def kinds_apart(predictions: Predictions) -> dict[str, Interval]:
    """Give the area for viral against bacterial, apart by whether the kind is given away."""
    shares, classes = predictions.probabilities, predictions.classes
    score = shares[:, VIRAL] / shares[:, [BACTERIAL, VIRAL]].sum(1)
    away, is_viral = gives_away(predictions.patients), classes == VIRAL
    found = {}
    for name, rows in (("given away", away), ("not given away", (classes == BACTERIAL) & ~away)):
        mine = is_viral | rows
        found[name] = area(is_viral[mine], score[mine], predictions.patients[mine])
    return found


def table(measured: dict[str, Interval]) -> str:
    """Write figures as a Markdown table."""
    rows = [
        f"| {name} | {value:.4f} | {low:.4f} – {high:.4f} |"
        for name, (value, low, high) in measured.items()
    ]
    return "\n".join(["| figure | value | 95 % interval |", "|---|---|---|", *rows])


def stress_figures(
    predict: Callable[[Pictures], FloatArray], pictures: Pictures
) -> dict[str, dict[str, float]]:
    """Measure under each stress; `predict` gives probabilities (n, 3)."""
    return {
        kind: measure(
            pictures.classes, predict(replace(pictures, pixels=stressed(pictures.pixels, kind)))
        )
        for kind in STRESSES
    }


def stress_table(clean: dict[str, Interval], stress: dict[str, dict[str, float]]) -> str:
    """Write what is right under each stress, next to the clean pictures, as a Markdown table."""
    names = [name for name in STRESS_FIGURES if name in clean]
    kinds = {"clean": {name: value for name, (value, *_) in clean.items()}, **stress}
    rows = [
        f"| {kind} | {' | '.join(f'{values[name]:.4f}' for name in names)} |"
        for kind, values in kinds.items()
    ]
    return "\n".join(
        [f"| pictures | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|", *rows]
    )
