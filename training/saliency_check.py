"""Does the map show what the network learned? And does it lie on the lungs?

`python -m training.saliency_check --model classifier/models/NAME --data CHILDREN --data ADULTS`
measures on held-out pictures, by the fold in the model's card, and notes it there.

Sanity (Adebayo et al. 2018, "Sanity Checks for Saliency Maps", arXiv 1810.03292): the weights are
drawn anew from the head downwards, stage by stage; a map that stays alike shows the picture and not
what was learned. Features after a ReLU share their sign, so that maps of any two heads are alike or
opposite. A limit on the size of the likeness alone would blame every head: so it is told with its
sign as well, averaged over many heads, and beside that of two random heads on the same features.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
import typer
from keras import layers
from numpy.typing import NDArray
from scipy.stats import spearmanr

from classifier import resnet
from classifier.card import check_file, read_card
from classifier.labels import FloatArray, Label
from classifier.model import WEIGHTS
from classifier.reading.scan import evenly
from classifier.saliency import Head, class_maps, pneumonia_map
from training import dataset
from training.dataset import Pictures, load_pictures
from training.figures import NORMAL, Interval, intervals
from training.model_card import note
from training.sections import saliency_section

# From the head downwards, each with those before it; `bn1` and `conv1` are the stem.
STAGES = (("fc", "layer4"), ("layer3",), ("layer2",), ("layer1",), ("bn1", "conv1"))
HEADS = 20
# Centre and half-axes as shares of the picture, laid by eye on the mean of healthy children.
LUNGS = ((0.31, 0.47, 0.14, 0.29), (0.70, 0.47, 0.14, 0.29))
BATCH = 32

Names = NDArray[np.str_]


def main(
    model: Annotated[Path, typer.Option(help="a model folder")],
    data: Annotated[list[Path], typer.Option(help="folders of labels, as for training")],
    count: Annotated[int, typer.Option(help="pictures of each source")] = 60,
    draws: Annotated[int, typer.Option(help="of the random weights")] = 2,
) -> None:
    """Randomise the network from the head downwards, and weigh the map over the lungs."""
    card = read_card(model)
    network = resnet.build()
    resnet.load_weights(network, check_file(model, card, WEIGHTS))
    held_out = dataset.split(dataset.find_all(data), dataset.fold_of(card)).held_out
    chosen = [
        example
        for source in dict.fromkeys(example.source for example in held_out)
        for example in evenly([each for each in held_out if each.source == source], count)
    ]
    pictures = load_pictures(chosen, card.input_size)
    patients = pictures.patients
    features, maps = _look(network, pictures.inputs())
    two_heads, head = _heads(features, maps, patients)
    found = {
        "pictures": len(chosen),
        "draws": draws,
        "heads": HEADS,
        "two_random_heads": two_heads,
        "lung_area": float(lung_share(*maps.shape[1:]).mean()),
        "lungs": lungs(maps, pictures),
        "stages": {"fc": head} | _cascade(network, maps, pictures.inputs(), patients, draws),
    }
    note(model, "saliency", found)
    print(saliency_section(found))


def redraw(network: keras.Model, names: tuple[str, ...], rng: np.random.Generator) -> None:
    """Draw the kernels of a stage anew, with the spread they had; its batch norm starts anew."""
    for layer in network.layers:
        if not layer.name.startswith(names):
            continue
        if isinstance(layer, layers.BatchNormalization):
            ones, zeros = np.ones(layer.gamma.shape), np.zeros(layer.gamma.shape)
            layer.set_weights([ones, zeros, zeros, ones])
        elif weights := layer.get_weights():
            layer.set_weights([rng.normal(0, each.std(), each.shape) for each in weights])


def alike(first: FloatArray, second: FloatArray) -> FloatArray:
    """Correlate two maps of each picture, (n, h, w) each, by rank over the places: (n,)."""
    pairs = zip(first, second, strict=True)
    return np.array([spearmanr(one.ravel(), other.ravel()).statistic for one, other in pairs])


def lung_share(rows: int, columns: int) -> FloatArray:
    """Give how much of each place of a map lies in the lung fields: (rows, columns) in [0, 1].

    Two ellipses that are the same for every picture: where lungs usually are, not a segmentation.
    """
    fine = 32
    down, across = np.mgrid[: rows * fine, : columns * fine] + 0.5
    down, across = down / (rows * fine), across / (columns * fine)
    inside = np.zeros_like(down, bool)
    for x, y, half_width, half_height in LUNGS:
        inside |= ((across - x) / half_width) ** 2 + ((down - y) / half_height) ** 2 < 1
    share: FloatArray = inside.reshape(rows, fine, columns, fine).mean((1, 3)).astype(np.float32)
    return share


def lungs(maps: FloatArray, pictures: Pictures) -> dict[str, Interval]:
    """Tell for the ill of each source which share of what speaks for pneumonia lies in the lungs.

    `maps` (n, h, w) in logit units.
    """
    mask = lung_share(*maps.shape[1:])
    found = {}
    for source in dict.fromkeys(pictures.sources.tolist()):
        rows = np.flatnonzero((pictures.sources == source) & (pictures.classes != NORMAL))
        speaks = np.maximum(maps[rows], 0)
        inside, whole = (speaks * mask).sum((1, 2)), speaks.sum((1, 2))

        def share(drawn: np.ndarray, inside: Any = inside, whole: Any = whole) -> dict[str, float]:
            return {"share": float(inside[drawn].sum() / whole[drawn].sum())}

        found[source] = intervals(pictures.patients[rows], share)["share"]
    return found


def _look(network: keras.Model, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give features (n, h, w, channels) and maps (n, h, w)."""
    seen = resnet.with_features(network).predict(inputs, batch_size=BATCH, verbose=0)
    kernel, bias = network.get_layer("fc").get_weights()
    return seen["features"], _maps(seen["features"], Head(kernel, bias))


