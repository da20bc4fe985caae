"""The likeness of a network that was trained on a little: carried over, not fitted anew.

It reads the pooled features of its network, and fine-tuning moves those. Fitting it anew takes the
pictures that the base was trained on, and a clinic does not have them. So the new features are
mapped back to the old ones by ridge regression towards the identity: exactly where pictures are at
hand, and in directions that none of them shows nothing changes.
"""

from dataclasses import dataclass

import numpy as np

from classifier.engines import Engine
from classifier.labels import FloatArray
from classifier.likeness import Likeness
from classifier.reading.scan import evenly
from training.answering import run_engine
from training.dataset import Pictures, Split, load_pictures
from training.negatives import negatives

PICTURES = 300
NEGATIVES = 300
# So much of the features' mean variance holds the map to the identity.
RIDGE = 0.1


@dataclass(frozen=True, slots=True)
class CarriedLikeness:
    """The likeness of `base`, for a network fine-tuned from it."""

    likeness: Likeness
    base: Engine

    def __call__(self, engine: Engine, split: Split, tuning: Pictures, size: int) -> Likeness:
        """Read the old features out of what the network `engine` sees."""
        xrays = load_pictures(evenly(split.train, PICTURES), size).inputs()
        inputs = np.concatenate([xrays, negatives(NEGATIVES, size)[..., np.newaxis]])
        old, new = (run_engine(each, inputs).features for each in (self.base, engine))
        return carry(self.likeness, old, new, run_engine(engine, tuning.inputs()).features)


def carry(likeness: Likeness, old: FloatArray, new: FloatArray, chosen: FloatArray) -> Likeness:
    """Give the likeness for new features, given both features (n, channels) of the same pictures.

    `chosen` are new features of X-rays not trained on: 99 of 100 are within 1.
    """
    matrix, offset = _back(old.astype(np.float64), new.astype(np.float64))
    whitening = matrix @ likeness.whitening
    # It measures (f @ matrix + offset - mean) @ whitening: the same with a mean of f.
    moved = (likeness.mean - offset) @ likeness.whitening
    mean = np.linalg.lstsq(whitening.T, moved, rcond=None)[0]
    usual = np.quantile(np.linalg.norm((chosen - mean) @ whitening, axis=1), 0.99)
    whitening /= max(usual, 1e-6)
    return Likeness(mean.astype(np.float32), whitening.astype(np.float32))


def _back(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find `matrix` near the identity and `offset` so that new @ matrix + offset is about old."""
    channels, centre = new.shape[1], new.mean(0)
    centred, missing = new - centre, old - new
    hold = RIDGE * max(float(centred.var(0).mean()), 1e-12) * len(new)
    gram = centred.T @ centred + hold * np.eye(channels)
    change = np.linalg.solve(gram, centred.T @ (missing - missing.mean(0)))
    return np.eye(channels) + change, missing.mean(0) - centre @ change
