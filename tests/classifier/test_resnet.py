from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

keras = pytest.importorskip("keras")
from classifier import resnet  # noqa: E402  Keras may be absent

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def network() -> "keras.Model":
    keras.utils.set_random_seed(0)
    return resnet.build()


def test_it_has_the_parameters_of_a_resnet_34(network: "keras.Model") -> None:
    trainable = sum(np.prod(variable.shape) for variable in network.trainable_variables)
    # torchvision's 21,797,672 with its head of 1000 classes exchanged for one of three.
    assert trainable == 21_797_672 - 512 * 1000 - 1000 + 512 * 3 + 3


def test_each_stage_has_its_blocks_and_its_shape(network: "keras.Model") -> None:
    ends = ("layer1_2_relu2", "layer2_3_relu2", "layer3_5_relu2", "layer4_2_relu2")
    stages = keras.Model(network.input, [network.get_layer(name).output for name in ends])
    shapes = [output.shape for output in stages(np.zeros((1, 224, 224, 1), np.float32))]
    assert shapes == [(1, 56, 56, 64), (1, 28, 28, 128), (1, 14, 14, 256), (1, 7, 7, 512)]
    assert network.get_layer("dropout").rate == 0.3


def torch_state(rng: np.random.Generator) -> dict[str, Array]:
    """A random state dict with torchvision's names and shapes."""
    state: dict[str, Array] = {}

    def conv_norm(conv: str, norm: str, out: int, channels: int, kernel: int) -> None:
        spread = np.sqrt(2 / (channels * kernel**2))
        state[f"{conv}.weight"] = rng.normal(0, spread, (out, channels, kernel, kernel))
        state[f"{norm}.weight"] = rng.uniform(0.5, 1, out)
        state[f"{norm}.bias"] = rng.normal(0, 0.1, out)
        state[f"{norm}.running_mean"] = rng.normal(0, 0.1, out)
        state[f"{norm}.running_var"] = rng.uniform(0.5, 2, out)

    conv_norm("conv1", "bn1", 64, 3, 7)
    channels = 64
    for stage, (blocks, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), 1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            conv_norm(f"{name}.conv1", f"{name}.bn1", width, channels, 3)
            conv_norm(f"{name}.conv2", f"{name}.bn2", width, width, 3)
            if block == 0 and stage > 1:
                conv_norm(f"{name}.downsample.0", f"{name}.downsample.1", width, channels, 1)
            channels = width
    state["fc.weight"] = rng.normal(0, 0.05, (3, 512))
    state["fc.bias"] = rng.normal(0, 0.1, 3)
    return {name: array.astype(np.float32) for name, array in state.items()}


def load(network: "keras.Model", state: dict[str, Array]) -> None:
    """Copy a state dict into the network, layer by layer under torchvision's names."""
    for layer in network.layers:
        name = resnet.torch_name(layer.name)
        if isinstance(layer, keras.layers.Conv2D):
            layer.set_weights([np.transpose(state[f"{name}.weight"], (2, 3, 1, 0))])
        elif isinstance(layer, keras.layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([state[f"{name}.{part}"] for part in parts])
    network.get_layer("fc").set_weights([state["fc.weight"].T, state["fc.bias"]])


def convolve(x: Array, weight: Array, stride: int) -> Array:
    """PyTorch's Conv2d with padding kernel // 2, in (n, channels, rows, columns)."""
    kernel = weight.shape[-1]
    pad = kernel // 2
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], weight, optimize=True)


