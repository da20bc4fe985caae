"""Which models answer and which listen in: what the database says, loaded, checked and in use."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from classifier.card import BrokenModel
from classifier.classifier import Classifier
from classifier.engines import EngineDown
from classifier.installed import Found, find_models
from classifier.labels import Modality
from classifier.model import Model, check_fit, load_model
from storage import Storage, models
from storage.models import Choice, Part


class NotInstalled(Exception):
    """There is no such model, no longer, or its folder was altered."""


# Why a model cannot be given a part.
UNUSABLE = (NotInstalled, BrokenModel, EngineDown)


@dataclass
class Models:
    """What patients are answered with, and the candidates that nobody sees.

    Model folders lie in `places`; their networks run here or, with a `url`, on a server. Whoever
    changes what is chosen holds `changing` until it is followed.
    """

    storage: Storage
    active: Classifier
    candidates: Classifier
    places: tuple[Path, ...]
    url: str = ""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def installed(self) -> Found:
        """Look which models there are."""
        return await asyncio.to_thread(find_models, self.places)

    async def load(self, digest: str) -> Model:
        """Load the model whose digest begins so, and try it out; raises one of `UNUSABLE`."""
        model = await self._load(digest)
        if self.url:
            # Loading does not ask the server.
            await asyncio.to_thread(check_fit, model)
        return model

    async def follow(self, loaded: Model | None = None) -> list[Choice]:
        """Use the models chosen; gives the choices that cannot be followed.

        In the place of those stays what answers now, and nobody listens in. A model `loaded`
        already is not loaded again.
        """
        lost: list[Choice] = []
        parts = {Part.ACTIVE: (self.active, dict(self.active.models))}
        parts[Part.SHADOW] = (self.candidates, {})
        for part, (classifier, wanted) in parts.items():
            for modality, choice in (await self.storage.read(models.current, part)).items():
                try:
                    wanted[Modality(modality)] = await self._chosen(choice, loaded)
                except UNUSABLE:
                    lost.append(choice)
            if _digests(wanted) != _digests(classifier.models):
                await classifier.use(wanted)
        return lost

    async def _chosen(self, choice: Choice, loaded: Model | None) -> Model:
        known = [*self.active.models.values(), *self.candidates.models.values()]
        for model in known if loaded is None else [loaded, *known]:
            if model.digest == choice.digest:
                return model
        return await self._load(choice.digest)

    async def _load(self, digest: str) -> Model:
        return await asyncio.to_thread(load_chosen, digest, self.places, self.url)


def load_chosen(digest: str, places: Iterable[Path], url: str) -> Model:
    """Load the model of these places whose digest begins so; raises one of `UNUSABLE`."""
    found = find_models(places).by_digest(digest)
    if found is None:
        raise NotInstalled
    return load_model(found.folder, url=url)


def _digests(used: Mapping[Modality, Model]) -> dict[Modality, str]:
    return {modality: model.digest for modality, model in used.items()}
