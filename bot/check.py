"""Does everything a bot needs work? Each with ok, or what mends it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from telegram.error import InvalidToken, TelegramError

from bot.application import make_bot
from bot.settings import BadSettings, Settings, load_settings
from classifier.card import BrokenModel
from classifier.model import load_installed
from storage import Storage
from storage.errors import StorageError


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `mend` is empty if it is well."""

    name: str
    mend: str = ""


async def check_all() -> list[Check]:
    """Look at settings, data dir, database, model and Telegram."""
    try:
        settings = load_settings()
    except BadSettings as error:
        return [Check("settings", str(error))]
    looks: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "data dir": _data_dir,
        "database": _database,
        "model": _model,
        "Telegram": _telegram,
    }
    found = [Check(name, await look(settings)) for name, look in looks.items()]
    return [Check("settings"), *found]


async def _data_dir(settings: Settings) -> str:
    folder: Path = settings.data_dir
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    writable = await asyncio.to_thread(os.access, folder, os.W_OK | os.X_OK)
    return "" if writable else "make BOT_DATA_DIR writable for this user"


async def _database(settings: Settings) -> str:
    key = settings.image_key.get_secret_value() if settings.image_key else None
    try:
        async with await Storage.open(settings.data_dir, image_key=key):
            return ""
    except StorageError as error:
        return f"{type(error).__name__}: {error}"


async def _model(settings: Settings) -> str:
    try:
        await asyncio.to_thread(load_installed)
    except BrokenModel as error:
        return f"{error}; check the repository out again"
    return ""


async def _telegram(settings: Settings) -> str:
    try:
        async with make_bot(settings):
            return ""
    except InvalidToken:
        return "TELEGRAM_BOT_TOKEN is not one that Telegram knows; ask @BotFather"
    except TelegramError as error:
        return f"cannot be reached ({type(error).__name__}); check TELEGRAM_API_URL and the network"
