"""Measure how well films are found in photographs of them, and what is cut that should not be.

`python -m training.films --data CHILDREN --data ADULTS [--part tuning|held_out]` adds rows to
`training/results/films.csv`. Limits were chosen on the tuning part.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from PIL import Image, ImageDraw

from classifier import film
from classifier.film import Plane
from classifier.gate import CHEST, GATE, Gate
from classifier.labels import FloatArray
from classifier.model import MODELS, load_model
from classifier.preprocess import as_trained, to_grey, to_unit
from classifier.reading.picture import read_picture
from classifier.reading.scan import evenly
from training.augment import rounded
from training.dataset import Example, find_examples, split
from training.negatives import negatives
from training.photographs import KINDS, photograph
from training.record import add_rows, circumstances, command

RESULTS = Path(__file__).parent / "results" / "films.csv"
MODEL = MODELS / "resnet34_xray"
FOUND = 0.8
GRID = 256


def overlap(first: Plane, second: Plane) -> float:
    """Give intersection over union of two quadrilaterals (4, 2) in shares of a picture."""
    drawn = []
    for corners in (first, second):
        mask = Image.new("1", (GRID, GRID))
        ImageDraw.Draw(mask).polygon([(x, y) for x, y in (corners * GRID).tolist()], fill=1)
        drawn.append(np.asarray(mask))
    return float((drawn[0] & drawn[1]).sum() / max((drawn[0] | drawn[1]).sum(), 1))


class Bench:
    """Gate and network that pictures are held against."""

    def __init__(self, gate: Path) -> None:
        self.gate = Gate(gate)
        self.model = load_model(MODEL)

    def label(self, grey: FloatArray) -> int:
        """Give the likeliest class of a picture."""
        inputs = to_unit(as_trained(grey, self.model.card.input_size))[np.newaxis]
        return int(self.model.engine.run(inputs).logits[0].argmax())

    def films(self, kind: str, films: Sequence[FloatArray]) -> dict[str, object]:
        """Photograph films and look for them again."""
        cut, found, agrees, spent = [], [], [], []
        for seed, clean in enumerate(films):
            taken = photograph(rounded(255 * clean), kind, seed)
            grey, begun = taken.grey(), time.perf_counter()
            quad = film.find(grey, self.gate.likeness(grey), self.gate.likeness)
            spent.append(time.perf_counter() - begun)
            true = taken.corners / (grey.shape[1], grey.shape[0])
            cut.append(quad is not None)
            found.append(quad is not None and overlap(quad.corners, true) >= FOUND)
            shown = film.straighten(grey, quad.corners) if quad else grey
            agrees.append(self.label(shown) == self.label(clean))
        return _row(kind, cut, spent) | {
            "found": f"{np.mean(found):.4f}",
            "class_agrees": f"{np.mean(agrees):.4f}",
        }

    def others(self, name: str, greys: Sequence[FloatArray]) -> dict[str, object]:
        """Look for films where there is none; `let_in` counts what only the cut lets in."""
        cut, let_in, spent = [], [], []
        for grey in greys:
            begun = time.perf_counter()
            quad = film.find(grey, self.gate.likeness(grey), self.gate.likeness)
            spent.append(time.perf_counter() - begun)
            cut.append(quad is not None)
            straight = film.straighten(grey, quad.corners) if quad else grey
            kinds = [self.gate.look(each).kind in CHEST for each in (grey, straight)]
            let_in.append(kinds == [False, True])
        return _row(name, cut, spent) | {"let_in": f"{np.mean(let_in):.4f}"}


def _row(name: str, cut: Sequence[bool], spent: Sequence[float]) -> dict[str, object]:
    return {
        "pictures": name,
        "count": len(cut),
        "cut": f"{np.mean(cut):.4f}",
        "median_ms": f"{1000 * np.median(spent):.1f}",
    }


def _greys(examples: Sequence[Example], count: int) -> list[FloatArray]:
    """Read so many pictures, evenly spread."""
    return [to_grey(read_picture(each.path.read_bytes())) for each in evenly(examples, count)]


def main(
    data: Annotated[list[Path], typer.Option(help="labelled folders that are trained on")],
    part: Annotated[Literal["tuning", "held_out"], typer.Option()] = "held_out",
    count: Annotated[int, typer.Option(help="photographs of each kind")] = 24,
    gate: Annotated[Path, typer.Option(help="folder of the gate")] = GATE,
    out: Annotated[Path, typer.Option()] = RESULTS,
) -> None:
    """Measure photographs, ordinary X-rays and pictures of other things, and add the rows."""
    bench, rows = Bench(gate), []
    sources = {each.name: getattr(split(find_examples(each)), part) for each in data}
    everything = [example for examples in sources.values() for example in examples]
    for kind in KINDS:
        rows.append(bench.films(kind, _greys(everything, count)))
        print(rows[-1], flush=True)
    for name, examples in sources.items():
        rows.append(bench.others(f"ordinary, {name}", _greys(examples, 10 * count)))
        print(rows[-1], flush=True)
    pages = [*negatives(2 * count, 224, seed=11)]
    rows.append(bench.others("no scan", pages))
    taken = [
        photograph(rounded(255 * page), [*KINDS][i % len(KINDS)], i).grey()
        for i, page in enumerate(pages)
    ]
    rows.append(bench.others("photographs of no scan", taken))
    about = circumstances(command("training.films")) | {"part": part}
    add_rows(out, [about | row for row in rows])


if __name__ == "__main__":
    typer.run(main)
