"""Which model folders lie in a place, and what is wrong with the others."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from classifier.card import CARD, NAME, BrokenModel, Card, Flaw, read_card, sha256
from classifier.model import build_name


@dataclass(frozen=True, slots=True)
class Installed:
    """A model folder whose card and network are whole; `digest` as in `Model`."""

    folder: Path
    card: Card
    digest: str

    @property
    def name(self) -> str:
        """Name this build, as findings do."""
        return build_name(self.card.name, self.digest)


@dataclass(frozen=True, slots=True)
class Found:
    """The models of some places, the newest folder first, and the folders that are none."""

    models: tuple[Installed, ...]
    broken: tuple[BrokenModel, ...]

    def by_digest(self, begin: str) -> Installed | None:
        """Give the model whose digest begins so, if there is one."""
        return next((model for model in self.models if model.digest.startswith(begin)), None)


def find_models(places: Iterable[Path]) -> Found:
    """Look through places that hold model folders; one that is not there holds none."""
    models, broken = [], []
    folders = [path.parent for place in places for path in place.glob(f"*/{CARD}")]
    for folder in sorted(folders, key=lambda folder: (folder / CARD).stat().st_mtime, reverse=True):
        try:
            models.append(_installed(folder))
        except BrokenModel as error:
            broken.append(error)
    return Found(tuple(models), tuple(broken))


def _installed(folder: Path) -> Installed:
    card = read_card(folder)
    if card.name != folder.name or not NAME.fullmatch(card.name):
        raise BrokenModel(f"{folder.name}: the card names {card.name}", Flaw.NAME)
    return Installed(folder, card, sha256(folder / CARD))
