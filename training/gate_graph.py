"""The gate's network as ONNX: a frozen ImageNet stem and two stages, pooled, and small heads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike, NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 96
# The places that the features of a stage are averaged over, in rows and columns.
GRID = 4
OPSET = 17
IR_VERSION = 9
# Of ImageNet's three colours, which grey stands for, about.
MEAN, SPREAD = 0.449, 0.226
FEATURES = ("grid1", "looks1", "grid2", "looks2")
WIDTHS = (64 * GRID**2, 64 * 2, 128 * GRID**2, 128 * 2)


class Graph:
    """ONNX nodes one after the other; each call adds one and names what comes out."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def __call__(self, kind: str, *inputs: str, name: str = "", **settings: Any) -> str:
        """Add a node and give the name of its output."""
        name = name or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **settings))
        return name

    def constant(self, values: ArrayLike, dtype: DTypeLike = np.float32) -> str:
        """Keep an array and give its name."""
        name = f"constant{len(self.constants)}"
        array: NDArray[Any] = np.ascontiguousarray(values, dtype=dtype)
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def save(self, path: Path, outputs: Mapping[str, int]) -> None:
        """Write a network from `grey` (n, size, size, 1) to `outputs` of so many values each.

        One of 0 values is (n,).
        """
        grey = helper.make_tensor_value_info("grey", TensorProto.FLOAT, ["n", SIZE, SIZE, 1])
        shapes: dict[str, list[str | int]] = {
            name: ["n", count] if count else ["n"] for name, count in outputs.items()
        }
        given = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ]
        graph = helper.make_graph(self.nodes, "gate", [grey], given, [*self.constants.values()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        onnx.save(model, path)


def backbone(start: Path) -> Graph:
    """Build the frozen part from folded ResNet-18 weights (.npz) up to `FEATURES`.

    `grid<s>` (n, channels * GRID * GRID) are the means of a stage's features over the places,
    `looks<s>` (n, 2 * channels) mean and standard deviation over the picture.
    """
    graph = Graph()
    with np.load(start) as arrays:
        weights = dict(arrays)
    # One grey channel in place of three equal ones.
    weights["conv1.weight"] = weights["conv1.weight"].sum(1, keepdims=True)

    def conv(x: str, layer: str, stride: int, pad: int) -> str:
        kernel, bias = (graph.constant(weights[f"{layer}.{part}"]) for part in ("weight", "bias"))
        return graph("Conv", x, kernel, bias, strides=[stride] * 2, pads=[pad] * 4)

    def block(x: str, name: str, stride: int) -> str:
        y = graph("Relu", conv(x, f"{name}.conv1", stride, 1))
        y = conv(y, f"{name}.conv2", 1, 1)
        around = conv(x, f"{name}.downsample.0", stride, 0) if stride > 1 else x
        return graph("Relu", graph("Add", y, around))

    x = graph("Transpose", "grey", perm=[0, 3, 1, 2])
    x = graph("Div", graph("Sub", x, graph.constant(MEAN)), graph.constant(SPREAD))
    x = graph("Relu", conv(x, "conv1", 2, 3))
    x = graph("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage in (1, 2):
        x = block(x, f"layer{stage}.0", stage)
        x = block(x, f"layer{stage}.1", 1)
        _pool(graph, x, stage)
    return graph


def _pool(graph: Graph, x: str, stage: int) -> None:
    side = SIZE // (2 << stage) // GRID
    grid = graph("AveragePool", x, kernel_shape=[side] * 2, strides=[side] * 2)
    graph("Flatten", grid, name=f"grid{stage}")
    mean = graph("ReduceMean", x, axes=[2, 3])
    off = graph("Sub", x, mean)
    variance = graph("ReduceMean", graph("Mul", off, off), axes=[2, 3])
    deviation = graph("Sqrt", variance)
    graph("Flatten", graph("Concat", mean, deviation, axis=1), name=f"looks{stage}")
