"""The rule by which a candidate may take a model's place: not worse beyond noise.

Candidate and base answer the same held-out pictures. The difference of their balanced accuracies
(mean over the classes of the share answered right) has a 95 % interval by paired bootstrap:
patients are drawn anew with all their pictures, both models with the same patients. The candidate
passes if on every set the lower end of that interval is at least `-MARGIN`: even the bad end of
what the pictures allow is a loss of three points at most. Few pictures make a wide interval, and
then it takes a clear gain to pass.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.dataset import MAY_BE, WRITTEN
from training.figures import Interval, Predictions

MARGIN = 0.03
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """Balanced accuracy of the candidate less that of the base, and its 95 % interval."""

    base: float
    candidate: float
    low: float
    high: float

    @property
    def gain(self) -> Interval:
        """Give the difference with its interval."""
        return self.candidate - self.base, self.low, self.high

    @property
    def is_not_worse(self) -> bool:
        """Whether the candidate passes."""
        return self.low >= -MARGIN

    def __str__(self) -> str:
        gain, low, high = self.gain
        return (
            f"balanced accuracy {self.base:.3f} -> {self.candidate:.3f}, difference "
            f"{gain:+.3f} ({low:+.3f} to {high:+.3f})"
        )


def difference(base: Predictions, candidate: Predictions) -> Difference:
    """Compare two models' answers to the same pictures, in the same order."""
    members = np.unique(base.patients, return_inverse=True)[1]
    patients = int(members.max()) + 1
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(patients, np.full(patients, 1 / patients), size=DRAWS)
    whole = np.ones((1, patients), int)
    shown, right_base = _by_patient(base, members)
    right_candidate = _by_patient(candidate, members)[1]
    gains = _balanced(drawn, right_candidate, shown) - _balanced(drawn, right_base, shown)
    low, high = np.percentile(gains, (2.5, 97.5))
    return Difference(
        float(_balanced(whole, right_base, shown)[0]),
        float(_balanced(whole, right_candidate, shown)[0]),
        float(low),
        float(high),
    )


def _by_patient(
    predictions: Predictions, members: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count each patient's pictures of each class, and those answered right."""
    shown = np.zeros((int(members.max()) + 1, len(WRITTEN)), int)
    right = shown.copy()
    guesses = predictions.probabilities.argmax(1)
    np.add.at(shown, (members, predictions.classes), 1)
    np.add.at(right, (members, predictions.classes), MAY_BE[predictions.classes, guesses])
    return shown, right


def _balanced(
    drawn: NDArray[np.int64], right: NDArray[np.int64], shown: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give the balanced accuracy of each draw; a class that was not drawn does not count."""
    counts = drawn @ shown
    shares = np.divide(drawn @ right, counts, where=counts > 0, out=np.full(counts.shape, np.nan))
    balanced: NDArray[np.float64] = np.nanmean(shares, axis=1)
    return balanced
