"""Fit and judge the last layer for CT: features, cross-validation, probes, model folder.

`python -m training.ct --data ../shared/data/ct [--start NPZ]`; about 5 minutes on 2 cores, of which
the comparison with `--start`, ImageNet weights, takes half. Rewrites the rows in
`training/results/ct.csv` and `ct_probes.csv`.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from classifier.card import check_file, read_card
from classifier.engines.onnx import OnnxEngine
from classifier.labels import FloatArray
from classifier.model import MODELS
from classifier.study import SHARE_DECIDING
from training.ct.head import Table
from training.ct.package import package
from training.ct.probes import border_alone, erased, mask_alone, probe
from training.ct.slices import Slices, load_slices
from training.ct.validate import (
    by_patient,
    cross_validated,
    row,
    source_left_out,
)
from training.figures import NORMAL
from training.record import add_rows, circumstances, command

RESULTS = Path(__file__).parents[1] / "results"
SEEDS = 3
SHARES = (0.25, 0.5, 1.0)
# What ships, chosen by the rows of `ct.csv`.
ERASE = False

Answers = tuple[list[FloatArray], FloatArray]


def main(
    data: Annotated[Path, typer.Option(help="folder with slices-*/<label>/")],
    trunk: Annotated[Path, typer.Option(help="the model folder to sit on")] = MODELS
    / "resnet34_xray",
    out: Annotated[Path, typer.Option(help="the model folder to write")] = MODELS / "resnet34_ct",
    start: Annotated[Path | None, typer.Option(help="ImageNet weights to compare with")] = None,
) -> None:
    """Fit, judge and package."""
    card = read_card(trunk)
    slices, without = load_slices(data, card.input_size)
    print(f"{len(slices.classes)} slices with lung, {without} without", flush=True)
    engine = OnnxEngine(check_file(trunk, card, card.engine_file))
    features = {card.name: slices.features(engine)}
    if start is not None:
        # Imported here because only the comparison needs TensorFlow.
        from training.ct.imagenet import imagenet_features

        features["ImageNet, stage 3"] = imagenet_features(slices, start)
    tables = {
        name: Table(each, slices.classes, slices.sources, slices.patients)
        for name, each in features.items()
    }
    answers = {
        (name, erase): _answers(table, erase)
        for name, table in tables.items()
        for erase in (False, True)
    }
    _write("ct.csv", _rows(answers, tables[card.name]))
    table = tables[card.name]
    _write("ct_probes.csv", _probes(slices, table))
    seeds, left_out = (answers[card.name, ERASE][0], answers[card.name, ERASE][1])
    made = package(
        table,
        by_patient(seeds[0], table, SHARE_DECIDING),
        by_patient(left_out, table, SHARE_DECIDING),
        trunk,
        out,
        ERASE,
        without,
    )
    print(f"{out}: sure from {made.sure_from}")


def _answers(table: Table, erase: bool) -> Answers:
    seeds = [cross_validated(table, erase, seed) for seed in range(SEEDS)]
    return seeds, source_left_out(table, erase)


def _rows(
    answers: Mapping[tuple[str, bool], Answers], table: Table
) -> Iterator[Mapping[str, object]]:
    for (name, erase), (seeds, left_out) in answers.items():
        for share in SHARES:
            tried = {"trunk": name, "sources_erased": erase, "share_of_slices": share}
            yield {
                **tried,
                **row(
                    [by_patient(logits, table, share) for logits in seeds],
                    by_patient(left_out, table, share),
                ),
            }


def _probes(slices: Slices, table: Table) -> Iterator[Mapping[str, object]]:
    """Probe each look for the class, the source, and, within the source that has both, illness."""
    one = slices.sources == _of_both(slices)
    looks = {
        "mask alone": mask_alone(slices),
        "border alone": border_alone(slices),
        "features": table.features,
        "features, sources erased": erased(table),
    }
    for name, look in looks.items():
        asked = {
            "class": probe(look, table, slices.classes),
            "source": probe(look, table, np.unique(slices.sources, return_inverse=True)[1]),
            "ill_within_one_source": probe(
                look[one], table.of(one), (slices.classes[one] != NORMAL).astype(np.int64)
            ),
        }
        cells = {key: f"{np.mean(each):.3f} ± {np.std(each):.3f}" for key, each in asked.items()}
        yield {"look": name} | cells


def _of_both(slices: Slices) -> str:
    """Name the source that has ill and healthy."""
    for source in np.unique(slices.sources):
        if np.ptp((slices.classes[slices.sources == source] != NORMAL).astype(int)):
            return str(source)
    raise ValueError("no source has both ill and healthy")


def _write(name: str, rows: Iterator[Mapping[str, object]]) -> None:
    """Write the rows in the place of those that were there."""
    scratch = RESULTS / f"{name}.new"
    add_rows(scratch, [{**circumstances(command("training.ct")), **each} for each in rows])
    shutil.move(scratch, RESULTS / name)


if __name__ == "__main__":
    # Two BLAS threads that wait for each other take ten times as long on a busy machine.
    with threadpool_limits(1, "blas"):
        typer.run(main)
