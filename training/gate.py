"""Train the gate and measure it, in one command.

`python -m training.gate --xray CHILDREN --xray ADULTS --ct CT --others OTHERS --start START.npz
[--series CT_SERIES]`

`OTHERS` is what `training.gate_pictures` gathered, `START.npz` holds folded ResNet-18 weights. One
pass through the frozen part, then small heads: about six minutes on 2 cores. Patients and files are
split seven, one and two of ten: to fit, to choose thresholds, and to measure. Each family is also
measured by heads that never saw one of its pictures.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

from classifier.card import sha256
from classifier.engines.onnx import session
from classifier.gate import ENGINE, GATE, OUTPUTS, Gate, GateCard, Kind, chest_score
from classifier.labels import FloatArray
from training import gate_heads, gate_measure, gate_parts, laterals
from training.augment import Grey
from training.gate_data import Part, Shown, films, gather, inputs, is_chest, samples, thinned
from training.gate_graph import SIZE
from training.record import add_rows, circumstances, command
from training.stress import STRESSES, stressed

RESULTS = Path(__file__).parent / "results" / "gate.csv"
# More of one source say nothing new.
MOST = 1000
# Of the tuning chests of each source at least so many must be let in, of films photographed in
# colour, and of films counted as whole.
LET_IN, FILMS_LET_IN, WHOLE = 0.995, 0.999, 0.995
# Of upright tuning X-rays, clean or changed, at most so many may be turned or inverted; the
# probability that this takes is never set below `SURE`.
WRONGLY, SURE = 0.0005, 0.9


def main(
    xray: Annotated[list[Path], typer.Option(help="folder of chest X-rays, <label>/…")],
    ct: Annotated[list[Path], typer.Option(help="folder of chest CT slices, <label>/…")],
    others: Annotated[Path, typer.Option(help="what training.gate_pictures gathered")],
    start: Annotated[Path, typer.Option(help="folded ResNet-18 weights (.npz)")],
    series: Annotated[
        list[Path] | None,
        typer.Option(help="folder of a chest CT's DICOM slices, projected; only measured"),
    ] = None,
    out: Annotated[Path, typer.Option(help="folder of the gate")] = GATE,
    results: Annotated[Path, typer.Option(help="CSV that gets the rows")] = RESULTS,
) -> None:
    """Train, choose thresholds on the tuning part, write the gate, measure it."""
    shown = gather(xray, ct, others)
    train, tuning, held_out = (shown.part(part) for part in Part)
    seen = samples(Shown.joined([thinned(train, MOST), laterals.drawn()]))
    whole = films(xray)
    features = gate_heads.extract(start, seen.pixels)
    parted = gate_parts.samples(thinned(whole.part(Part.TRAIN), MOST))
    of_films = gate_heads.extract(start, parted.pixels)
    heads = gate_heads.fit(features, seen, of_films, parted.is_part)
    out.mkdir(parents=True, exist_ok=True)
    gate_heads.save(heads, start, out / ENGINE)
    chosen_card(out / ENGINE, tuning, whole.part(Part.TUNING)).write(out)
    gate = Gate(out)
    rows = [*gate_measure.of_chests(gate, held_out), *gate_measure.of_families(gate, held_out)]
    rows += gate_measure.of_parts(gate, whole.part(Part.HELD_OUT))
    if series:
        rows += gate_measure.of_projected(gate, laterals.projected(series))
    chests = held_out.of(is_chest(held_out.families))
    known = gate_heads.extract(start, inputs(chests.pixels))
    rows += gate_measure.of_strangers(heads, features, seen, known, chests.groups)
    about = circumstances(command("training.gate"))
    add_rows(results, [about | row for row in rows])
    print(gate_measure.page(rows))


def chosen_card(network: Path, tuning: Shown, whole: Shown) -> GateCard:
    """Choose the thresholds on tuning pictures and films, and write down what the gate is."""
    chests = tuning.of(is_chest(tuning.families))
    xrays = tuning.of(tuning.families == Kind.XRAY)
    scores = _said(network, chests.pixels).chest
    lowest = [
        np.quantile(scores[chests.sources == each], 1 - LET_IN) for each in set(chests.sources)
    ]
    changed = {kind: stressed(xrays.pixels, kind) for kind in STRESSES}
    photographed = _said(network, changed["photo"])
    upright = _said(network, np.concatenate([xrays.pixels, *changed.values()]))
    return GateCard(
        sha256=sha256(network),
        input_size=SIZE,
        chest_from=float(min(lowest)),
        coloured_from=float(max(*lowest, np.quantile(photographed.chest, 1 - FILMS_LET_IN))),
        turned_from=_beyond(upright.turns[:, 1:].max(1)),
        inverted_from=_beyond(upright.inverted[:, 1]),
        part_from=float(np.quantile(_said(network, whole.pixels).part[:, 1], WHOLE)),
        command=command("training.gate"),
    )


def _beyond(wrong: FloatArray) -> float:
    """Find the probability from which hardly one of these, all wrong, is believed."""
    return max(SURE, float(np.quantile(wrong, 1 - WRONGLY)))


class _Said(NamedTuple):
    """Of n pictures: scores for a chest (n,), shares of turns (n, 4), inversion, parts (n, 2)."""

    chest: FloatArray
    turns: FloatArray
    inverted: FloatArray
    part: FloatArray


def _said(network: Path, pixels: Grey) -> _Said:
    kinds, turns, inverted, part, distance = gate_heads.run_in_parts(
        session(network), OUTPUTS, inputs(pixels)
    )
    return _Said(chest_score(kinds[:, 0] + kinds[:, 1], distance), turns, inverted, part)


if __name__ == "__main__":
    typer.run(main)
