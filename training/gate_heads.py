"""What is trained of the gate: small heads on frozen features, and a distance beside them."""

import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from scipy.special import softmax

from classifier.engines.onnx import session
from classifier.gate import OUTPUTS, Kind, chest_score
from classifier.labels import FloatArray
from training.gate_data import Samples, is_chest
from training.gate_graph import FEATURES, WIDTHS, Graph, backbone

BATCH = 256
EPOCHS = 8
HIDDEN = 40
DROPOUT = 0.2
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-2
# A family weighs the same however many pictures it has; so much of all are the chests.
SHARES = {"xray": 0.4, "ct": 0.2}
# So many of the chests that it was fitted to are within a distance of 1.
WITHIN = 0.995

# A kernel (values, values) and a bias (values,) for each layer.
Layers = list[tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True)
class Features:
    """Of n pictures, for each of `FEATURES` an array (n, values)."""

    arrays: tuple[FloatArray, ...]

    def of(self, rows: NDArray[np.bool_]) -> "Features":
        """Take the chosen rows, (n,) of them, alone."""
        return Features(tuple(each[rows] for each in self.arrays))

    @property
    def all(self) -> FloatArray:
        """Give them side by side."""
        return np.concatenate(self.arrays, 1)


@dataclass(frozen=True, slots=True)
class Heads:
    """`layers` of each head, and what the distances take.

    `whitenings` (2 * channels, k) and `means` (classes, k) are of each stage's looks.
    """

    layers: dict[str, Layers]
    whitenings: list[FloatArray]
    means: list[FloatArray]


