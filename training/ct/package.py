"""A model folder for CT: a head of its own on the network of another folder, and an honest card."""

from pathlib import Path

import numpy as np

from classifier.card import WEIGHTS, Card, read_card, sha256
from classifier.labels import Label, Modality
from classifier.likeness import Likeness
from classifier.model import HEAD, LIKENESS, calibrated
from training.calibrate import NEVER
from training.ct.head import Table, fit_head
from training.ct.validate import (
    Patients,
    is_of_new,
    measure,
    sure_from,
    temperature,
)
from training.figures import Predictions, figures, table
from training.likeness import fit_likeness
from training.record import command, versions

DATA = (
    "MosMedData (CC BY-NC-ND 3.0), the Sun Yat-sen set and a set of healthy lungs (licences "
    "stated nowhere): research use only."
)
PAGE = """# {name}

**Experimental.** A last layer for chest CT (normal, bacterial, viral pneumonia) on the network of
`{trunk}`, which learned from X-rays and stays as it is. Research software, for research use
only: **not a diagnosis and not a medical device.**

## What to expect

{promise}

On {patients} patients ({slices} slices), each answered by a layer that saw none of their slices,
one answer for each patient. Every class comes from other scanners, so part of this is the scanners:

{table}

By source, and with all of that source left out, which is what a new clinic is (before the
temperature, which draws the probabilities together):

{sources}

How it was chosen and what the masks and borders give away: `docs/ct.md`, `training/results/ct.csv`,
`training/results/ct_probes.csv`.

## How it was made

- `{command}`
- Data: {trained_on} Labels are known for each patient only; {without} slices showed no lung.
- One segmentation for every source (`classifier/lungs.py`), outside the lungs black, brightness and
  contrast set to one standard; logistic regression on pooled features, patients, sources and
  classes weighing the same{erased}.
- Temperature {temperature:.3f} and the thresholds come from answers with whole sources left out.
- Versions: {versions}

## Limits

- Bacterial pneumonia comes from one source alone: nothing is known of it elsewhere.
- 9 healthy patients besides those of one city; no children; no other illnesses.
- The map shows where the network looked, not where an illness is.
"""


def package(
    table: Table,
    held_out: Patients,
    left_out: Patients,
    trunk: Path,
    folder: Path,
    erase: bool,
    without: int,
) -> Card:
    """Write the model folder and give its card.

    `held_out` are the answers to patients left out, `left_out` those to sources left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    below = read_card(trunk)
    head = fit_head(table, erase)
    head.save(folder / HEAD)
    _likeness(table).save(folder / LIKENESS)
    warmth = temperature(left_out)
    shares = calibrated(held_out.logits, warmth)
    card = Card(
        name=folder.name,
        modality=Modality.CT,
        input_size=below.input_size,
        engine_file=below.engine_file,
        trunk=below.name,
        temperature=warmth,
        sure_from=sure_from(left_out, warmth),
        recipe="ct",
        trained_on=DATA,
        command=command("training.ct"),
        figures=figures(Predictions(shares, held_out.classes, held_out.names)),
        files={
            name: digest
            for name, digest in below.files.items()
            if name in (below.engine_file, WEIGHTS)
        }
        | {name: sha256(folder / name) for name in (HEAD, LIKENESS)},
        details={
            "experimental": True,
            "erased": erase,
            "patients": len(held_out.names),
            "slices": len(table.classes),
            "without_lung": without,
            "patients_left_out": measure(held_out),
            "sources_left_out": measure(left_out),
            "versions": versions(),
        },
    )
    card.write(folder)
    (folder / "MODEL_CARD.md").write_text(_page(card), encoding="utf-8")
    return card


def _likeness(table: Table) -> Likeness:
    """Measure likeness by patients: the mean of their slices, a fifth of them for the scale."""
    names = np.unique(table.patients)
    means = np.stack([table.features[table.patients == name].mean(0) for name in names])
    others = np.arange(len(names)) % 5 > 0
    return fit_likeness(means[others], means[~others])


def _page(card: Card) -> str:
    details = card.details
    return PAGE.format(
        name=card.name,
        trunk=card.trunk,
        promise=_promise(card),
        table=table(card.figures),
        sources=_sources(details["patients_left_out"], details["sources_left_out"]),
        patients=details["patients"],
        slices=details["slices"],
        without=details["without_lung"],
        command=card.command,
        trained_on=card.trained_on,
        temperature=card.temperature,
        erased=", source directions taken out" if details["erased"] else "",
        versions=details["versions"],
    )


def _promise(card: Card) -> str:
    """Say which labels are ever told."""
    told = [label for label in Label if card.sure_from[label] < NEVER]
    if told:
        return f"Only these are ever told, the rest is unsure: {', '.join(told)}."
    return (
        '**The answer is always "unsure".** No label keeps its promise on a source left out '
        "(at most 2 % of those told normal are ill, at most 10 % of those told a pneumonia have "
        "something else, at 95 % certainty): the probabilities are shown, no class is named."
    )


def _sources(within: dict[str, float], new: dict[str, float]) -> str:
    rows = [
        f"| {name.replace('_', ' ')} | {value:.3f} | {_of_new(name, new)} |"
        for name, value in within.items()
    ]
    head = ["| figure | patients left out, one seed | source left out |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def _of_new(name: str, new: dict[str, float]) -> str:
    return f"{new[name]:.3f}" if is_of_new(name) and name in new else "–"
