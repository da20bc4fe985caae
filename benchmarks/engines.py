"""The shipped engine against the other ways to run the same network, in one run, as ratios.

`python benchmarks/engines.py [--rounds 15]`; needs the extra `train`. Prints Markdown.
"""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import onnxruntime
import tensorflow as tf
import typer

from classifier import resnet
from classifier.engines.onnx import OnnxEngine
from classifier.engines.tensorflow import TensorFlowEngine
from classifier.labels import FloatArray, Modality
from classifier.model import MODELS, WEIGHTS, Model, load_installed
from training.export import to_onnx

Call = Callable[[FloatArray], object]
BASELINE = "Keras `model.predict`"


def contenders(model: Model, scratch: Path) -> dict[str, Call]:
    """Load the shipped weights in each way."""
    weights = MODELS / model.card.name / WEIGHTS
    network = resnet.build()
    resnet.load_weights(network, weights)
    network.export(scratch / "saved", verbose=False)
    saved = tf.saved_model.load(scratch / "saved")
    to_onnx(network, model.card.input_size, scratch / "float.onnx")
    return {
        BASELINE: lambda inputs: network.predict(inputs, verbose=0),
        "Keras `model()`": lambda inputs: np.asarray(network(inputs, training=False)),
        "SavedModel": lambda inputs: np.asarray(saved.serve(tf.constant(inputs))),
        "`engines/tensorflow.py`": TensorFlowEngine(weights).run,
        "ONNX float": OnnxEngine(scratch / "float.onnx").run,
        f"`engines/onnx.py`, shipped ({model.card.engine_file})": model.engine.run,
    }


def measure(calls: dict[str, Call], inputs: FloatArray, rounds: int) -> dict[str, float]:
    """Give the median seconds of each, taken in turn so that all share the machine's moods."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 2):
        for name, call in calls.items():
            begun = time.perf_counter()
            call(inputs)
            # The first two rounds warm up.
            if turn >= 2:
                taken[name].append(time.perf_counter() - begun)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def main(rounds: Annotated[int, typer.Option(help="counted rounds")] = 15) -> None:
    """Print one table: milliseconds for one picture, pictures a second at 32, and the ratios."""
    rng, model = np.random.default_rng(0), load_installed()[Modality.XRAY]
    size = model.card.input_size
    with tempfile.TemporaryDirectory() as scratch:
        calls = contenders(model, Path(scratch))
        one, many = (
            measure(calls, rng.random((batch, size, size, 1), np.float32), rounds)
            for batch in (1, 32)
        )
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, ",
        end="",
    )
    print(f"keras {keras.__version__}, tensorflow {tf.__version__}, ", end="")
    print(f"onnxruntime {onnxruntime.__version__}; {size} px; ", end="")
    print(f"medians of {rounds} interleaved rounds\n")
    print("| engine | 1 picture | times as fast | batch of 32 | times as fast |")
    print("|---|---|---|---|---|")
    for name in calls:
        print(
            f"| {name} | {one[name] * 1000:.1f} ms | {one[BASELINE] / one[name]:.1f} "
            f"| {32 / many[name]:.0f}/s | {many[BASELINE] / many[name]:.1f} |"
        )


if __name__ == "__main__":
    typer.run(main)
