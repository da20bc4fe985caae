"""Learn from doctors: fine-tune a model on the cases they reviewed, and keep it if it is not worse.

`python -m training.corrections --data-dir data --base classifier/models/NAME --out data/models/NEW`

Takes the reviewed X-rays of a data dir (the bot may go on meanwhile), holds some patients out for
ever, fine-tunes the base on the others, with `--rehearse FOLDER` on pictures of the base's own set
too, so that it forgets nothing. Base and candidate answer the same held-out pictures: the reviewed
ones, and those of `--evaluate FOLDER` or else the fifth of the rehearsal folder that was held out
by the base's card. Only a candidate that passes the rule of `training.not_worse` on both is
written; then `/model` can let it listen in. Otherwise the command tells why and ends with 1.
"""

import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, NoReturn

import keras
import typer

from classifier import resnet
from classifier.card import NAME, BrokenModel, check_file
from classifier.labels import Label, Modality
from classifier.model import WEIGHTS, Model, load_model
from classifier.reading.scan import evenly
from storage import lessons
from storage.errors import ImageDamaged, ImageGone, StorageError
from storage.reader import Reader
from training import dataset
from training.answering import predictions_of
from training.augment import augment
from training.batches import workers
from training.carry_likeness import CarriedLikeness
from training.dataset import LABELS, Example, Split, load_pictures
from training.figures import Predictions
from training.loop import Progress, fit
from training.network import fastest_policy, trained_network
from training.not_worse import MARGIN, Difference, difference
from training.package import Run, package
from training.recipe import Phase, Recipe
from training.record import command

REVIEWED = "reviewed"
# Of ten patients three are held out, and two calibrate.
TENTHS = 10
HELD_OUT, TUNING = (0, 1, 2), (3, 4)
# With fewer patients of a label, to learn from or held out, nothing can be said: the bootstrap of
# `training.not_worse` draws patients, and drawing one or two tells nothing of how they vary.
FEWEST = 5
# So many pictures of the base's own set for each reviewed one.
REHEARSED = 3
EPOCHS = 4
# A tenth of the rate of training, so that little is unlearned.
LEARNING_RATE = 6e-5
SEED = 0


def main(
    data_dir: Annotated[Path, typer.Option(help="the bot's data dir; it is only read")],
    base: Annotated[Path, typer.Option(help="folder of the model to start from")],
    out: Annotated[Path, typer.Option(help="the model folder to write; must not exist yet")],
    rehearse: Annotated[
        Path | None, typer.Option(help="labelled folder that the base was trained on")
    ] = None,
    evaluate: Annotated[
        Path | None, typer.Option(help="labelled folder that nobody was trained on")
    ] = None,
) -> None:
    """Fine-tune a model on reviewed cases; write it only if it is not worse beyond noise."""
    if out.exists() or not NAME.fullmatch(out.name):
        raise typer.BadParameter("--out must be a new folder, named with letters, digits, . _ -")
    if rehearse and evaluate and rehearse.resolve() == evaluate.resolve():
        raise typer.BadParameter("without --evaluate the held-out fifth of --rehearse is used")
    try:
        model = load_model(base)
        if model.card.modality is not Modality.XRAY:
            raise typer.BadParameter("--base must be a model for X-rays")
        # The pictures lie here decrypted, for this user alone and as long as this runs.
        with tempfile.TemporaryDirectory() as scratch:
            parts = split(reviewed(data_dir, Path(scratch) / REVIEWED))
            if few := too_few(parts):
                _stop(few)
            others = _found(rehearse, dataset.fold_of(model.card))
            tests = {REVIEWED: parts.held_out, "fixed": others.held_out}
            if evaluate:
                tests["fixed"] = dataset.find_examples(evaluate)
            folder = _candidate(model, base, parts, others, Path(scratch), out.name)
            _judge(model, folder, {name: test for name, test in tests.items() if test})
            out.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(folder, out)
    except (BrokenModel, StorageError, ValueError) as error:
        _stop(f"{type(error).__name__}: {error}")
    print(f"{out}: written")


def reviewed(data_dir: Path, folder: Path) -> list[Example]:
    """Decrypt the reviewed X-rays that may be learned from into a folder."""
    reader = Reader.open(data_dir, os.environ.get("IMAGE_KEY"))
    folder.mkdir()
    examples = []
    for lesson in reader.read(lessons.gather).usable:
        path = folder / f"{lesson.case_id}.png"
        with suppress(ImageGone, ImageDamaged):
            if lesson.modality == Modality.XRAY:
                path.write_bytes(reader.image(lesson.image_id))
                patient = f"person {lesson.person_id}"
                examples.append(Example(path, Label(lesson.label), patient, REVIEWED))
    return examples


