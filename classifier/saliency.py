"""Where the network looked: the class activation map, exact for pooling and one linear layer."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifier.labels import FloatArray, Label


@dataclass(frozen=True, slots=True)
class Head:
    """The last layer: `kernel` (channels, 3) and `bias` (3,)."""

    kernel: FloatArray
    bias: FloatArray

    @classmethod
    def load(cls, path: Path) -> "Head":
        """Read a head's .npz."""
        with np.load(path) as arrays:
            return cls(arrays["kernel"], arrays["bias"])

    def save(self, path: Path) -> None:
        """Write the head as .npz."""
        np.savez(path, kernel=self.kernel, bias=self.bias)


def class_maps(features: FloatArray, head: Head) -> FloatArray:
    """Split the logits over the places of the features.

    (h, w, channels) to (h, w, 3) in logit units: the sum over the places plus the bias is the
    logit. Source: Zhou et al. 2016, "Learning Deep Features for Discriminative Localization".
    """
    rows, columns = features.shape[:2]
    maps: FloatArray = features @ head.kernel / np.float32(rows * columns)
    return maps


def pneumonia_map(maps: FloatArray) -> FloatArray:
    """Say how much each place speaks for pneumonia rather than normal: (h, w) in logit units.

    The stronger of the two pneumonias stands for both.
    """
    labels = list(Label)
    pneumonia = maps[..., [labels.index(Label.BACTERIAL), labels.index(Label.VIRAL)]]
    stronger = pneumonia.sum((0, 1)).argmax()
    difference: FloatArray = pneumonia[..., stronger] - maps[..., labels.index(Label.NORMAL)]
    return difference