def _maps(features: FloatArray, head: Head) -> FloatArray:
    return np.stack([pneumonia_map(class_maps(each, head)) for each in features])


def _heads(
    features: FloatArray, maps: FloatArray, patients: Names
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Compare the maps of random heads on the trained features: two by two, and with its own."""
    rng = np.random.default_rng(0)
    shape = (features.shape[-1], len(Label))
    zeros = np.zeros(len(Label), np.float32)
    drawn = [
        _maps(features, Head(rng.normal(size=shape).astype(np.float32), zeros))
        for _ in range(HEADS)
    ]
    pairs = [alike(*pair) for pair in zip(drawn[::2], drawn[1::2], strict=True)]
    return _figures(pairs, patients), _figures([alike(maps, each) for each in drawn], patients)


def _cascade(
    network: keras.Model,
    maps: FloatArray,
    inputs: FloatArray,
    patients: Names,
    draws: int,
) -> dict[str, dict[str, Interval]]:
    """Compare with the maps of ever more random weights; the network's own are put back."""
    own, found = network.get_weights(), dict[str, list[FloatArray]]()
    for draw in range(draws):
        rng, random = np.random.default_rng(draw), tuple[str, ...]()
        for names in STAGES:
            redraw(network, names, rng)
            random += names
            _measure_norms(network, inputs[:: max(1, len(inputs) // BATCH)], random)
            found.setdefault(names[-1], []).append(alike(maps, _look(network, inputs)[1]))
        network.set_weights(own)
    return {stage: _figures(each, patients) for stage, each in found.items()}


def _measure_norms(network: keras.Model, inputs: FloatArray, names: tuple[str, ...]) -> None:
    """Give random stages the statistics of what they see now: else the numbers would explode."""
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0 if layer.name.startswith(names) else 1.0
    network(inputs, training=True)


def _figures(draws: Sequence[FloatArray], patients: Names) -> dict[str, Interval]:
    every = np.stack(draws)

    def mean(rows: np.ndarray) -> dict[str, float]:
        return {"signed": float(every[:, rows].mean()), "size": float(abs(every[:, rows]).mean())}

    return intervals(patients, mean)


if __name__ == "__main__":
    typer.run(main)