def split(examples: Sequence[Example]) -> Split:
    """Divide by patient, each always to the same side.

    Whoever is held out once is held out for ever: no candidate built on a candidate is measured on
    what one before it learned from.
    """
    parts = Split([], [], [])
    for example in examples:
        digest = hashlib.sha256(example.patient.encode()).digest()
        tenth = int.from_bytes(digest[:8]) % TENTHS
        if tenth in HELD_OUT:
            parts.held_out.append(example)
        elif tenth in TUNING:
            parts.tuning.append(example)
        else:
            parts.train.append(example)
    return parts


def too_few(parts: Split) -> str:
    """Tell what is missing, or nothing."""
    for name, part in (("to learn from", parts.train), ("held out", parts.held_out)):
        counts = Counter(label for label, _ in {(each.label, each.patient) for each in part})
        for label in LABELS:
            if counts[label] < FEWEST:
                return (
                    f"the reviewed pictures {name} that are {label} come from {counts[label]} "
                    f"Telegram accounts; {FEWEST} are needed"
                )
    return "" if parts.tuning else "no reviewed picture is left to calibrate with"


def fine_tune(model: Model, base: Path, parts: Split, run: Path) -> tuple[keras.Model, Progress]:
    """Train on from the base's weights, slowly; gives the network in float32."""
    recipe = _recipe(model.card.input_size)
    keras.config.set_dtype_policy(fastest_policy())
    network = resnet.build()
    resnet.load_weights(network, check_file(base, model.card, WEIGHTS))

    def load(size: int) -> tuple[dataset.Pictures, dataset.Pictures]:
        return load_pictures(parts.train, size), load_pictures(parts.tuning, size)

    with workers(0) as pool:
        fit(recipe, network, load, run, SEED, pool)
    return trained_network(recipe, run)


def compare(base: Model, candidate: Model, examples: Sequence[Example]) -> Difference:
    """Let both answer the same pictures, with the engines that would serve."""

    def answers(model: Model) -> Predictions:
        return predictions_of(model, load_pictures(examples, model.card.input_size))

    return difference(answers(base), answers(candidate))


def _found(rehearse: Path | None, fold: int) -> Split:
    return dataset.split(dataset.find_examples(rehearse), fold) if rehearse else Split([], [], [])


def _candidate(
    model: Model, base: Path, parts: Split, others: Split, place: Path, name: str
) -> Path:
    """Fine-tune, and write the model folder into a place where nobody uses it."""
    whole = rehearsed(parts, others)
    network, progress = fine_tune(model, base, whole, place / "run")
    about, size = _run(name, model, parts, progress), model.card.input_size
    likeness = CarriedLikeness(model.likeness, model.engine)
    package(network, about, whole, size, place / name, likeness=likeness)
    return place / name


def _judge(base: Model, folder: Path, tests: Mapping[str, Sequence[Example]]) -> None:
    """Measure both on each set and note it in the card; ends the command if it may be worse."""
    candidate = load_model(folder)
    found = {name: compare(base, candidate, examples) for name, examples in tests.items()}
    for name, each in found.items():
        print(f"{name}, {len(tests[name])} pictures: {each}")
    if worse := [name for name, each in found.items() if not each.is_not_worse]:
        _stop(f"on {' and '.join(worse)} it is worse, or not surely within {MARGIN} of the base")
    against = {name: asdict(each) for name, each in found.items()}
    card = candidate.card
    replace(card, details=card.details | {"against_base": against}).write(folder)


def _recipe(size: int) -> Recipe:
    return Recipe(
        name="corrections",
        phases=(Phase(size=size, epochs=EPOCHS),),
        optimizer=lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.02),
        learning_rate=LEARNING_RATE,
        batch=16,
        warmup_epochs=0.5,
        decay_epochs=EPOCHS - 0.5,
        augment=augment,
        balance=True,
        label_smoothing=0.05,
    )


def rehearsed(parts: Split, others: Split) -> Split:
    """Add pictures of the base's own set, evenly taken, to those of the doctors."""
    return Split(
        parts.train + evenly(others.train, REHEARSED * len(parts.train)),
        parts.tuning + others.tuning,
        parts.held_out + others.held_out,
    )


def _run(name: str, model: Model, parts: Split, progress: Progress) -> Run:
    patients = len({example.patient for example in parts.train})
    data = (
        f"{model.card.trained_on} Then fine-tuned from {model.name} on {len(parts.train)} pictures "
        f"of {patients} patients that doctors reviewed."
    )
    return Run(
        name=name,
        recipe="corrections",
        seed=SEED,
        fold=dataset.fold_of(model.card),
        epochs=progress.epoch,
        minutes=sum(row["seconds"] for row in progress.history) / 60,
        command=command("training.corrections"),
        data=data,
    )


def _stop(why: str) -> NoReturn:
    print(f"No model is written: {why}.")
    raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
