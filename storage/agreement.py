"""Models held against the doctors' last word on the same cases."""

import math
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from storage.transaction import Row, Tx

# The latest reviewed cases, so that this is quick and about today.
REVIEWS = 1000
# Where the steps of the table of calibration begin.
STEPS = (0.0, 0.5, 0.7, 0.9)
_CLASSES = ("normal", "bacterial", "viral")
# The normal distribution's for 95 %.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    part: int
    whole: int

    def interval(self) -> tuple[float, float]:
        """Give the 95 % interval of the share behind it (Wilson 1927); (0, 1) for none of none."""
        if not self.whole:
            return 0.0, 1.0
        share, weight = self.part / self.whole, _Z**2 / self.whole
        middle = (share + weight / 2) / (1 + weight)
        reach = _Z / (1 + weight) * math.sqrt((share * (1 - share) + weight / 4) / self.whole)
        return max(0.0, middle - reach), min(1.0, middle + reach)


@dataclass(frozen=True, slots=True)
class Step:
    """Cases whose likeliest class was given a probability from `lowest` on, up to the next step.

    `expected` is the mean of these probabilities; `right` is how often a doctor said the same.
    """

    lowest: float
    expected: float
    right: Share


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """Where a model was sure, how often it agreed; how often it was not; its calibration."""

    model: str
    agreed: Share
    unsure: int
    steps: tuple[Step, ...]


def records(tx: Tx) -> tuple[ModelRecord, ...]:
    """Hold each model against the verdicts on its cases; what a model cannot say does not count.

    The model used last comes first.
    """
    # CROSS JOIN keeps the order of the loops: few reviews first, not all findings.
    rows = tx.rows(
        """SELECT r.verdict, f.model, f.label, f.is_pneumonia, f.normal, f.bacterial, f.viral
           FROM (SELECT case_id, verdict FROM reviews ORDER BY decided_at DESC LIMIT :limit) AS r
           CROSS JOIN findings AS f ON f.case_id = r.case_id
           WHERE r.verdict IN ('normal', 'bacterial', 'viral')
           ORDER BY f.made_at DESC""",
        limit=REVIEWS,
    )
    by_model: dict[str, list[Row]] = {}
    for row in rows:
        by_model.setdefault(row["model"], []).append(row)
    return tuple(_record(model, theirs) for model, theirs in by_model.items())


def _record(model: str, rows: Sequence[Row]) -> ModelRecord:
    sure = [row for row in rows if row["label"] or row["is_pneumonia"]]
    agreed = sum(_agrees(row) for row in sure)
    return ModelRecord(model, Share(agreed, len(sure)), len(rows) - len(sure), _steps(rows))


def _agrees(row: Row) -> bool:
    """Pneumonia of a kind that is not clear is either kind."""
    verdict: str = row["verdict"]
    return verdict != "normal" if row["is_pneumonia"] else verdict == row["label"]


def _steps(rows: Sequence[Row]) -> tuple[Step, ...]:
    inside: dict[float, list[tuple[float, bool]]] = {}
    for row in rows:
        likeliest = max(_CLASSES, key=lambda name: float(row[name]))
        probability, right = row[likeliest], likeliest == row["verdict"]
        inside.setdefault(STEPS[bisect(STEPS, probability) - 1], []).append((probability, right))
    return tuple(_step(lowest, judged) for lowest, judged in sorted(inside.items()))


def _step(lowest: float, judged: Sequence[tuple[float, bool]]) -> Step:
    expected = sum(probability for probability, _ in judged) / len(judged)
    return Step(lowest, expected, Share(sum(right for _, right in judged), len(judged)))
