"""The model that answers and the one that listens in, held against the doctors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storage.agreement import Share
from storage.models import Alike

DRAWS = 5000


@dataclass(frozen=True, slots=True)
class Comparison:
    """How often each agreed with the doctors on the same cases.

    `difference` (shadow less active) stands between `low` and `high`, its 95 % interval by
    bootstrap: patients are drawn anew with all their cases, both models with the same patients.
    """

    active: Share
    shadow: Share
    only_active: int
    only_shadow: int
    difference: float
    low: float
    high: float


def compare(groups: Sequence[Alike]) -> Comparison | None:
    """Sum up what is known of the patients; None if there is none."""
    if not groups:
        return None
    patients = np.array([each.patients for each in groups])
    cases = np.array([each.cases for each in groups])
    gained = np.array([each.only_shadow - each.only_active for each in groups])
    total = int(patients @ cases)
    both, only_active, only_shadow = (
        sum(getattr(each, name) * each.patients for each in groups)
        for name in ("both", "only_active", "only_shadow")
    )
    # Patients of a group are alike, so that drawing them means drawing how many of each group.
    draws = np.random.default_rng(0).multinomial(
        patients.sum(), patients / patients.sum(), size=DRAWS
    )
    low, high = np.percentile((draws @ gained) / (draws @ cases), (2.5, 97.5))
    return Comparison(
        active=Share(both + only_active, total),
        shadow=Share(both + only_shadow, total),
        only_active=only_active,
        only_shadow=only_shadow,
        difference=(only_shadow - only_active) / total,
        low=float(low),
        high=float(high),
    )
