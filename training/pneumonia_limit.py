"""Fit the limit of "pneumonia, kind not clear" of an installed model; the rest of it stays.

`python -m training.pneumonia_limit --model classifier/models/NAME --data CHILDREN --data ADULTS`
takes the very pictures that the model's card was calibrated on, and the temperature and thresholds
that stand there. What is sure is measured anew, cross-fitted as when the model was packaged.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from classifier.model import load_model
from training import dataset
from training.answering import answers_of
from training.calibrate import (
    PNEUMONIA,
    Answered,
    Limits,
    cross_fit,
    fit_limits,
    measure_with,
    pneumonia_from,
    told,
)
from training.dataset import load_pictures
from training.figures import sure_by_source
from training.model_card import write_model_card
from training.record import command


def main(
    model: Annotated[Path, typer.Option(help="a model folder")],
    data: Annotated[list[Path], typer.Option(help="folders of labels, as for training")],
) -> None:
    """Fit and note the limit, and what is sure with it."""
    loaded = load_model(model)
    card, details = loaded.card, loaded.card.details
    parts = dataset.split(dataset.find_all(data), details["run"]["fold"])
    found = {
        "train": len(parts.train),
        "tuning": len(parts.tuning),
        "held_out": len(parts.held_out),
    }
    if found != details["pictures"] or details["calibration"]["on"] == "out-of-fold":
        raise typer.BadParameter(f"the card was calibrated on other pictures than {found}")
    held_out = load_pictures(parts.held_out, card.input_size)
    answered = answers_of(loaded.engine, held_out)
    tuning = answers_of(loaded.engine, load_pictures(parts.tuning, card.input_size))
    both = Answered.joined([tuning, answered])
    limits = Limits(card.temperature, card.sure_from)
    print(f"the card's {limits}\nfitted now {fit_limits(both)}")
    limits = replace(limits, pneumonia_from=pneumonia_from(both, limits))
    proof = asdict(told(both, measure_with(limits, both))[PNEUMONIA])
    calibration = details["calibration"]
    calibration = calibration | {
        "proof": calibration["proof"] | {PNEUMONIA: proof},
        "later": {"command": command("training.pneumonia_limit")},
    }
    sure = sure_by_source(held_out.sources, answered, cross_fit(tuning, answered))
    card = replace(
        card,
        pneumonia_from=limits.pneumonia_from,
        details=details | {"calibration": calibration, "sure": sure},
    )
    card.write(model)
    write_model_card(card, model)
    print(f"pneumonia from {limits.pneumonia_from}: {proof}")


if __name__ == "__main__":
    typer.run(main)
