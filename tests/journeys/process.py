"""The bot as a process of its own, to be killed."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Self

from bot.sandbox.client import Sim
from bot.sandbox.server import Sandbox

from .stage import ADMIN, SECRET, free_port

ROOT = Path(__file__).parents[2]
QUICK = ROOT / "tests" / "journeys" / "quick_bot.py"


class BotProcess:
    """Starts and ends `run_bot.py run` with the settings of an operator."""

    def __init__(
        self, sandbox: Sandbox, sim: Sim, data_dir: Path, mode: str, program: Path = QUICK
    ) -> None:
        self._sim = sim
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self.log = data_dir.with_suffix(".log")
        self.token = sandbox.token
        self._environment = os.environ | {
            "TELEGRAM_API_URL": sandbox.api_url,
            "BOT_DATA_DIR": str(data_dir),
            "BOT_ADMIN_IDS": str(ADMIN),
            "BOT_DEFAULT_LANGUAGE": "en",
        }
        if mode == "webhook":
            port = free_port()
            self._environment |= {
                "WEBHOOK_URL": f"http://127.0.0.1:{port}",
                "WEBHOOK_SECRET": SECRET,
                "WEBHOOK_PORT": str(port),
            }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def start(self) -> None:
        """Start it and wait until it talks to Telegram."""
        before = len(await self._sim.calls("setMyCommands"))
        await self._spawn()
        await self._sim.until(lambda calls: len(calls) > before, "setMyCommands", within=30)

    async def run_to_the_end(self) -> int:
        """Start it, wait until it ends by itself, and give its exit status."""
        await self._spawn()
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), 30)

    async def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(self._program),
                "run",
                cwd=ROOT,
                env=self._environment | {"TELEGRAM_BOT_TOKEN": self.token},
                stderr=log,
                stdout=log,
            )

    async def end(self, how: signal.Signals) -> int:
        """End it and give its exit status."""
        assert self._process is not None
        self._process.send_signal(how)
        return await self._process.wait()
