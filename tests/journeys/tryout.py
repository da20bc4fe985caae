"""`run_bot.py try` as a newcomer starts it: a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.sandbox.client import Sim

from .process import ROOT
from .stage import free_port

LONGEST_START = 60


@dataclass(frozen=True)
class Tryout:
    """The address of the page, and the people on it."""

    url: str
    sim: Sim


@asynccontextmanager
async def trying(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Tryout]:
    """Run it in a working folder, wait until it talks to its Telegram, and end it with Ctrl+C."""
    port = str(free_port())
    with (folder / "try.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "run_bot.py"), "try", "--port", port, *options),
            cwd=folder,
            env=os.environ | (environment or {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readline(), LONGEST_START)
        url = f"http://127.0.0.1:{port}"
        assert url in said.decode(), (folder / "try.log").read_text()
        async with Sim(url) as sim:
            await sim.until(bool, "setMyCommands", within=LONGEST_START)
            yield Tryout(url, sim)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 20)
