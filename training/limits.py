"""Fit anew from which confidence an installed model is sure; its network and temperature stay.

`python -m training.limits --model classifier/models/NAME --data CHILDREN --data ADULTS`
takes the very pictures that the model's card was calibrated on, and the temperature that stands
there. The figures and what is sure are measured anew, cross-fitted as when the model was packaged.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from classifier.model import load_model
from training import dataset
from training.answering import answers_of
from training.calibrate import Answered, cross_fit, limits_at, proof
from training.dataset import load_pictures
from training.package import write_measured
from training.record import command


def main(
    model: Annotated[Path, typer.Option(help="a model folder")],
    data: Annotated[list[Path], typer.Option(help="folders of labels, as for training")],
) -> None:
    """Fit and note the limits, the figures, and what is sure with them."""
    loaded = load_model(model)
    card, details = loaded.card, loaded.card.details
    parts = dataset.split(dataset.find_all(data), dataset.fold_of(card))
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
    print(f"the card's {card.sure_from}, {card.pneumonia_from}")
    limits = limits_at(both, card.temperature)
    later = {"later": {"command": command("training.limits")}}
    calibration = details["calibration"] | proof(limits, both) | later
    card = replace(
        card,
        sure_from=limits.sure_from,
        pneumonia_from=limits.pneumonia_from,
        details=details | {"calibration": calibration},
    )
    write_measured(card, held_out, answered, cross_fit(tuning, answered), model)
    print(f"now {limits.sure_from}, {limits.pneumonia_from}")


if __name__ == "__main__":
    typer.run(main)
