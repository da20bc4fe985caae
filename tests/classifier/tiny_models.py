"""Whole model folders of a few hundred bytes: real ONNX files that judge by brightness."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from classifier.card import Card, read_card, sha256
from classifier.labels import Modality

from .conftest import make_model

SIZE = 32
ENGINE, HEAD, LIKENESS = "model.onnx", "head.npz", "likeness.npz"


def install_model(
    place: Path,
    name: str,
    modality: Modality = Modality.XRAY,
    *,
    flipped: bool = False,
    size: int = SIZE,
    labels: int = 3,
    features: int = 1,
) -> Card:
    """Write the stand-in of `make_model` as a folder; a flipped one finds bright what is dark.

    A size other than 32, or numbers of labels or features other than 3 and 1, do not fit the card.
    """
    folder = place / name
    folder.mkdir(parents=True)
    model = make_model(modality)
    kernel, bias = model.head.kernel, model.head.bias
    if flipped:
        kernel, bias = kernel[:, [1, 0, 2]], bias[[1, 0, 2]]
    model.likeness.save(folder / LIKENESS)
    replace(model.head, kernel=kernel, bias=bias).save(folder / HEAD)
    kernel = np.tile(kernel, (features, 1))[:, :labels]
    onnx.save(_network(size, kernel, bias[:labels]), folder / ENGINE)
    card = replace(
        model.card,
        name=name,
        input_size=SIZE,
        engine_file=ENGINE,
        figures={"accuracy": (0.9, 0.85, 0.94), "sensitivity": (0.95, 0.9, 0.98)},
        files={file: sha256(folder / file) for file in (ENGINE, HEAD, LIKENESS)},
    )
    card.write(folder)
    return card


def install_on(place: Path, name: str, trunk: str, modality: Modality = Modality.CT) -> Card:
    """Write a model that has nothing but a head on the network of another folder beside it."""
    below = read_card(place / trunk)
    folder = place / name
    folder.mkdir()
    model = make_model(modality)
    model.likeness.save(folder / LIKENESS)
    head = replace(model.head, kernel=-model.head.kernel, bias=-model.head.bias)
    head.save(folder / HEAD)
    files = {file: sha256(folder / file) for file in (HEAD, LIKENESS)}
    card = replace(
        model.card,
        name=name,
        input_size=SIZE,
        engine_file=below.engine_file,
        trunk=trunk,
        figures={"accuracy": (0.9, 0.85, 0.94)},
        files={below.engine_file: below.files[below.engine_file]} | files,
    )
    card.write(folder)
    return card


def _network(size: int, kernel: np.ndarray, bias: np.ndarray) -> onnx.ModelProto:
    """Grey to the picture on a 2 x 2 grid, as many times as there are features, and the head."""
    half = size // 2
    nodes = [
        helper.make_node("Transpose", ["grey"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node(
            "AveragePool", ["channels"], ["grid"], kernel_shape=[half, half], strides=[half, half]
        ),
        helper.make_node("Transpose", ["grid"], ["one"], perm=[0, 2, 3, 1]),
        helper.make_node("Concat", ["one"] * len(kernel), ["features"], axis=3),
        helper.make_node("ReduceMean", ["features"], ["pooled"], axes=[1, 2], keepdims=0),
        helper.make_node("Gemm", ["pooled", "kernel", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("grey", TensorProto.FLOAT, ["n", size, size, 1])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(bias)]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 2, 2, len(kernel)]),
        ],
        [
            numpy_helper.from_array(np.ascontiguousarray(kernel), "kernel"),
            numpy_helper.from_array(np.ascontiguousarray(bias), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model
