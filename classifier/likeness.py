"""Distance of a picture from a network's training pictures, measured on its features."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifier.labels import FloatArray


@dataclass(frozen=True, slots=True)
class Likeness:
    """`mean` (channels,) and `whitening` (channels, k) of pooled features.

    Scaled so that 99 of 100 pictures like those trained on are within 1.
    """

    mean: FloatArray
    whitening: FloatArray

    @classmethod
    def load(cls, path: Path) -> "Likeness":
        """Read a likeness' .npz."""
        with np.load(path) as arrays:
            return cls(arrays["mean"], arrays["whitening"])

    def save(self, path: Path) -> None:
        """Write the likeness as .npz."""
        np.savez(path, mean=self.mean, whitening=self.whitening)

    def distance(self, features: FloatArray) -> float:
        """Measure how unlike the training pictures (h, w, channels) is; above 1 is unusual.

        Mahalanobis distance over the leading directions (Lee et al. 2018, arXiv 1807.03888).
        """
        return float(np.linalg.norm((pooled(features) - self.mean) @ self.whitening))


def pooled(features: FloatArray) -> FloatArray:
    """Average over the places: (…, h, w, channels) to (…, channels)."""
    mean: FloatArray = features.mean((-3, -2))
    return mean
