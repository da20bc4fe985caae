import io
from collections.abc import AsyncIterator

import pytest
from PIL import Image
from telegram import Bot

from bot.sandbox.client import Sim, User
from bot.sandbox.server import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def sim(sandbox: Sandbox) -> AsyncIterator[Sim]:
    async with Sim(sandbox.url) as sim:
        yield sim


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[Bot]:
    async with Bot(
        sandbox.token,
        base_url=f"{sandbox.api_url}/bot",
        base_file_url=f"{sandbox.file_url}/file/bot",
    ) as bot:
        yield bot


@pytest.fixture
async def ann(sim: Sim) -> User:
    """Somebody who has started the bot; that update is already taken."""
    ann = sim.user(1, name="Ann", language="en")
    await ann.starts()
    return ann


def picture(width: int = 64, height: int = 48, kind: str = "PNG", grey: int = 90) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height), grey).save(out, kind)
    return out.getvalue()
