"""Is this a chest X-ray, a chest CT slice, or neither? And is it like what was trained on?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifier.labels import FloatArray, Modality
from classifier.reading.scan import Scan

# Film and screen photographs have a tint of up to about 0.06; coloured photographs start at 0.1.
COLOURED = 0.1
KINDS = (Modality.XRAY, Modality.CT, None)


@dataclass(frozen=True, slots=True)
class Gate:
    """Two looks at the pooled features of the X-ray network.

    `kernel` (channels, 3) and `bias` (3,) tell X-ray, CT and neither apart. `mean` (channels,) and
    `whitening` (channels, k) measure how far a picture is from the pictures trained on, scaled so
    that 99 of 100 of those are within 1.
    """

    kernel: FloatArray
    bias: FloatArray
    mean: FloatArray
    whitening: FloatArray

    @classmethod
    def load(cls, path: Path) -> "Gate":
        """Read a gate's .npz."""
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})

    def save(self, path: Path) -> None:
        """Write the gate as .npz."""
        names = ("kernel", "bias", "mean", "whitening")
        np.savez(path, **{name: getattr(self, name) for name in names})

    def kind_of(self, scan: Scan, features: FloatArray) -> Modality | None:
        """Tell what a scan shows: what its header says, else what it looks like; None is neither.

        `features` is (h, w, channels).
        """
        if scan.chroma > COLOURED:
            return None
        if scan.modality is not None:
            return scan.modality
        return KINDS[int((pooled(features) @ self.kernel + self.bias).argmax())]

    def distance(self, features: FloatArray) -> float:
        """Measure how unlike the training pictures (h, w, channels) is; above 1 is unusual.

        Mahalanobis distance over the leading directions (Lee et al. 2018, arXiv 1807.03888).
        """
        return float(np.linalg.norm((pooled(features) - self.mean) @ self.whitening))


def pooled(features: FloatArray) -> FloatArray:
    """Average over the places: (…, h, w, channels) to (…, channels)."""
    mean: FloatArray = features.mean((-3, -2))
    return mean
