"""A recipe and a split in, a trained network out."""

from concurrent.futures import Executor
from pathlib import Path

import keras

from classifier import resnet
from classifier.labels import FloatArray
from classifier.reading.scan import evenly
from training.dataset import Example, Pictures, Split, load_pictures
from training.loop import Progress, fit, is_finished, trained
from training.recipe import Recipe, Start

SAMPLE = 64


def train_network(
    chosen: Recipe, parts: Split, run: Path, start: Path | None, seed: int, pool: Executor
) -> tuple[keras.Model, Progress]:
    """Train, give the network in float32; the same `run` goes on where it was killed.

    `start` are folded ResNet-18 weights or those of a model folder (.npz), as the recipe asks.
    """
    if not is_finished(chosen, run):
        _train(chosen, parts, run, start, seed, pool)
    return trained_network(chosen, run)


def trained_network(chosen: Recipe, run: Path) -> tuple[keras.Model, Progress]:
    """Give a run's network as it stands, in float32, also of a run that was cut off."""
    keras.config.set_dtype_policy("float32")
    weights, progress = trained(run)
    network = resnet.build(chosen.dropout)
    network.set_weights(weights)
    return network, progress


def fastest_policy() -> str:
    """Give bfloat16 where something computes in it: emulated it takes three times as long."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    on_gpu = keras.distribution.list_devices("gpu")
    return "mixed_bfloat16" if on_gpu or "bf16" in flags else "float32"


def _train(
    chosen: Recipe, parts: Split, run: Path, start: Path | None, seed: int, pool: Executor
) -> None:
    keras.config.set_dtype_policy(fastest_policy())
    keras.utils.set_random_seed(seed)
    model = resnet.build(chosen.dropout)
    if chosen.start is not Start.SCRATCH:
        if start is None:
            raise ValueError(f"recipe {chosen.name} needs a start")
        if chosen.start is Start.MODEL:
            resnet.load_weights(model, start)
        else:
            resnet.load_folded_start(model, start, _sample(parts.train, chosen.phases[0].size))

    def load(size: int) -> tuple[Pictures, Pictures]:
        return load_pictures(parts.train, size), load_pictures(parts.tuning, size)

    fit(chosen, model, load, run, seed, pool)


def _sample(examples: list[Example], size: int) -> FloatArray:
    """Take pictures evenly from the list: the start's statistics should not be of one class."""
    return load_pictures(evenly(examples, SAMPLE), size).inputs()
