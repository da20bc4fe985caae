"""What a network answers to pictures, many at a time."""

import numpy as np

from classifier.engines import Engine, Output
from classifier.labels import FloatArray
from classifier.likeness import pooled
from classifier.model import Model, calibrated
from training.calibrate import Answered
from training.dataset import Pictures
from training.figures import Predictions

BATCH = 32


def run_engine(engine: Engine, inputs: FloatArray) -> Output:
    """Run (n, size, size, 1) in batches; the features come pooled, (n, channels)."""
    starts = range(0, len(inputs), BATCH)
    outputs = [engine.run(inputs[start : start + BATCH]) for start in starts]
    return Output(
        np.concatenate([output.logits for output in outputs]),
        np.concatenate([pooled(output.features) for output in outputs]),
    )


def answers_of(engine: Engine, pictures: Pictures) -> Answered:
    """Give the logits of an engine."""
    logits = run_engine(engine, pictures.inputs()).logits
    return Answered(logits, pictures.classes, pictures.patients)


def predictions_of(model: Model, pictures: Pictures) -> Predictions:
    """Give the probabilities of a model, as its card calibrates them."""
    answered = answers_of(model.engine, pictures)
    shares = calibrated(answered.logits, model.card.temperature)
    return Predictions(shares, answered.classes, answered.patients)
