"""What is answered to a part of a film, and to two films in one picture?

`python -m training.cut_films --data FOLDER [--data FOLDER] [--fold 0]` shows the shipped models and
gate held-out films, whole, cut in the ways of `gate_parts.CUTS` and beside another one, and adds
rows to `training/results/cut_films.csv`: to how many of each label what was answered.
"""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from classifier.classifier import Answer, Classifier
from classifier.gate import Gate
from classifier.labels import Label
from classifier.model import load_installed
from classifier.reading.isolated import IsolatedReader
from classifier.reading.scan import Scan, Study, Units
from training.augment import Grey
from training.dataset import WRITTEN, Pictures, find_examples, load_pictures, split
from training.gate_data import FILM
from training.gate_parts import variants
from training.record import add_rows, circumstances, command

RESULTS = Path(__file__).parent / "results" / "cut_films.csv"
ANSWERS = (*Label, "pneumonia", "unsure", "refused")


def answered(answer: Answer) -> str:
    """Name what a patient is told."""
    return answer.finding.told if answer.finding else "refused"


async def counted(classifier: Classifier, pictures: Pictures) -> list[dict[str, object]]:
    """Count the answers to pictures: a row for each label they may have."""
    given: dict[Label | None, list[str]] = {}
    for pixels, number in zip(pictures.pixels, pictures.classes.tolist(), strict=True):
        answer = await classifier.answer(_study(pixels))
        given.setdefault(WRITTEN[number], []).append(answered(answer))
    return [
        {"label": label or "pneumonia", "count": len(told)}
        | dict.fromkeys(ANSWERS, 0)
        | Counter(told)
        for label, told in given.items()
    ]


def _study(pixels: Grey) -> Study:
    return Study((Scan(pixels, Units.GREY, None, None),))


def _films(folder: Path, fold: int, count: int) -> Pictures:
    """Load at most so many held-out films of each label, evenly."""
    examples = split(find_examples(folder), fold).held_out
    chosen = []
    for label in WRITTEN:
        mine = [each for each in examples if each.label is label]
        chosen += mine[:: max(1, -(-len(mine) // count))]
    return load_pictures(chosen, FILM)


async def _measure(data: list[Path], fold: int, count: int) -> list[dict[str, object]]:
    rows = []
    with IsolatedReader() as reader:
        async with Classifier(reader, load_installed(), Gate()) as classifier:
            for folder in data:
                films = _films(folder, fold, count)
                for name, pixels in ({"whole": films.pixels} | variants(films.pixels)).items():
                    for row in await counted(classifier, replace(films, pixels=pixels)):
                        rows.append({"source": folder.name, "picture": name} | row)
                    print(f"{folder.name}, {name}", flush=True)
    return rows


def main(
    data: Annotated[list[Path], typer.Option(help="labelled folders of X-rays")],
    fold: Annotated[int, typer.Option(help="whose held-out films")] = 0,
    count: Annotated[int, typer.Option(help="films of each label")] = 100,
    out: Annotated[Path, typer.Option()] = RESULTS,
) -> None:
    """Answer films of every folder, whole and cut, and add the rows."""
    rows = asyncio.run(_measure(data, fold, count))
    add_rows(out, [circumstances(command("training.cut_films")) | row for row in rows])


if __name__ == "__main__":
    typer.run(main)
