"""The card as a page for people.

`python -m training.model_card FOLDER` writes MODEL_CARD.md anew from card.json.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from classifier.card import Card, read_card
from training.calibrate import AT_MOST, PNEUMONIA
from training.figures import Interval, stress_table
from training.sections import interval_text, saliency_section, source_section

PAGE = """# {name}

A ResNet-34 that estimates normal, bacterial pneumonia and viral pneumonia on a chest X-ray.
Research software: **not a diagnosis and not a medical device.**

## Intended use

To try out, to teach and to study how such a network behaves, and to show doctors pictures in an
order with a first guess beside them. A doctor decides. Not for deciding on a treatment, not for
screening, not without a doctor, and not for other illnesses: it knows three words only.

{figures}
![confusion](confusion.png) ![reliability](reliability.png) ![sure answers](sure.png)

## Data and licences

{trained_on}

{counts}

Of the held-out fifth nothing was trained on. Besides the limits of sure answers it decides whether
int8 agrees with float closely enough to ship, and whether a model replaces the one before.

## How it was made

- Recipe `{recipe}`, seed {seed}, fold {fold}, {epochs} epochs, {minutes:.0f} minutes: `{command}`
- One seed and one fold: how much the figures vary with either is not known.
- int8 against float on the held-out pictures: same label on {same_label:.2%}, mean difference of
  probabilities {mean_difference:.4f}. {engine_choice}
- Versions: {versions}

## Limits

- Bacterial and viral were learned from children of 1 to 5 years of one hospital alone, on pictures
  stored with 224 × 224 pixels, of which the network sees 160 × 160. On other machines and
  photographs of films its figures are not known; the stress figures are of pictures changed by a
  program.
- Most bacterial pictures of the source were taken in another way than the viral ones, and what
  names a kind goes by that too: where it does not help, viral and bacterial are told apart poorly
  ("Did it only learn the source?"). So expect it of other hospitals.
- Held-out children come from the same hospital as those trained on: expect less elsewhere,
  above all lower specificity.
- What is promised of sure answers holds for patients like those measured. It is no promise for
  another hospital, another age or another share of ill people.
- What is no frontal chest X-ray is told by a gate, which `docs/gate.md` of the project measures.
- The map shows where the network looked, not where an illness is.
"""

FIGURES = """## Figures

On held-out pictures of patients none of whom was trained on, with the shipped engine
(`{engine_file}`), by the command under "How it was made". In brackets 95 %
intervals, bootstrap over patients. `ece_by_chance` is what exact probabilities would show as `ece`
on as many pictures, and the range of 95 in 100 draws of their labels. Pneumonia of adults is of
unknown cause, so that three classes cannot be told.

{per_source}

The same pictures of `{first}`, changed as another hospital or a phone might show them
(`training/stress.py`):

{stress}

## Sure answers

An answer is sure from a certain confidence on; below it the model says "unsure". That confidence is
the lowest at which an exact bound over patients (Clopper and Pearson, one-sided, 95 %) still keeps
the promise, looked for from the strictest down until one fails (fixed sequence testing:
Angelopoulos et al. 2021, arXiv 2110.01052), so that looking at many needs no correction. What ships
lies a tenth in log odds above: enlarged or saved anew, 95 in 100 pictures move by less. Each
promise holds with 95 % certainty by itself, and for the sources taken together, not for each.
"Pneumonia" (of a kind that is not clear) is for pictures that are told no label, from that sum of
bacterial and viral on; its promise is that they are not normal.

{promises}

{unaided}They come from the {calibrated_on} answers; so does the temperature, {temperature:.3f}.
{later}{honesty}

{sure}

Pneumonia of unknown cause is left out where the kind is told, and counts as right where only
"pneumonia" is. In use a picture with a doubt, such as one unlike those trained on, gets no sure
answer; and the limits that ship are not quite those measured here. Where bacterial and viral are
close, no kind is named, and "pneumonia" may be.
"""

CROSS_FITTED = """What follows was measured without them: each fifth of the held-out patients was
read with a temperature and thresholds fitted to the other four and the tuning part, and so were
Brier score and calibration error above."""
OUT_OF_FOLD = "No held-out patient is among those, so that what follows was measured with them."
UNAIDED = """In the children's set a kind can be told by how a picture was taken: bacterial ones of
patients up to 1306 look unlike all others ("Did it only learn the source?" below). Without them, at
the ratio of kinds with them, at most a third of those told a kind may be wrong:

{rows}