def torch_features(state: dict[str, Array], grey: Array, stages: int = 4) -> Array:
    """What torchvision's resnet34 makes of a grey picture up to the end of a stage."""

    def conv_norm(x: Array, conv: str, norm: str, stride: int) -> Array:
        x = convolve(x, state[f"{conv}.weight"], stride)
        weight, bias, mean, variance = (
            state[f"{norm}.{part}"][:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias

    mean = np.array([0.485, 0.456, 0.406])[:, None, None]
    std = np.array([0.229, 0.224, 0.225])[:, None, None]
    x = np.maximum(conv_norm((grey[:, None] - mean) / std, "conv1", "bn1", 2), 0)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    x = windows[:, :, ::2, ::2].max((-2, -1))
    for stage, blocks in enumerate((3, 4, 6, 3)[:stages], start=1):
        for block in range(blocks):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            shortcut = x
            if f"{name}.downsample.0.weight" in state:
                shortcut = conv_norm(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
            x = np.maximum(conv_norm(x, f"{name}.conv1", f"{name}.bn1", stride), 0)
            x = np.maximum(conv_norm(x, f"{name}.conv2", f"{name}.bn2", 1) + shortcut, 0)
    return x


def test_a_torchvision_state_gives_torchvisions_activations(network: "keras.Model") -> None:
    rng = np.random.default_rng(0)
    state = torch_state(rng)
    load(network, state)
    grey = rng.random((2, 61, 64)).astype(np.float32)
    features = torch_features(state, grey)
    logits = features.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]
    outputs = resnet.with_features(network)(grey[..., None])
    got = np.transpose(np.asarray(outputs["features"]), (0, 3, 1, 2))
    assert np.abs(got - features).max() < 1e-4 * np.abs(features).max()
    np.testing.assert_allclose(np.asarray(outputs["logits"]), logits, rtol=1e-4, atol=1e-4)


def folded_start(state: dict[str, Array]) -> dict[str, Array]:
    """Fold the first two blocks of stages 1 to 3 of a state, as the shared start file is made."""
    kept = ["conv1"] + [
        f"layer{stage}.{block}.{conv}"
        for stage in (1, 2, 3)
        for block in (0, 1)
        for conv in ("conv1", "conv2", "downsample.0")
        if f"layer{stage}.{block}.{conv}.weight" in state
    ]
    folded: dict[str, Array] = {}
    for conv in kept:
        norm = conv[:-1] + "1" if "downsample" in conv else conv.replace("conv", "bn")
        scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
        folded[f"{conv}.weight"] = state[f"{conv}.weight"] * scale[:, None, None, None]
        folded[f"{conv}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    return folded


def test_a_folded_start_keeps_its_function_and_extra_blocks_do_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    state = torch_state(rng)
    np.savez(tmp_path / "start.npz", **folded_start(state))
    grey = rng.random((4, 64, 64)).astype(np.float32)
    network = resnet.build()
    resnet.load_folded_start(network, tmp_path / "start.npz", grey[..., None])

    stage3 = keras.Model(network.input, network.get_layer("layer3_5_relu2").output)
    got = np.transpose(np.asarray(stage3(grey[..., None])), (0, 3, 1, 2))
    expected = torch_features(without_extra_blocks(state), grey, stages=3)
    assert np.abs(got - expected).max() < 1e-3 * np.abs(expected).max()
    norm = network.get_layer("layer2_0_bn1")
    conv = keras.Model(network.input, network.get_layer("layer2_0_conv1").output)
    values = np.asarray(conv(grey[..., None]))
    np.testing.assert_allclose(norm.get_weights()[2], values.mean((0, 1, 2)), atol=1e-3)


def without_extra_blocks(state: dict[str, Array]) -> dict[str, Array]:
    """Make the blocks that a ResNet-18 lacks identities: nothing is added to their shortcut."""
    short = dict(state)
    for stage, blocks in ((1, (2,)), (2, (2, 3)), (3, (2, 3, 4, 5))):
        for block in blocks:
            for part in ("weight", "bias"):
                name = f"layer{stage}.{block}.bn2.{part}"
                short[name] = np.zeros_like(short[name])
    return short


def test_the_shared_start_fits(shared_data: Path) -> None:
    network = resnet.build()
    images = np.random.default_rng(0).random((4, 64, 64, 1), np.float32)
    start = shared_data / "resnet18-imagenet-stem-stage1-3.npz"
    resnet.load_folded_start(network, start, images)
    with np.load(start) as arrays:
        weight = arrays["layer3.1.conv2.weight"]
    kernel = network.get_layer("layer3_1_conv2").get_weights()[0]
    np.testing.assert_array_equal(np.transpose(kernel, (3, 2, 0, 1)), weight)


def test_saved_weights_come_back_within_float16(network: "keras.Model", tmp_path: Path) -> None:
    resnet.save_weights(network, tmp_path / "weights.npz")
    assert (tmp_path / "weights.npz").stat().st_size < 43_000_000
    twin = resnet.build()
    resnet.load_weights(twin, tmp_path / "weights.npz")
    for ours, theirs in zip(network.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)
