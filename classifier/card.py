"""A model folder's card: what the model is, how it decides, and the proof of its files."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Any

from classifier.labels import Label, Modality

CARD = "card.json"
WEIGHTS = "weights.npz"
NAME = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,64}")


class Flaw(StrEnum):
    """What does not fit in a model folder."""

    CARD = "card"
    NAME = "name"
    LABELS = "labels"
    FILE = "file"
    SHAPE = "shape"


class BrokenModel(Exception):
    """A model folder that must not be used; says which file and why."""

    def __init__(self, what: str, flaw: Flaw = Flaw.FILE) -> None:
        super().__init__(what)
        self.flaw = flaw


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What stands in `card.json`.

    `temperature` divides the logits; an answer whose highest probability is under that label's
    `sure_from` names no label. It is still "pneumonia" if bacterial and viral together reach
    `pneumonia_from`, else "unsure". Of either limit 1 means never. `files` maps each file of the
    folder to its sha256. `figures` maps a metric to its value and the lower and upper end of its
    95 % interval. A `trunk` names the folder beside this one whose network, `engine_file` and
    `weights.npz`, this model's head sits on.
    """

    name: str
    modality: Modality
    input_size: int
    engine_file: str
    temperature: float
    sure_from: dict[Label, float]
    recipe: str
    trained_on: str
    command: str
    pneumonia_from: float = 1.0
    trunk: str = ""
    labels: tuple[Label, ...] = tuple(Label)
    figures: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the card into a model folder."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / CARD).write_text(text + "\n", encoding="utf-8")


def read_card(folder: Path) -> Card:
    """Read and check a model folder; raises BrokenModel if a file is missing or altered."""
    try:
        raw = json.loads((folder / CARD).read_text(encoding="utf-8"))
        raw["modality"] = Modality(raw["modality"])
        raw["figures"] = {
            name: (float(value), float(low), float(high))
            for name, (value, low, high) in raw["figures"].items()
        }
        card = Card(**raw)
        if tuple(card.labels) != tuple(Label) or set(card.sure_from) != set(Label):
            raise BrokenModel(f"{folder.name}: labels {card.labels} are not ours", Flaw.LABELS)
        if card.trunk and not NAME.fullmatch(card.trunk):
            raise BrokenModel(f"{folder.name}: the card names the trunk {card.trunk}", Flaw.NAME)
        sure_from = {Label(label): float(share) for label, share in card.sure_from.items()}
        if wrong := _out_of_range(card, sure_from):
            raise BrokenModel(f"{folder.name}: {', '.join(wrong)} out of range", Flaw.CARD)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenModel(f"{folder.name}/{CARD}: {error}", Flaw.CARD) from error
    card = replace(card, labels=tuple(Label), sure_from=sure_from)
    check_file(folder, card, card.engine_file)
    return card


def _out_of_range(card: Card, sure_from: dict[Label, float]) -> list[str]:
    """Name what would turn answers round, make them no number, or make every one sure."""
    fits = {
        "temperature": 0 < card.temperature < inf,
        "input_size": card.input_size > 0,
        # Cards that were written earlier hold 2 for what is never told.
        "sure_from": all(share >= 0.5 for share in sure_from.values()),
        "pneumonia_from": 0.5 <= card.pneumonia_from <= 1,
    }
    return [name for name, is_so in fits.items() if not is_so]


def check_file(folder: Path, card: Card, name: str) -> Path:
    """Give the path of a model's file; raises BrokenModel unless it is the one the card names."""
    is_of_trunk = card.trunk and name in (card.engine_file, WEIGHTS)
    path = (folder.parent / card.trunk if is_of_trunk else folder) / name
    try:
        digest = sha256(path)
    except OSError as error:
        raise BrokenModel(f"{folder.name}/{name}: {error.strerror}") from error
    if digest != card.files.get(name):
        raise BrokenModel(f"{folder.name}/{name}: sha256 is not the card's")
    return path


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