def extract(start: Path, pixels: FloatArray) -> Features:
    """Run the frozen part over pictures (n, SIZE, SIZE, 1)."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "backbone.onnx"
        backbone(start).save(path, dict(zip(FEATURES, WIDTHS, strict=True)))
        network = session(path)
    return Features(run_in_parts(network, FEATURES, pixels))


def run_in_parts(
    network: InferenceSession, outputs: Iterable[str], pixels: FloatArray
) -> tuple[FloatArray, ...]:
    """Give the outputs of a network for pictures (n, SIZE, SIZE, 1), of which some go at once."""
    parts = [
        network.run(list(outputs), {"grey": pixels[at : at + 32]})
        for at in range(0, len(pixels), 32)
    ]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def fit(features: Features, samples: Samples, films: Features, is_part: NDArray[np.bool_]) -> Heads:
    """Fit all heads; turns and inversion are learned from chest X-rays alone.

    `films` are the features of whole X-rays and of parts, as `is_part` (n,) tells.
    """
    values = features.all
    is_xray = samples.families == "xray"
    every = np.ones(is_xray.sum(), np.float32)
    heads = {
        "kinds": fit_kinds(values, samples),
        "turns": _head(values[is_xray], samples.turns[is_xray], every, 4),
        "inverted": _head(values[is_xray], samples.inverted[is_xray].astype(int), every, 2),
        "part": _head(films.all, is_part.astype(int), np.ones(len(is_part), np.float32), 2),
    }
    chosen = is_chest(samples.families)
    chests, kinds = features.of(chosen), samples.kinds[chosen]
    whitenings, means = zip(
        *(_distance(looks, kinds) for looks in (chests.arrays[1], chests.arrays[3])), strict=True
    )
    return Heads(heads, list(whitenings), list(means))


def without(family: str, heads: Heads, features: Features, samples: Samples) -> Heads:
    """Fit the head of the kinds anew to all families but one."""
    kept = samples.families != family
    layers = heads.layers | {"kinds": fit_kinds(features.of(kept).all, samples.of(kept))}
    return replace(heads, layers=layers)


def chest_scores(heads: Heads, features: Features) -> FloatArray:
    """Give the score (n,) that the gate would give to the pictures behind these features."""
    (kernel, bias), (last_kernel, last_bias) = heads.layers["kinds"]
    scores = np.maximum(features.all @ kernel + bias, 0) @ last_kernel + last_bias
    chest = softmax(scores, 1)[:, is_chest(np.array(list(Kind)))].sum(1)
    looks = (features.arrays[1], features.arrays[3])
    off = [
        np.linalg.norm((each @ whitening)[:, None] - means, axis=2).min(1)
        for each, whitening, means in zip(looks, heads.whitenings, heads.means, strict=True)
    ]
    return chest_score(chest, np.maximum(*off))


def fit_kinds(values: FloatArray, samples: Samples) -> Layers:
    """Fit the head of the kinds to features (n, values)."""
    names, counts = np.unique(samples.families, return_counts=True)
    others = (1 - sum(SHARES.values())) / (len(names) - len(SHARES))
    weight = {
        name: SHARES.get(name, others) * len(values) / count
        for name, count in zip(names.tolist(), counts.tolist(), strict=True)
    }
    weights = np.array([weight[name] for name in samples.families.tolist()], np.float32)
    return _head(values, samples.kinds, weights, len(Kind))


def _head(
    values: FloatArray, classes: NDArray[np.int64], weights: FloatArray, count: int
) -> Layers:
    """Train one hidden layer and an output of `count`; the scale of the values is folded in."""
    rng = np.random.default_rng(0)
    mean, spread = values.mean(0), values.std(0) + np.float32(1e-3)
    scaled, wanted = (values - mean) / spread, np.eye(count, dtype=np.float32)[classes]
    layers = [_dense(values.shape[1], HIDDEN, rng), _dense(HIDDEN, count, rng)]
    adam = _Adam([array for layer in layers for array in layer])
    batches = [
        chosen
        for _ in range(EPOCHS)
        for chosen in np.array_split(rng.permutation(len(values)), max(1, len(values) // BATCH))
    ]
    for number, chosen in enumerate(batches):
        falling = 0.5 + 0.5 * math.cos(math.pi * number / len(batches))
        slopes = _slopes(layers, scaled[chosen], wanted[chosen], weights[chosen], rng)
        adam.step(slopes, LEARNING_RATE * falling)
    (kernel, bias), last = layers
    kernel = kernel / spread[:, None]
    return [(kernel, bias - mean @ kernel), last]


def _dense(inputs: int, outputs: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    kernel = rng.standard_normal((inputs, outputs), np.float32) * np.float32(math.sqrt(2 / inputs))
    return kernel, np.zeros(outputs, np.float32)


def _slopes(
    layers: Layers, x: FloatArray, wanted: FloatArray, weights: FloatArray, rng: np.random.Generator
) -> list[FloatArray]:
    """Give the gradients of the weighted cross-entropy, with dropout before both layers."""
    (kernel, bias), (last_kernel, last_bias) = layers
    x = x * _kept(x.shape, rng)
    kept = _kept((len(x), HIDDEN), rng)
    hidden = np.maximum(x @ kernel + bias, 0) * kept
    off = (softmax(hidden @ last_kernel + last_bias, 1) - wanted) * weights[:, None] / len(x)
    back = (off @ last_kernel.T) * kept * (hidden > 0)
    return [x.T @ back, back.sum(0), hidden.T @ off, off.sum(0)]


def _kept(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    kept = rng.random(shape, np.float32) > DROPOUT
    return kept.astype(np.float32) / np.float32(1 - DROPOUT)


class _Adam:
    """AdamW, in place (Loshchilov and Hutter 2019): for arrays this small Keras takes longer."""

    def __init__(self, arrays: list[FloatArray]) -> None:
        self._arrays = arrays
        self._first = [np.zeros_like(each) for each in arrays]
        self._second = [np.zeros_like(each) for each in arrays]
        self._steps = 0

    def step(self, slopes: list[FloatArray], rate: float) -> None:
        self._steps += 1
        for array, slope, first, second in zip(
            self._arrays, slopes, self._first, self._second, strict=True
        ):
            first += np.float32(0.1) * (slope - first)
            second += np.float32(0.001) * (slope * slope - second)
            size = np.sqrt(second / np.float32(1 - 0.999**self._steps)) + np.float32(1e-7)
            way = first / np.float32(1 - 0.9**self._steps) / size
            array -= np.float32(rate) * (way + np.float32(WEIGHT_DECAY) * array)


def _distance(looks: FloatArray, kinds: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Whiten looks (n, values) of chests by what they share within a kind.

    The distance is that to the nearest kind's mean (Lee et al. 2018, arXiv 1807.03888).
    """
    middles = np.stack([looks[kinds == kind].mean(0) for kind in np.unique(kinds)])
    within = looks - middles[np.unique(kinds, return_inverse=True)[1]]
    variances, directions = np.linalg.eigh(np.cov(within.T.astype(np.float64)))
    whitening = directions / np.sqrt(variances + 1e-2 * variances.mean())
    off = looks[:, None] @ whitening - middles @ whitening
    usual = np.quantile(np.linalg.norm(off, axis=2).min(1), WITHIN)
    whitening = (whitening / usual).astype(np.float32)
    return whitening, middles @ whitening


def save(heads: Heads, start: Path, path: Path) -> None:
    """Write the whole network: `grey` (n, SIZE, SIZE, 1) to `classifier.gate.OUTPUTS`."""
    graph = backbone(start)
    values = graph("Concat", *FEATURES, axis=1)
    for name, head in heads.layers.items():
        x = values
        for number, (kernel, bias) in enumerate(head):
            x = graph("Relu", x) if number else x
            x = graph("Gemm", x, graph.constant(kernel), graph.constant(bias))
        graph("Softmax", x, axis=1, name=name)
    distances = [
        _measured(graph, looks, whitening, means)
        for looks, whitening, means in zip(
            ("looks1", "looks2"), heads.whitenings, heads.means, strict=True
        )
    ]
    graph("Max", *distances, name="distance")
    counts = {name: len(head[-1][1]) for name, head in heads.layers.items()}
    graph.save(path, {name: counts.get(name, 0) for name in OUTPUTS})


def _measured(graph: Graph, looks: str, whitening: FloatArray, means: FloatArray) -> str:
    white = graph("MatMul", looks, graph.constant(whitening))
    apart = graph("Unsqueeze", white, graph.constant([1], np.int64))
    off = graph("Sub", apart, graph.constant(means))
    lengths = graph("ReduceL2", off, axes=[2], keepdims=0)
    return graph("ReduceMin", lengths, axes=[1], keepdims=0)
