"""How well the gate does: on chests as they are and changed, turned, and on each other family."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.gate import CHEST, Gate, Kind
from classifier.labels import FloatArray
from classifier.reading.scan import Scan, Units
from training.figures import auroc
from training.gate_data import KIND_OF, Samples, Shown, is_chest, thinned, turned
from training.gate_heads import Features, Heads, chest_scores, without
from training.gate_parts import variants
from training.stress import STRESSES, stressed

# So many of a source are enough to be changed and turned.
CHANGED = 200
RESAMPLES = 200
FALSE_REFUSAL = 0.01
CLEAN = "as it is"
REFUSED = "refused or taken for the other"
Row = dict[str, object]
Names = NDArray[np.str_]


def of_chests(gate: Gate, held_out: Shown) -> list[Row]:
    """Measure refusals and turns of held-out chests, as they are and changed."""
    rows: list[Row] = []
    for source in np.unique(held_out.sources[is_chest(held_out.families)]).tolist():
        mine = held_out.of(held_out.sources == source)
        rows += _of_chests(gate, mine, source, CLEAN)
        few = thinned(mine, CHANGED)
        for kind in STRESSES:
            rows += _of_chests(gate, few.with_pixels(stressed(few.pixels, kind)), source, kind)
        if few.families[0] == Kind.XRAY:
            rows += _turned(gate, few, source)
    return rows


def _of_chests(gate: Gate, mine: Shown, source: str, changed: str) -> list[Row]:
    looks = [gate.look(grey) for grey in mine.greys()]
    right = [look.kind == family for look, family in zip(looks, mine.families, strict=True)]
    wrong = {REFUSED: [not each for each in right]}
    if mine.families[0] == Kind.XRAY:
        wrong["turned wrongly"] = [look.quarter_turns != 0 for look in looks]
        wrong["inverted wrongly"] = [look.is_inverted for look in looks]
    return [_share(what, source, changed, each, mine.groups) for what, each in wrong.items()]


def _turned(gate: Gate, few: Shown, source: str) -> list[Row]:
    """Turn and invert pictures, and look whether they are put right."""
    rows = []
    for turns in (1, 2, 3):
        greys = few.with_pixels(np.stack([turned(each, turns)[0] for each in few.pixels])).greys()
        righted = [gate.look(grey).quarter_turns == turns for grey in greys]
        rows.append(_share("put right", source, f"turned by {90 * turns}°", righted, few.groups))
    looks = [gate.look(grey) for grey in few.with_pixels(255 - few.pixels).greys()]
    righted = [look.is_inverted and not look.quarter_turns for look in looks]
    return [*rows, _share("put right", source, "inverted", righted, few.groups)]


def of_parts(gate: Gate, held_out: Shown) -> list[Row]:
    """Cut held-out films, put two in a picture, and look which are taken for a part of a film."""
    rows = []
    for source in np.unique(held_out.sources).tolist():
        mine = held_out.of(held_out.sources == source)
        rows.append(_parted(gate, mine, source, CLEAN))
        few = thinned(mine, CHANGED)
        ways = {kind: stressed(few.pixels, kind) for kind in STRESSES} | variants(few.pixels)
        rows += [_parted(gate, few.with_pixels(each), source, name) for name, each in ways.items()]
    return rows


def _parted(gate: Gate, mine: Shown, source: str, changed: str) -> Row:
    parted = [gate.look(grey).is_part for grey in mine.greys()]
    return _share("taken for a part", source, changed, parted, mine.groups)


def of_families(gate: Gate, held_out: Shown) -> list[Row]:
    """Measure held-out pictures of the other families against held-out chests."""
    chests = held_out.of(is_chest(held_out.families))
    own = np.array([gate.look(grey).chest for grey in chests.greys()])
    rows = []
    for family in np.unique(held_out.families[~is_chest(held_out.families)]).tolist():
        mine = held_out.of(held_out.families == family)
        looks = [gate.look(grey) for grey in mine.greys()]
        scores = np.array([look.chest for look in looks])
        rows += _told_apart(own, scores, chests.groups, mine.groups, family, "known")
        let_in = [
            gate.modality(_scan(chroma), look) is not None
            for chroma, look in zip(mine.chroma.tolist(), looks, strict=True)
        ]
        rows.append(_share("let in", family, "known", let_in, mine.groups))
    return rows


def of_strangers(
    heads: Heads, features: Features, seen: Samples, chests: Features, groups: Names
) -> list[Row]:
    """Leave out one family after the other, and measure it with heads that never saw it.

    `features` are those of the training pictures `seen`, `chests` those of held-out chests of
    `groups`.
    """
    rows = []
    for family in np.unique(seen.families).tolist():
        if KIND_OF[family] in CHEST:
            continue
        stranger = without(family, heads, features, seen)
        mine = seen.families == family
        own, scores = (chest_scores(stranger, each) for each in (chests, features.of(mine)))
        rows += _told_apart(own, scores, groups, seen.groups[mine], family, "left out")
    return rows


def of_projected(gate: Gate, projected: Shown) -> list[Row]:
    """Look which projections of each CT series are let in."""
    rows = []
    for series in np.unique(projected.groups).tolist():
        for family in np.unique(projected.families).tolist():
            mine = projected.of((projected.groups == series) & (projected.families == family))
            let_in = [gate.look(each).kind in CHEST for each in mine.greys()]
            condition = f"projected from CT {series}"
            rows.append(_share("let in", family, condition, let_in, mine.groups))
    return rows


def page(rows: Sequence[Row]) -> str:
    """Write the rows as Markdown tables: the other families, refused chests, turns."""
    of_family = [row for row in rows if row["condition"] in ("known", "left out")]
    rest = [row for row in rows if row not in of_family]
    refused = [row for row in rest if row["figure"] == REFUSED]
    others = [row for row in rest if row not in refused]
    tables = (
        _table(of_family, ("of",), ("condition", "figure")),
        _table(refused, ("condition",), ("of",)),
        _table(others, ("condition",), ("of", "figure")),
    )
    return "\n\n".join(tables)


def _table(rows: Sequence[Row], down: Sequence[str], across: Sequence[str]) -> str:
    def named(row: Row, names: Sequence[str]) -> str:
        return ": ".join(str(row[name]) for name in names)

    cells = {
        (named(row, down), named(row, across)): f"{row['value']} ({row['low']} – {row['high']})"
        for row in rows
    }
    columns = list(dict.fromkeys(column for _, column in cells))
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in dict.fromkeys(line for line, _ in cells):
        values = (cells.get((name, column), "–") for column in columns)
        lines.append(f"| {name} | {' | '.join(values)} |")
    return "\n".join(lines)


def _told_apart(
    own: FloatArray,
    scores: FloatArray,
    own_groups: Names,
    groups: Names,
    family: str,
    condition: str,
) -> list[Row]:
    """Measure AUROC, and what is let in where one chest in a hundred is refused."""
    let_in = scores >= np.quantile(own, FALSE_REFUSAL)
    rng = np.random.default_rng(0)
    drawn = [
        _auroc(own[_redrawn(own_groups, rng)], scores[_redrawn(groups, rng)])
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, (2.5, 97.5))
    whole = _row("auroc", family, condition, _auroc(own, scores), low, high, groups)
    return [whole, _share("false accept at 1 %", family, condition, let_in, groups)]


def _auroc(own: FloatArray, scores: FloatArray) -> float:
    truth = np.repeat([1, 0], [len(own), len(scores)])
    return auroc(truth, np.concatenate([own, scores]))


def _redrawn(groups: Names, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw whole patients or files: pictures of one are not independent."""
    names, numbers = np.unique(groups, return_inverse=True)
    times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
    return np.repeat(np.arange(len(groups)), times[numbers])


def _share(
    figure: str, of: str, condition: str, hits: Sequence[bool] | NDArray[np.bool_], groups: Names
) -> Row:
    """Give a share with Wilson's interval, as of one picture for each patient or file."""
    share, count, z = float(np.mean(hits)), len(np.unique(groups)), 1.96
    middle = share + z**2 / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low, high = ((middle + side * reach) / (1 + z**2 / count) for side in (-1, 1))
    return _row(figure, of, condition, share, max(low, 0.0), high, groups)


def _row(
    figure: str, of: str, condition: str, value: float, low: float, high: float, groups: Names
) -> Row:
    ends = {"value": f"{value:.4f}", "low": f"{low:.4f}", "high": f"{high:.4f}"}
    about = {"figure": figure, "of": of, "condition": condition, "pictures": len(groups)}
    return {**about, "groups": len(np.unique(groups)), **ends}


def _scan(chroma: float) -> Scan:
    return Scan(np.zeros((1, 1), np.float32), Units.GREY, None, None, chroma=chroma)
