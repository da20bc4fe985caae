"""The frozen start of the X-ray network, to compare its features with: ImageNet, stages 1 to 3."""

from pathlib import Path

import keras
import numpy as np

from classifier import resnet
from classifier.labels import FloatArray
from classifier.preprocess import to_unit
from training.ct.slices import AT_ONCE, Slices

# The last stage of which the file has weights.
LAST = f"layer3_{resnet.BLOCKS[2] - 1}_relu2"
EVERY = 40  # of these pictures one sets the statistics of the batch norms


def imagenet_features(slices: Slices, start: Path) -> FloatArray:
    """Give the pooled features (n, 256) of stage 3 (see `resnet.load_folded_start`)."""
    grey = slices.inputs[..., np.newaxis]
    network = resnet.build()
    resnet.load_folded_start(network, start, to_unit(grey[::EVERY]))
    pooled = keras.layers.GlobalAveragePooling2D()(network.get_layer(LAST).output)
    stages = keras.Model(network.input, pooled)
    parts = [grey[begin : begin + AT_ONCE] for begin in range(0, len(grey), AT_ONCE)]
    return np.concatenate([stages.predict_on_batch(to_unit(part)) for part in parts])
