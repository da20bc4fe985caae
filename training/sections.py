"""What later commands found of a model, as sections of its page."""

from typing import Any

from training.figures import Interval

SALIENCY = """## Does the map show what was learned?

`python -m training.saliency_check … --draws {draws}`, {pictures} held-out pictures, {heads} random
heads. Weights are drawn anew from the head downwards (Adebayo et al. 2018, arXiv 1810.03292) and
the maps compared by rank over the places. Features after a ReLU share their sign, and a random head
still reads what the trunk learned: such a map may keep its shape, but its sign is a toss-up, so
that the mean with its sign is near 0. With the trunk random as well, the likeness without its sign
should fall too, below that of two random heads on the trained features.

{stages}

The lung fields are two ellipses, the same for every picture, and not a segmentation; the map is
coarse, and each place of it sees far beyond itself. A map that looks nowhere in particular would
have in them what they take of the picture, {area:.1%}.

{lungs}
"""
SOURCE = """## Did it only learn the source?

`python -m training.source_probe …`, {pictures} pictures not trained on. Children and adults look
different, so features may well tell them apart. But the answer should not follow from the source
(0.5 is best there), and within one source a network that had only learned the source would be at
0.5 against pneumonia. Of the children the bacterial pictures of patients up to 1306 were taken in
another way than all the rest (`training/look_alone.py`), so that their kind is given away.

{areas}
"""
TOLD_APART = {
    "features": "source, from the features, among {}",
    "answer": "source, from the answer, among {}",
    "within": "pneumonia against normal, within `{}`",
    "kind": "viral against bacterial, the kind {} by how the picture was taken",
}


def saliency_section(found: dict[str, Any]) -> str:
    """Write what `training.saliency_check` found."""
    rows = {"two random heads": found["two_random_heads"]}
    rows |= {f"`{name}` and all above it random": each for name, each in found["stages"].items()}
    stages = ["| compared | correlation | without its sign |", "|---|---|---|"]
    stages += [
        f"| {name} | {interval_text(each['signed'])} | {interval_text(each['size'])} |"
        for name, each in rows.items()
    ]
    lungs = ["| ill of | what speaks for pneumonia, in the lung fields |", "|---|---|"]
    lungs += [f"| `{name}` | {interval_text(share)} |" for name, share in found["lungs"].items()]
    return SALIENCY.format(
        pictures=found["pictures"],
        draws=found["draws"],
        heads=found["heads"],
        area=found["lung_area"],
        stages="\n".join(stages),
        lungs="\n".join(lungs),
    )


def source_section(found: dict[str, Any]) -> str:
    """Write what `training.source_probe` found."""
    rows = [
        f"| {text.format(name)} | {interval_text(area)} |"
        for kind, text in TOLD_APART.items()
        # A model of an earlier version was not probed for the kind.
        for name, area in found.get(kind, {}).items()
    ]
    areas = "\n".join(["| what is told apart | AUROC |", "|---|---|", *rows])
    return SOURCE.format(pictures=found["pictures"], areas=areas)


def interval_text(interval: Interval) -> str:
    """Write a value and its interval."""
    value, low, high = interval
    return f"{value:.3f} ({low:.3f} – {high:.3f})"
