"""Another last layer on a network that is loaded already."""

import numpy as np

from classifier.engines import Engine, Output
from classifier.labels import FloatArray
from classifier.saliency import Head


class HeadedEngine:
    """The features of one network, the logits of a head of their own."""

    def __init__(self, trunk: Engine, head: Head) -> None:
        """Use the features of `trunk`, whose own logits nobody sees."""
        self._trunk = trunk
        self._head = head

    def run(self, inputs: FloatArray) -> Output:
        """Take (n, size, size, 1) float32 in [0, 1]."""
        features = self._trunk.run(inputs).features
        logits = features.mean((1, 2)) @ self._head.kernel + self._head.bias
        return Output(np.asarray(logits, np.float32), features)
