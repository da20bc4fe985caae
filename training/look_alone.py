"""How far the mere look of a picture carries: what a linear probe on a few greys tells apart.

`python -m training.look_alone --data CHILDREN` shows each picture at 24 x 24 pixels to a logistic
regression that was fitted to other patients, and adds rows to `training/results/look_alone.csv`.
That is too coarse for any sign of an illness but its shade. What it tells apart all the same may
differ in how the pictures were taken or laid out, and a network may go by that too.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from classifier.labels import Label
from training import dataset
from training.acquisitions import FIRST_LIKE_THE_REST
from training.dataset import Example, load_pictures
from training.figures import area
from training.record import add_rows, circumstances, columns, command
from training.source_probe import probed

RESULTS = Path(__file__).parent / "results" / "look_alone.csv"
SIDE = 24
# Cuts the early bacterial pictures where nothing is known to change.
ANYWHERE = 450

Are = Callable[[Example], bool]


def are(label: Label, first: int = 0, end: int = 1_000_000) -> Are:
    """Choose the pictures of a label whose patients are numbered from `first` to before `end`."""
    return lambda example: example.label is label and first <= _number(example) < end


COMPARED: dict[str, tuple[Are, Are]] = {
    "bacterial: patients up to 1306, later ones": (
        are(Label.BACTERIAL, end=FIRST_LIKE_THE_REST),
        are(Label.BACTERIAL, FIRST_LIKE_THE_REST),
    ),
    "bacterial: patients up to 449, up to 1306": (
        are(Label.BACTERIAL, end=ANYWHERE),
        are(Label.BACTERIAL, ANYWHERE, FIRST_LIKE_THE_REST),
    ),
    "viral: patients up to 1306, later ones": (
        are(Label.VIRAL, end=FIRST_LIKE_THE_REST),
        are(Label.VIRAL, FIRST_LIKE_THE_REST),
    ),
    "bacterial up to patient 1306, viral": (
        are(Label.BACTERIAL, end=FIRST_LIKE_THE_REST),
        are(Label.VIRAL),
    ),
    "bacterial of later patients, viral": (
        are(Label.BACTERIAL, FIRST_LIKE_THE_REST),
        are(Label.VIRAL),
    ),
    "normal, pneumonia": (are(Label.NORMAL), lambda example: example.label is not Label.NORMAL),
}


def main(
    data: Annotated[Path, typer.Option(help="the children's folder, with Kaggle's names")],
    out: Annotated[Path, typer.Option()] = RESULTS,
) -> None:
    """Probe each pair of groups, and add the rows."""
    examples = dataset.find_examples(data)
    pictures = load_pictures(examples, SIDE)
    greys = pictures.inputs().reshape(len(examples), -1)
    about = circumstances(command("training.look_alone"))
    rows: list[dict[str, object]] = []
    for name, groups in COMPARED.items():
        first, second = (np.array([chosen(each) for each in examples]) for chosen in groups)
        mine, patients = first | second, pictures.patients
        scores = probed(greys[mine], second[mine], patients[mine])
        found = area(second[mine], scores, patients[mine])
        counts = {"first": int(first.sum()), "second": int(second.sum())}
        rows.append({**about, "told_apart": name, **counts, **columns({"auroc": found})})
        print(f"{name}: {found[0]:.3f} ({found[1]:.3f} - {found[2]:.3f}), {counts}")
    add_rows(out, rows)


def _number(example: Example) -> int:
    numbered = re.search(r"\d+$", example.patient)
    return int(numbered[0]) if numbered else 0


if __name__ == "__main__":
    typer.run(main)