"""
LATER = """The thresholds were fitted after all else, which leaves the network and the temperature
alone, by `{command}`.
"""
SHARES = {"share": "any", "named": "a label"}


def main(
    folder: Annotated[Path, typer.Argument(help="a model folder")],
) -> None:
    """Write the page of a model folder."""
    write_model_card(read_card(folder), folder)


def note(folder: Path, name: str, found: dict[str, Any]) -> None:
    """Add to a card what a later command found, and write its page anew."""
    card = read_card(folder)
    card = replace(card, details=card.details | {name: found})
    card.write(folder)
    write_model_card(card, folder)


def write_model_card(card: Card, folder: Path) -> None:
    """Write MODEL_CARD.md into a model folder."""
    details = card.details
    is_int8 = "int8" in card.engine_file
    page = PAGE.format(
        name=card.name,
        figures=figures_page(card),
        trained_on=card.trained_on,
        counts=_counts(card),
        recipe=card.recipe,
        command=card.command,
        engine_choice="The int8 engine ships." if is_int8 else "Not enough: the float one ships.",
        versions=details["versions"],
        **{name: details["run"][name] for name in ("seed", "fold", "epochs", "minutes")},
        **details["int8_agreement"],
    )
    (folder / "MODEL_CARD.md").write_text(page, encoding="utf-8")


def figures_page(card: Card) -> str:
    """Write all that was measured."""
    calibration, sources = card.details["calibration"], card.details["sources"]
    page = FIGURES.format(
        engine_file=card.engine_file,
        first=next(iter(sources)),
        per_source=_per_source(card),
        stress=stress_table(card.figures, card.details["stress"]),
        promises=_promises(card),
        unaided=_unaided(card),
        calibrated_on=calibration["on"],
        temperature=card.temperature,
        later=LATER.format(**calibration["later"]) if "later" in calibration else "",
        honesty=OUT_OF_FOLD if calibration["on"] == "out-of-fold" else CROSS_FITTED,
        sure=_sure(card),
    )
    later = {"saliency": saliency_section, "source_probe": source_section}
    return page + "".join(
        f"\n{section(card.details[name])}"
        for name, section in later.items()
        if name in card.details
    )


def _per_source(card: Card) -> str:
    first, *_ = sources = card.details["sources"]
    measured = {first: card.figures} | card.details["other_sources"]
    heads = [f"`{source}`: {each['held_out']} pictures" for source, each in sources.items()]
    rows = [
        f"| {name} | {' | '.join(_cell(measured[source], name) for source in sources)} |"
        for name in card.figures
    ]
    return "\n".join([f"| figure | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|", *rows])


def _cell(measured: dict[str, Interval], name: str) -> str:
    return interval_text(measured[name]) if name in measured else "–"


def _promises(card: Card) -> str:
    rows = ["| answer | wrongly told | sure from | proven on | of them wrong |", "|---" * 5 + "|"]
    thresholds = {str(label): share for label, share in card.sure_from.items()}
    thresholds[PNEUMONIA] = card.pneumonia_from
    for label, proof in card.details["calibration"]["proof"].items():
        threshold, most = thresholds[label], AT_MOST[label]
        found = f"{threshold:.3f} | {proof['patients']} patients | {proof['wrong']}"
        rows.append(f"| {label} | ≤ {most:.0%} | {found if threshold < 1 else 'never | – | –'} |")
    return "\n".join(rows)


def _unaided(card: Card) -> str:
    found = card.details["calibration"].get("unaided")
    if not found:
        return ""
    rows = ["| answer | told | of them wrong | bound, 95 % |", "|---" * 4 + "|"]
    return UNAIDED.format(rows="\n".join(rows + [f"| {_told(*each)} |" for each in found.items()]))


def _told(answer: str, told: dict[str, Any]) -> str:
    bound = f"≤ {told['wrong_at_most']:.1%}" if told["patients"] else "–"
    return f"{answer} | {told['patients']} patients | {told['wrong']} | {bound}"


def _sure(card: Card) -> str:
    rows = ["| pictures | answer | sure | of them wrong | bound, 95 % |", "|---" * 5 + "|"]
    for source, found in card.details["sure"].items():
        # A card of an earlier version has no `named`.
        for name in [name for name in SHARES if name in found]:
            value, low, high = found[name]
            share = f"{value:.1%} ({low:.1%} – {high:.1%}) of pictures"
            rows.append(f"| `{source}` | {SHARES[name]} | {share} | | |")
        for label, told in found["told"].items():
            rows.append(f"| `{source}` | {_told(label, told)} |")
    return "\n".join(rows)


def _counts(card: Card) -> str:
    rows = ["| source | to train | to choose | held out |", "|---|---|---|---|"]
    rows += [
        f"| `{source}` | {each['train']} | {each['tuning']} | {each['held_out']} |"
        for source, each in card.details["sources"].items()
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    typer.run(main)
