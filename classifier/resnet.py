"""ResNet-34 in Keras 3, laid out so that PyTorch weights fit.

The network takes (n, rows, columns, 1) grey in [0, 1] of any size and gives three logits; the
grey is repeated to the three channels of ImageNet weights and normalised inside.
Source: He et al. 2016, "Deep Residual Learning for Image Recognition", table 1, 34 layers.
"""

from collections.abc import Collection
from pathlib import Path

import keras
import numpy as np
from keras import layers

from classifier.labels import FloatArray, Label

BLOCKS = (3, 4, 6, 3)
WIDTHS = (64, 128, 256, 512)
DROPOUT = 0.3
BATCH_NORM_EPSILON = 1e-5
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def build(dropout: float = DROPOUT) -> keras.Model:
    """Build the network: (n, rows, columns, 1) float32 in [0, 1] to (n, 3) logits."""
    grey = keras.Input((None, None, 1), name="grey")
    x = layers.Concatenate(name="rgb")([grey, grey, grey])
    x = layers.Rescaling(
        [1 / std for std in IMAGENET_STD],
        [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)],
        name="imagenet",
    )(x)
    x = _conv_norm(x, 64, 7, 2, "conv1", "bn1")
    x = layers.ReLU(name="relu")(x)
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="maxpool")(x)
    for stage, (blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True), start=1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _basic_block(x, width, stride, f"layer{stage}_{block}")
    # float32 from here on: pooling and the head are exact even when the trunk runs in bfloat16.
    x = layers.Activation("linear", dtype="float32", name="features")(x)
    x = layers.GlobalAveragePooling2D(dtype="float32", name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(len(Label), dtype="float32", name="fc")(x)
    return keras.Model(grey, logits, name="resnet34")


def with_features(model: keras.Model) -> keras.Model:
    """Give the same network with two outputs: logits and the last features (n, h, w, 512)."""
    return keras.Model(
        model.input, {"logits": model.output, "features": model.get_layer("features").output}
    )


def save_weights(model: keras.Model, path: Path) -> None:
    """Write all weights as .npz: kernels as float16, biases and statistics as float32."""
    arrays = {variable.path: np.asarray(variable) for variable in model.weights}
    halves = {
        name: array.astype(np.float16 if array.ndim > 1 else np.float32)
        for name, array in arrays.items()
    }
    np.savez(path, allow_pickle=False, **halves)


def load_weights(model: keras.Model, path: Path) -> None:
    """Read what `save_weights` wrote; raises KeyError or ValueError if it does not fit."""
    with np.load(path) as arrays:
        for variable in model.weights:
            variable.assign(arrays[variable.path].astype(np.float32))


def load_folded_start(model: keras.Model, path: Path, images: FloatArray) -> None:
    """Start from ResNet-18 convolutions whose batch norm is folded in, under torchvision's names.

    Blocks that the file lacks give only their shortcut at first (last gamma 0): the identity, but
    for the one that begins a stage. `images`, (n, rows, columns, 1) in [0, 1], set the batch norm's
    statistics so that the function stays that of the file.
    """
    with np.load(path) as folded:
        start = {name: folded[name] for name in folded.files}
    for conv in _layers(model, layers.Conv2D):
        norm = model.get_layer(_norm_name(conv.name))
        name = torch_name(conv.name)
        channels = int(conv.filters)
        ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        if f"{name}.weight" in start:
            conv.set_weights([_hwio(start[f"{name}.weight"])])
            gamma = np.sqrt(ones + BATCH_NORM_EPSILON)
            norm.set_weights([gamma, start[f"{name}.bias"], zeros, ones])
        elif conv.name.endswith("conv2"):
            norm.set_weights([zeros, zeros, zeros, ones])
    _unfold(model, [name.removesuffix(".weight") for name in start], images)


def _unfold(model: keras.Model, names: Collection[str], images: FloatArray) -> None:
    """Set the batch norms after the named convolutions to the statistics of their inputs."""
    convs = [conv for conv in _layers(model, layers.Conv2D) if torch_name(conv.name) in names]
    taps = keras.Model(model.input, [conv.output for conv in convs])
    for conv, values in zip(convs, taps.predict(images, batch_size=16, verbose=0), strict=True):
        norm = model.get_layer(_norm_name(conv.name))
        bias = norm.get_weights()[1]
        values = values.astype(np.float32)
        mean, variance = values.mean((0, 1, 2)), values.var((0, 1, 2))
        gamma = np.sqrt(variance + BATCH_NORM_EPSILON)
        norm.set_weights([gamma, bias + mean, mean, variance])


def _basic_block(x: keras.KerasTensor, width: int, stride: int, name: str) -> keras.KerasTensor:
    shortcut = x
    if stride != 1 or x.shape[-1] != width:
        shortcut = _conv_norm(x, width, 1, stride, f"{name}_downsample_0", f"{name}_downsample_1")
    x = _conv_norm(x, width, 3, stride, f"{name}_conv1", f"{name}_bn1")
    x = layers.ReLU(name=f"{name}_relu1")(x)
    x = _conv_norm(x, width, 3, 1, f"{name}_conv2", f"{name}_bn2")
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu2")(x)


def _conv_norm(
    x: keras.KerasTensor, width: int, kernel: int, stride: int, conv: str, norm: str
) -> keras.KerasTensor:
    # Keras' "same" pads a strided convolution on one side only, PyTorch on both.
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{conv}_pad")(x)
    x = layers.Conv2D(
        width, kernel, stride, use_bias=False, kernel_initializer="he_normal", name=conv
    )(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=BATCH_NORM_EPSILON, name=norm)(x)


def torch_name(name: str) -> str:
    """Tell torchvision's name of a layer: `layer1_0_conv1` is `layer1.0.conv1` there."""
    # Dots cannot stand in Keras' own names: its torch backend refuses them.
    return name.replace("_", ".")


def _norm_name(conv: str) -> str:
    if conv.endswith("downsample_0"):
        return conv.removesuffix("0") + "1"
    return conv.replace("conv", "bn")


def _layers(model: keras.Model, kind: type) -> list[keras.Layer]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


def _hwio(oihw: np.ndarray) -> np.ndarray:
    return np.transpose(oihw, (2, 3, 1, 0))
