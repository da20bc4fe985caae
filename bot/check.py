"""Does everything a bot needs work? Each with ok, or what mends it; nothing is changed by looking.

A running bot can be looked at too: its data dir is only read.
"""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.connection import make_bot
from bot.logs import set_up_logs
from bot.mending import MAKE_ROOM, MENDABLE, mend
from bot.models import load_chosen
from bot.settings import Settings, load_settings
from bot.upkeep import free_megabytes
from classifier.gate import Gate
from classifier.labels import Modality
from classifier.model import MODELS, Model, check_fit, load_installed
from storage import models as choices
from storage.database import examine, look
from storage.errors import StorageError
from storage.keys import find_key
from storage.models import Choice, Part
from storage.reader import Reader
from storage.store import DATABASE, IMAGES

# With less a file of Telegram's and its pictures may not fit, whatever DISK_FREE_MB says.
LEAST_FREE_MB = 50

# Loads the models, or gives those in use.
Models = Callable[[], Mapping[Modality, Model]]
# Asks Telegram something.
Greeting = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `mend` is empty if it is well."""

    name: str
    mend: str = ""


async def check_all() -> list[Check]:
    """Look at the settings, and with them at everything else; raises BadSettings."""
    settings = load_settings()
    set_up_logs(settings.secrets, settings.log_format)
    checks = await check_with(settings, partial(_models, settings), partial(_greet, settings))
    return [Check("settings"), *checks]


async def check_with(settings: Settings, models: Models, greet: Greeting) -> list[Check]:
    """Look at data dir, database, image key, models and Telegram, all at the same time."""
    looks: dict[str, Awaitable[str]] = {
        "data dir": asyncio.to_thread(_looked, _data_dir, settings),
        "database": asyncio.to_thread(_looked, _database, settings),
        "image key": asyncio.to_thread(_looked, _image_key, settings),
        "model": asyncio.to_thread(_looked, partial(_model, models), settings),
        "Telegram": _telegram(greet),
    }
    mends = await asyncio.gather(*looks.values())
    return [Check(name, found) for name, found in zip(looks, mends, strict=True)]


def _looked(look: Callable[[Settings], str | None], settings: Settings) -> str:
    try:
        return look(settings) or ""
    except MENDABLE as error:
        return mend(error)


def _data_dir(settings: Settings) -> str | None:
    folder = settings.data_dir.resolve()
    # What is missing is made at the first start.
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.R_OK | os.W_OK | os.X_OK)):
        return f"make {there} a folder that this user may write to, or change BOT_DATA_DIR"
    free, wanted = free_megabytes(there), max(settings.disk_free_mb, LEAST_FREE_MB)
    if free < wanted:
        return f"{free} MB are free on the disk of {there}, {wanted} should be; {MAKE_ROOM}"
    return None


def _database(settings: Settings) -> None:
    path: Path = settings.data_dir / DATABASE
    if path.exists():
        examine(path)


def _image_key(settings: Settings) -> None:
    key = find_key(settings.data_dir, settings.pictures_key)
    if key and any((settings.data_dir / IMAGES).glob("??/*")):
        Reader(settings.data_dir, key).check_key()


def _model(models: Models, _: Settings) -> None:
    for model in models().values():
        check_fit(model)


def _models(settings: Settings) -> Mapping[Modality, Model]:
    """Load the models that come with the program, and those that admins chose instead."""
    # It is the same for all models, and must be whole too.
    Gate()
    url, places = settings.classifier_url, (MODELS, settings.models)
    return load_installed(url=url) | {
        Modality(modality): load_chosen(choice.digest, places, url)
        for modality, choice in _choices(settings).items()
        # What nobody chose gives way by itself, after an upgrade for example.
        if choice.by_id is not None
    }


def _choices(settings: Settings) -> Mapping[str, Choice]:
    """Look which models have been chosen; a database before its upgrade may not tell."""
    path = settings.data_dir / DATABASE
    with suppress(StorageError, sqlite3.OperationalError):
        return look(path, partial(choices.current, part=Part.ACTIVE)) if path.exists() else {}
    return {}


async def _telegram(greet: Greeting) -> str:
    try:
        await greet()
        return ""
    except MENDABLE as error:
        return mend(error)


async def _greet(settings: Settings) -> None:
    async with make_bot(settings):
        pass
