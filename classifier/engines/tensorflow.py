"""The Keras model on TensorFlow, on a GPU if there is one."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from classifier import resnet
from classifier.engines import Output
from classifier.labels import FloatArray


class TensorFlowEngine:
    """The network from its Keras weights, traced once for any batch."""

    def __init__(self, weights: Path) -> None:
        """Load the weights; a GPU's memory is taken as needed, not all at once."""
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        model = resnet.build()
        resnet.load_weights(model, weights)
        network = resnet.with_features(model)
        self._call = tf.function(
            lambda grey: network(grey, training=False),
            input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32)],
        )

    def run(self, inputs: FloatArray) -> Output:
        """Take (n, size, size, 1) float32 in [0, 1]."""
        outputs = self._call(tf.constant(inputs))
        return Output(np.asarray(outputs["logits"]), np.asarray(outputs["features"]))
