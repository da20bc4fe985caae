"""How far does rounding to int8 change what is answered, and would another way change less?

`python -m training.int8_check --model classifier/models/NAME --data FOLDER [--data FOLDER]
--ct FOLDER --ct-model classifier/models/CT` holds int8 twins, made in several ways, against the
float network on the tuning pictures and on CT slices, through the head that sits on the network;
the shipped one on the held-out pictures too, as they are and under stress.
"""

import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from onnxruntime.quantization import CalibrationMethod

from classifier import resnet
from classifier.card import Card, check_file, read_card
from classifier.engines import Engine
from classifier.engines.headed import HeadedEngine
from classifier.engines.onnx import OnnxEngine
from classifier.labels import FloatArray
from classifier.model import HEAD, WEIGHTS, calibrated
from classifier.preprocess import to_unit
from classifier.reading.scan import evenly
from classifier.saliency import Head
from training import dataset, export
from training.answering import run_engine
from training.calibrate import Limits, is_sure
from training.ct.slices import load_slices
from training.dataset import Example, Split, load_pictures
from training.export import Rounding
from training.record import add_rows, circumstances, command
from training.stress import STRESSES, stressed

RESULTS = Path(__file__).parent / "results" / "int8.csv"
FLOAT, SHIPPED = "float", "shipped"
OTHERS = {
    "only the first and the last layer in float": Rounding(float_convs=1, float_adds=0),
    "ranges by entropy": Rounding(ranges=CalibrationMethod.Entropy),
    "ranges by percentile": Rounding(ranges=CalibrationMethod.Percentile),
    "bias not moved": Rounding(moves_bias=False),
}
# Histograms keep what each picture made of every tensor: 300 of them would take 12 GB.
RANGE_PICTURES = 100
CT_SLICES = 500
ROUNDS = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """Pictures by name, (n, size, size, 1), and what their model decides by.

    `head` stands in the network's own last layer's place, as that of CT does.
    """

    name: str
    inputs: FloatArray
    limits: Limits
    head: Head | None = None

    def probabilities(self, engine: Engine) -> FloatArray:
        """Give what an engine says, (n, 3)."""
        asked = engine if self.head is None else HeadedEngine(engine, self.head)
        return calibrated(run_engine(asked, self.inputs).logits, self.limits.temperature)

    def compare(self, ours: Engine, theirs: FloatArray) -> dict[str, object]:
        """Tell how often label and sure label are those of `theirs`, and how far they lie apart.

        `two_labels` counts the pictures that are surely told one label by each, and not the same.
        """
        both = (self.probabilities(ours), theirs)
        agreed = export.agreement(*both)
        sure = [np.where(is_sure(each, self.limits), each.argmax(1), -1) for each in both]
        differs = sure[0] != sure[1]
        return {
            "pictures": self.name,
            "count": len(self.inputs),
            "same_label": f"{agreed.same_label:.4f}",
            "mean_difference": f"{agreed.mean_difference:.4f}",
            "same_sure_label": f"{1 - differs.mean():.4f}",
            "two_labels": int((differs & (sure[0] >= 0) & (sure[1] >= 0)).sum()),
        }


def _limits(card: Card) -> Limits:
    return Limits(card.temperature, card.sure_from, card.pneumonia_from)


def _xrays(examples: list[Example], card: Card, stresses: Iterable[str] = ()) -> list[Asked]:
    """Show each source as it is, and the first under stress too."""
    pictures, limits = load_pictures(examples, card.input_size), _limits(card)
    first, *others = dict.fromkeys(pictures.sources.tolist())
    found = {each: pictures.of(pictures.sources == each) for each in (first, *others)}
    found |= {
        f"{first}, {kind}": replace(found[first], pixels=stressed(found[first].pixels, kind))
        for kind in stresses
    }
    return [Asked(name, each.inputs(), limits) for name, each in found.items()]


def _ct(folder: Path, model: Path) -> Asked:
    """Show slices with lung, evenly taken, to the CT model's head."""
    card = read_card(model)
    slices, _ = load_slices(folder, card.input_size)
    chosen = evenly(range(len(slices.inputs)), CT_SLICES)
    inputs = to_unit(slices.inputs[chosen][..., np.newaxis])
    return Asked("ct slices", inputs, _limits(card), Head.load(check_file(model, card, HEAD)))


def _milliseconds(engines: dict[str, Engine], inputs: FloatArray) -> dict[str, str]:
    """Time one picture a run, the engines in turn: medians."""
    spent: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(ROUNDS):
        one = inputs[number % len(inputs)][np.newaxis]
        for name, engine in engines.items():
            begun = time.perf_counter()
            engine.run(one)
            spent[name].append(1000 * (time.perf_counter() - begun))
    return {name: f"{np.median(each):.1f}" for name, each in spent.items()}


def _twins(model: Path, card: Card, split: Split, scratch: Path) -> Iterator[tuple[str, Engine]]:
    """Make the float engine and its int8 twins; the shipped one is as it lies in its folder."""
    network = resnet.build()
    resnet.load_weights(network, check_file(model, card, WEIGHTS))
    source = scratch / "float.onnx"
    export.to_onnx(network, card.input_size, source)
    yield FLOAT, OnnxEngine(source)
    yield SHIPPED, OnnxEngine(check_file(model, card, card.engine_file))
    ranges = load_pictures(evenly(split.train, RANGE_PICTURES), card.input_size).inputs()
    for name, rounding in OTHERS.items():
        target = scratch / "int8.onnx"
        export.quantise(source, target, ranges, rounding)
        yield name, OnnxEngine(target)


def main(
    model: Annotated[Path, typer.Option(help="a model folder")],
    data: Annotated[list[Path], typer.Option(help="folders of labels, as for training")],
    ct: Annotated[Path, typer.Option(help="folder with slices-*/<label>/")],
    ct_model: Annotated[Path, typer.Option(help="the model folder that sits on it")],
    out: Annotated[Path, typer.Option()] = RESULTS,
) -> None:
    """Hold int8 twins against the float network and add the rows."""
    card = read_card(model)
    split = dataset.split(dataset.find_all(data), dataset.fold_of(card))
    with tempfile.TemporaryDirectory() as scratch:
        engines = dict(_twins(model, card, split, Path(scratch)))
    tuning = [*_xrays(split.tuning, card), _ct(ct, ct_model)]
    spent = _milliseconds(engines, tuning[0].inputs)
    base, rows = engines.pop(FLOAT), []
    about = circumstances(command("training.int8_check"))
    about |= {"model": card.name, "float_ms": spent[FLOAT]}
    for part, asked, names in (
        ("tuning", tuning, [*engines]),
        ("held_out", _xrays(split.held_out, card, STRESSES), [SHIPPED]),
    ):
        for each in asked:
            theirs = each.probabilities(base)
            for name in names:
                row = {"part": part, "twin": name, "ms": spent[name]}
                rows.append(about | row | each.compare(engines[name], theirs))
                print(rows[-1], flush=True)
    add_rows(out, rows)


if __name__ == "__main__":
    typer.run(main)
