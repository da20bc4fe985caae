"""The gate of a network that was trained on a little: carried over, not fitted anew.

A gate reads the pooled features of its network, and fine-tuning moves those. Fitting one anew takes
CT slices, which nobody has who corrects X-rays. So the new features are mapped back to the old ones
by ridge regression towards the identity: exactly where pictures are at hand, and in directions that
none of them shows nothing changes.
"""

from dataclasses import dataclass

import numpy as np

from classifier.engines import Engine
from classifier.gate import Gate
from classifier.labels import FloatArray
from training.dataset import Pictures, Split, load_pictures
from training.evaluate import run_engine
from training.negatives import negatives

PICTURES = 300
NEGATIVES = 300
# So much of the features' mean variance holds the map to the identity.
RIDGE = 0.1


@dataclass(frozen=True, slots=True)
class CarriedGate:
    """The gate of `base`, for a network fine-tuned from it."""

    gate: Gate
    base: Engine

    def make(self, engine: Engine, split: Split, tuning: Pictures, size: int) -> Gate:
        """Read the old features out of what the network `engine` sees."""
        step = max(1, len(split.train) // PICTURES)
        xrays = load_pictures(split.train[::step], size).inputs()
        inputs = np.concatenate([xrays, negatives(NEGATIVES, size)[..., np.newaxis]])
        old, new = (run_engine(each, inputs).features for each in (self.base, engine))
        return carry(self.gate, old, new, run_engine(engine, tuning.inputs()).features)


def carry(gate: Gate, old: FloatArray, new: FloatArray, chosen: FloatArray) -> Gate:
    """Give the gate for new features, given both features (n, channels) of the same pictures.

    `chosen` are new features of X-rays not trained on: 99 of 100 are within 1 of likeness.
    """
    matrix, offset = _back(old.astype(np.float64), new.astype(np.float64))
    whitening = matrix @ gate.whitening
    # The likeness measures (f @ matrix + offset - mean) @ whitening: the same with a mean of f.
    mean = np.linalg.lstsq(whitening.T, (gate.mean - offset) @ gate.whitening, rcond=None)[0]
    usual = np.quantile(np.linalg.norm((chosen - mean) @ whitening, axis=1), 0.99)
    arrays = (
        matrix @ gate.kernel,
        offset @ gate.kernel + gate.bias,
        mean,
        whitening / max(usual, 1e-6),
    )
    return Gate(*(array.astype(np.float32) for array in arrays))


def _back(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find `matrix` near the identity and `offset` so that new @ matrix + offset is about old."""
    channels, centre = new.shape[1], new.mean(0)
    centred, missing = new - centre, old - new
    hold = RIDGE * max(float(centred.var(0).mean()), 1e-12) * len(new)
    gram = centred.T @ centred + hold * np.eye(channels)
    change = np.linalg.solve(gram, centred.T @ (missing - missing.mean(0)))
    return np.eye(channels) + change, missing.mean(0) - centre @ change
