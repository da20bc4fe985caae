"""The stage of a story: a local Telegram, a bot, and a look behind the scenes."""

import asyncio
import socket
import sqlite3
from pathlib import Path
from typing import Any

from bot import app
from bot.networks import Networks
from bot.sandbox.client import Sim, User
from bot.sandbox.server import Sandbox
from bot.settings import Settings, load_settings
from classifier.reading.isolated import IsolatedReader

ADMIN = 9001
SECRET = "whisper"
WELCOMED = ("Thank you. Now send the picture.", "谢谢。现在请发送图片。")


class Stage:
    """One bot with its data dir, which can be stopped and started again."""

    def __init__(
        self, sandbox: Sandbox, sim: Sim, mode: str, data_dir: Path, reader: IsolatedReader
    ) -> None:
        self.sandbox = sandbox
        self.sim = sim
        self.mode = mode
        self.data_dir = data_dir
        self.reader = reader
        self._port = free_port()
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def settings(self, **changes: Any) -> Settings:
        """Settings as an operator would give them."""
        given: dict[str, Any] = {
            "token": self.sandbox.token,
            "api_url": self.sandbox.api_url,
            "data_dir": self.data_dir,
            "default_language": "en",
            "admin_ids": (ADMIN,),
            "scans_per_hour": 100,
            "scans_per_day": 100,
        }
        if self.mode == "webhook":
            url = f"http://127.0.0.1:{self._port}"
            given |= {"webhook_url": url, "webhook_secret": SECRET, "webhook_port": self._port}
        return load_settings(**(given | changes))

    async def start(self, **changes: Any) -> None:
        """Start the bot and wait until it hears."""
        self._stop = asyncio.Event()
        settings = self.settings(**changes)
        running = app.run(settings, self.reader, Networks(settings.classifier_url), self._stop)
        self._running = asyncio.create_task(running)

    async def stop(self) -> None:
        """Stop the bot in good order."""
        if self._running is not None:
            self._stop.set()
            running, self._running = self._running, None
            await asyncio.wait_for(running, 10)

    async def restart(self, **changes: Any) -> None:
        """Stop it, and start it with other settings."""
        await self.stop()
        await self.start(**changes)

    async def agreed(self, number: int, language: str = "en") -> User:
        """Somebody who has started the bot, agreed, and heard all of it."""
        user = self.sim.user(number, language=language)
        await user.starts()
        await user.taps("I have read this and agree" if language == "en" else "我已阅读并同意")
        while (await user.hears()).text not in WELCOMED:
            pass
        return user

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Look into the database."""
        path = (self.data_dir / "bot.sqlite3").as_uri()
        connection = sqlite3.connect(f"{path}?mode=ro", uri=True)
        try:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def value(self, sql: str, *values: object) -> Any:
        """Look for one thing in the database."""
        return self.rows(sql, *values)[0][0]

    def change(self, sql: str, *values: object) -> None:
        """Let time pass, or other things that no story can wait for."""
        connection = sqlite3.connect(self.data_dir / "bot.sqlite3", timeout=5)
        with connection:
            connection.execute(sql, values)
        connection.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
