"""A trained network to a model folder: ONNX int8, float16 Keras weights, head."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from classifier import resnet
from classifier.engines.onnx import OnnxEngine
from classifier.labels import FloatArray
from classifier.saliency import Head

OPSET = 17


@dataclass(frozen=True, slots=True)
class Rounding:
    """How an int8 twin is made: what stays float beside the last layer, how ranges are found.

    The first 7 convolutions and 3 sums are the stem and the first stage. The last layer's bias
    takes up what rounding shifted the logits by on average (Nagel et al. 2019, arXiv 1906.04721).
    """

    float_convs: int = 7
    float_adds: int = 3
    ranges: CalibrationMethod = CalibrationMethod.MinMax
    moves_bias: bool = True


SHIPPED = Rounding()


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two engines agree: share of equal labels, mean difference of probabilities."""

    same_label: float
    mean_difference: float

    @property
    def is_enough(self) -> bool:
        """Whether the int8 engine may stand for the float one."""
        return self.same_label >= 0.99 and self.mean_difference <= 0.01


def to_onnx(network: keras.Model, size: int, path: Path) -> None:
    """Write the network as float ONNX: `grey` (n, size, size, 1) to `logits` and `features`."""
    model = resnet.with_features(network)
    model(np.zeros((1, size, size, 1), np.float32))
    shape = keras.InputSpec(shape=(None, size, size, 1), dtype="float32", name="grey")
    model.export(path, format="onnx", input_signature=[shape], opset_version=OPSET, verbose=False)


def quantise(source: Path, target: Path, inputs: FloatArray, rounding: Rounding = SHIPPED) -> None:
    """Write the int8 twin of a float ONNX file: static QDQ, per channel.

    `inputs` (n, size, size, 1) are training pictures to find each tensor's range with.
    `training.int8_check` compares the ways of rounding.
    """
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        nodes = onnx.load(prepared).graph.node
        convs, adds = (
            [node.name for node in nodes if node.op_type == kind] for kind in ("Conv", "Add")
        )
        inner = {"Conv", "Add", "Relu", "MaxPool"}
        quantize_static(
            prepared,
            target,
            _Inputs(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=rounding.ranges,
            op_types_to_quantize=sorted(inner),
            nodes_to_exclude=convs[: rounding.float_convs] + adds[: rounding.float_adds],
            # Averaged extremes: one odd picture does not widen a range for all.
            extra_options={"CalibMovingAverage": True},
        )
    if rounding.moves_bias:
        shift = (_logits(source, inputs) - _logits(target, inputs)).mean(0)
        _shift_bias(target, shift)


def _logits(path: Path, inputs: FloatArray) -> FloatArray:
    engine = OnnxEngine(path)
    return np.concatenate([engine.run(part).logits for part in np.array_split(inputs, 10)])


def _shift_bias(path: Path, shift: FloatArray) -> None:
    graph = onnx.load(path)
    bias = _bias(graph.graph)
    moved = onnx.numpy_helper.to_array(bias) + shift
    bias.CopyFrom(onnx.numpy_helper.from_array(moved.astype(np.float32), bias.name))
    onnx.save(graph, path)


def _bias(graph: onnx.GraphProto) -> onnx.TensorProto:
    """Find the bias of the last layer: the vector that the node of the logits adds."""
    last = next(node for node in graph.node if "logits" in node.output)
    vectors: list[onnx.TensorProto] = [each for each in graph.initializer if len(each.dims) == 1]
    return next(vector for vector in vectors if vector.name in last.input)


def head_of(path: Path) -> Head:
    """Take the last layer out of an ONNX file for the saliency."""
    graph = onnx.load(path).graph
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer]
    (kernel,) = [array for array in arrays if array.ndim == 2]
    return Head(kernel, onnx.numpy_helper.to_array(_bias(graph)))


def agreement(ours: FloatArray, theirs: FloatArray) -> Agreement:
    """Compare probabilities (n, 3) of two engines."""
    same = (ours.argmax(1) == theirs.argmax(1)).mean()
    return Agreement(float(same), float(np.abs(ours - theirs).mean()))


class _Inputs(CalibrationDataReader):
    def __init__(self, inputs: FloatArray) -> None:
        self._batches: Iterator[FloatArray] = iter(np.split(inputs, len(inputs)))

    def get_next(self) -> dict[str, FloatArray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"grey": batch}
