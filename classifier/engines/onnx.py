"""ONNX Runtime on the CPU: the default engine."""

import os
from pathlib import Path

import numpy as np

from classifier.engines import Output
from classifier.labels import FloatArray

# Otherwise ONNX Runtime reports its use to Microsoft; it looks when it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime


class OnnxEngine:
    """The exported network in ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        """Load the graph; a run takes one thread.

        Batches run abreast, and so they take less of the cores than one on all.
        """
        self._session = session(path, 1)

    def run(self, inputs: FloatArray) -> Output:
        """Take (n, size, size, 1) float32 in [0, 1]."""
        logits, features = self._session.run(["logits", "features"], {"grey": inputs})
        return Output(np.asarray(logits), np.asarray(features))


def session(path: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """Load a graph for the CPU; `threads` 0 means one for each core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # A spinning thread takes the core that reading and drawing need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
