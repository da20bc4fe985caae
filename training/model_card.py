"""The card as a page for people."""

from pathlib import Path

from classifier.card import Card
from training.figures import stress_table, table

PAGE = """# {name}

A ResNet-34 that estimates normal, bacterial pneumonia and viral pneumonia on a chest X-ray.
Research software: **not a diagnosis and not a medical device.**

## Figures

On {measured[pictures]} held-out pictures of {measured[patients]} patients, none trained on, with
the shipped engine (`{engine_file}`). Intervals: 95 %, bootstrap over patients.

{table}

{stress}

{others}{sure_share:.1%} of the held-out pictures got a sure answer, the rest "unsure":

{sure}

![confusion](confusion.png) ![reliability](reliability.png)

## How it was made

- Recipe `{recipe}`, seed {seed}, {epochs} epochs, {minutes:.0f} minutes: `{command}`
- Data: {trained_on} {train} pictures to train, {tuning} to choose and calibrate.
- Temperature {temperature:.3f} and the thresholds come from the {calibrated_on} answers alone.
- int8 against float on the held-out pictures: same label on {same_label:.2%}, mean difference of
  probabilities {mean_difference:.4f}. {engine_choice}
- Versions: {versions}

## Limits

- Bacterial and viral were learned from children of 1 to 5 years of one hospital alone, on pictures
  of 224 × 224 pixels. On other machines and photographs of films its figures are not known; the
  stress figures are of pictures changed by a program.
- About one label in ten between bacterial and viral is doubtful in the source.
- Held-out children come from the same hospital as those trained on: expect less elsewhere,
  above all lower specificity.
- The gate (X-ray, CT or neither) learned photographs and other body parts from few or made-up
  pictures.
- The map shows where the network looked, not where an illness is.
"""


def write_model_card(card: Card, folder: Path) -> None:
    """Write MODEL_CARD.md into a model folder."""
    details = card.details
    is_int8 = "int8" in card.engine_file
    page = PAGE.format(
        name=card.name,
        engine_file=card.engine_file,
        table=table(card.figures),
        sure=_sure_table(card),
        recipe=card.recipe,
        command=card.command,
        trained_on=card.trained_on,
        temperature=card.temperature,
        measured=details["measured"],
        calibrated_on=details["calibrated_on"],
        stress=stress_table(card.figures, details["stress"]),
        others=_other_sources(card),
        train=details["pictures"]["train"],
        tuning=details["pictures"]["tuning"],
        sure_share=details["sure_share"],
        engine_choice="The int8 engine ships." if is_int8 else "Not enough: the float one ships.",
        versions=details["versions"],
        **{name: details["run"][name] for name in ("seed", "epochs", "minutes")},
        **details["int8_agreement"],
    )
    (folder / "MODEL_CARD.md").write_text(page, encoding="utf-8")


def _other_sources(card: Card) -> str:
    tables = (
        f"Held-out pictures of `{source}`:\n\n{table(measured)}\n\n"
        for source, measured in card.details["other_sources"].items()
    )
    return "".join(tables)


def _sure_table(card: Card) -> str:
    rows = ["| answer | sure from | sure answers | of them right |", "|---|---|---|---|"]
    for label, threshold in card.sure_from.items():
        counts = card.details["sure"][label]
        right = f"{counts['right'] / counts['answers']:.1%}" if counts["answers"] else "–"
        rows.append(f"| {label} | {threshold:.2f} | {counts['answers']} | {right} |")
    return "\n".join(rows)
