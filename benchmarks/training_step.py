"""A training step with Keras' batch norm and with the fused one, in turn, as a ratio.

`python benchmarks/training_step.py [--size 224] [--rounds 5]`; needs the extra `train`.
"""

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import typer

from classifier import resnet
from training.fused_norm import fuse
from training.network import fastest_policy

BATCH = 32


def main(size: int = 224, rounds: int = 5) -> None:
    """Print pictures a second for both and their ratio."""
    keras.config.set_dtype_policy(fastest_policy())
    plain = resnet.build()
    models = {"Keras": plain, "fused": fuse(plain)}
    rng = np.random.default_rng(0)
    pictures = rng.random((BATCH, size, size, 1), np.float32)
    targets = np.eye(3, dtype=np.float32)[rng.integers(0, 3, BATCH)]
    taken: dict[str, list[float]] = {name: [] for name in models}
    for model in models.values():
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.AdamW(1e-3), loss=loss, jit_compile=False)
        model.train_on_batch(pictures, targets)
    for _ in range(rounds):
        for name, model in models.items():
            begun = time.perf_counter()
            model.train_on_batch(pictures, targets)
            taken[name].append(time.perf_counter() - begun)
    seconds = {name: statistics.median(times) for name, times in taken.items()}
    for name, median in seconds.items():
        print(f"{name}: {BATCH / median:.1f} pictures a second")
    print(f"ratio: {seconds['Keras'] / seconds['fused']:.2f}")


if __name__ == "__main__":
    typer.run(main)
