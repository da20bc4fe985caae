"""The bot beside a local Telegram and a chat in the browser: for trying, without a token."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bot import app
from bot.lock import only_one
from bot.logs import set_up_logs
from bot.networks import Networks
from bot.poster import qr_png
from bot.sandbox.personas import PERSONAS
from bot.sandbox.server import Sandbox
from bot.settings import BadSettings, Settings, by_alias
from classifier.reading.isolated import IsolatedReader
from classifier.report_texts import Language
from storage import Storage, doctors, people, sources, staff
from storage.doctors import Preferences
from storage.staff import Role
from storage.store import DATABASE
from storage.transaction import Tx

# Nobody at Telegram can own a name with two underscores in a row, so no link leads to a stranger.
USERNAME = "sandbox__bot"
CLINIC = "Demo clinic"
ZONE = "Asia/Shanghai"
# Long enough to see how it is done, short enough to wait for.
UNDO_SECONDS = 10
# Pixels of the code beside the chat.
CODE_SIDE = 480
# A file in the data dirs of trials: in any other the personas' roles would be strangers'.
MARK = "trial"


class GivenSettings(Settings):
    """Settings that are only what is given: an operator's own are not for trying."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,
        **more: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave out the environment and `.env`."""
        return (init_settings,)


async def try_out(data_dir: Path | None, port: int, language: Language) -> None:
    """Serve the page and run the bot until interrupted."""
    with ExitStack() as stack:
        folder = data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        token = await _prepare(folder)

        def qr() -> bytes:
            return qr_png(f"{sandbox.page_url}?start={token}", CODE_SIDE)

        sandbox = Sandbox(port=port, username=USERNAME, qr=qr)
        async with sandbox:
            settings = _settings(sandbox, folder, language)
            set_up_logs(settings.secrets)
            print(f"Open {sandbox.page_url} in a browser. Ctrl+C ends it.", flush=True)
            reader = stack.enter_context(IsolatedReader())
            await app.run(settings, reader, Networks(settings.classifier_url))


async def _prepare(folder: Path) -> str:
    """Seed a trial's data dir; raises BadSettings for one that a bot with a token may use."""
    with only_one(folder):
        if (folder / DATABASE).exists() and not (folder / MARK).exists():
            raise BadSettings(f"{folder} is no trial's data dir; give --data-dir another folder")
        (folder / MARK).touch()
        async with await Storage.open(folder) as storage:
            return await storage.write(seed)


def _settings(sandbox: Sandbox, folder: Path, language: Language) -> Settings:
    given: dict[str, Any] = {
        "token": sandbox.token,
        "api_url": sandbox.api_url,
        "data_dir": folder,
        "default_language": language,
        "undo_seconds": UNDO_SECONDS,
    }
    return GivenSettings(**by_alias(given))


def seed(tx: Tx) -> str:
    """Give the personas their roles; gives the token of the clinic's link."""
    for persona in PERSONAS:
        if persona.role in tuple(Role) and people.by_telegram_id(tx, persona.id) is None:
            # As by the link of an invitation: patients are not told to wait for who never wrote.
            people.seen(tx, persona.id, persona.language)
            member = staff.add(tx, persona.id, Role(persona.role), persona.name)
            # Sent before they press Start, a digest would come back as if they blocked the bot.
            doctors.prefer(tx, member.id, Preferences(ZONE, news=False))
    clinic = sources.by_name(tx, CLINIC) or sources.create(tx, CLINIC)
    return clinic.token
