"""`kill -9` at any moment, then a start: everything is answered once, or in doubt and told."""

import asyncio
import io
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.patient import consent
from bot.sandbox.client import Sim
from bot.sandbox.server import Sandbox
from classifier.labels import Finding, Label, Modality
from classifier.report import Report, draw
from classifier.report_texts import Language
from storage import Storage, people
from storage.transaction import Tx

from .clinic import POLLING
from .pictures import encoded
from .process import ROOT, BotProcess
from .stage import ADMIN

KILLS = 6
PEOPLE_A_ROUND = 6
NUMBERS = range(1, KILLS * PEOPLE_A_ROUND + 1)

ODD = ROOT / "tests" / "journeys" / "odd_bot.py"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(params=["polling", "webhook"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def process(
    sandbox: Sandbox, sim: Sim, data_dir: Path, mode: str
) -> AsyncIterator[BotProcess]:
    async with await Storage.open(data_dir) as storage:
        await storage.write(all_agree)
    await sim.add_users([ADMIN, *NUMBERS])
    async with BotProcess(sandbox, sim, data_dir, mode) as process:
        yield process


def all_agree(tx: Tx) -> None:
    for number in NUMBERS:
        people.consent(tx, people.seen(tx, number, "en").id, consent.VERSION)


def marked(number: int) -> np.ndarray:
    """Draw a picture that shows whose it is: dark blocks for the ones of their number."""
    bits = [(number >> bit) & 1 for bit in range(8)]
    blocks = np.array([*bits, *(1 - bit for bit in bits)], float).reshape(4, 4)
    # Even blocks alone would look edited.
    shade = np.linspace(-0.06, 0.06, 256)
    return (np.kron(0.47 - 0.4 * blocks, np.ones((64, 64))) + shade + shade[:, np.newaxis]).clip(0)


def look(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L").resize((96, 96)), float)


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """How everyone's answer looks, but for the words on it."""
    when, report = datetime.now(UTC), []
    finding = Finding(
        modality=Modality.XRAY,
        probabilities={Label.NORMAL: 0.8, Label.BACTERIAL: 0.1, Label.VIRAL: 0.1},
        label=Label.NORMAL,
        saliency=np.zeros((2, 2), np.float32),
        doubts=frozenset(),
        model="stand-in-xray",
        slices=1,
    )
    for number in NUMBERS:
        shown = marked(number).astype(np.float32)
        empty = Report(
            shown=shown,
            finding=finding,
            refusal=None,
            modality=Modality.XRAY,
            model="stand-in-xray",
            case="00000000",
            when=when,
            language=Language.ENGLISH,
        )
        report.append(look(draw(empty)))
    return np.stack(report)


def whose(answer: bytes, expected: np.ndarray) -> int:
    """Tell whose picture is on an answer."""
    seen = look(Image.open(io.BytesIO(answer)))
    return NUMBERS[int(np.abs(expected - seen).mean((1, 2)).argmin())]


def rows(data_dir: Path, sql: str) -> list[sqlite3.Row]:
    connection = sqlite3.connect(f"{(data_dir / 'bot.sqlite3').as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


async def all_settled(data_dir: Path, scans: int, within: float = 60) -> None:
    """Wait until every scan is written down, worked out, and out of the outbox."""
    open_cases = "SELECT 1 FROM cases WHERE state IN ('received', 'read', 'classified')"
    open_rows = "SELECT 1 FROM outbox WHERE state IN ('pending', 'sending')"
    deadline = time.monotonic() + within
    while (
        len(rows(data_dir, "SELECT 1 FROM cases")) < scans
        or rows(data_dir, open_cases)
        or rows(data_dir, open_rows)
    ):
        assert time.monotonic() < deadline, rows(data_dir, open_cases)
        await asyncio.sleep(0.1)


async def check(sim: Sim, data_dir: Path, expected: np.ndarray, scans: int) -> int:
    """Hold the promise against what everyone got; gives the number of doubts."""
    answers = {
        row["telegram_id"]: row
        for row in rows(
            data_dir,
            """SELECT telegram_id, number, outbox.id AS row_id, outbox.state AS sent
               FROM cases JOIN people ON people.id = person_id
               JOIN outbox ON outbox.case_id = cases.id AND outbox.key LIKE 'result:%'""",
        )
    }
    assert len(answers) == scans
    told = {row["key"] for row in rows(data_dir, "SELECT key FROM outbox WHERE key LIKE 'doubt:%'")}
    for number, row in answers.items():
        heard = [message for message in await sim.user(number).messages() if message.from_bot]
        pictures = [message for message in heard if message.photo]
        assert not any("went wrong" in message.text for message in heard)
        if row["sent"] == "sent":
            assert len(pictures) == 1, number
        else:
            assert row["sent"] == "unknown" and len(pictures) <= 1
            assert f"doubt:{row['row_id']}:{ADMIN}" in told
        for picture in pictures:
            assert row["number"] in picture.text
            assert whose(await sim.user(number).downloads(picture), expected) == number
    return sum(row["sent"] == "unknown" for row in answers.values())


async def test_killed_again_and_again_every_scan_is_answered_once_or_known_in_doubt(
    sim: Sim, process: BotProcess, data_dir: Path, expected: np.ndarray, mode: str
) -> None:
    chance = random.Random(mode)
    scans = KILLS * PEOPLE_A_ROUND
    for turn in range(KILLS):
        await process.start()
        for number in NUMBERS[turn * PEOPLE_A_ROUND : (turn + 1) * PEOPLE_A_ROUND]:
            await sim.user(number).sends_file(encoded(marked(number), "PNG"))
            await asyncio.sleep(chance.uniform(0, 0.05))
        await asyncio.sleep(chance.uniform(0, 0.6))
        await process.end(signal.SIGKILL)
    await process.start()
    await all_settled(data_dir, scans)
    # Each kill can leave what was being sent in doubt, and no more.
    assert await check(sim, data_dir, expected, scans) < scans // 2
    log = process.log.read_text()
    assert "Traceback" not in log and process.token not in log
    assert not list((data_dir / "incoming").iterdir())


@POLLING
async def test_sigterm_ends_it_within_five_seconds_and_drops_nothing(
    sim: Sim, process: BotProcess, data_dir: Path, expected: np.ndarray
) -> None:
    await process.start()
    for number in NUMBERS[:15]:
        await sim.user(number).sends_file(encoded(marked(number), "PNG"))
    await asyncio.sleep(0.3)
    begun = time.monotonic()
    assert await process.end(signal.SIGTERM) == 0
    assert time.monotonic() - begun < 5
    await process.start()
    await all_settled(data_dir, 15)
    assert await check(sim, data_dir, expected, 15) == 0
    log = process.log.read_text()
    assert "Traceback" not in log and process.token not in log


@pytest.mark.parametrize("mode", ["polling"])
async def test_a_thread_that_hangs_does_not_hold_up_the_stop(
    sim: Sim, sandbox: Sandbox, data_dir: Path, mode: str, process: BotProcess
) -> None:
    async with BotProcess(sandbox, sim, data_dir, mode, ODD) as hanging:
        await hanging.start()
        await sim.user(1).sends_file(encoded(marked(1), "PNG"))
        await sim.until(bool, "sendChatAction", within=10)
        begun = time.monotonic()
        assert await hanging.end(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 5
    await process.start()
    await sim.user(1).hears_photo(within=10)


async def test_a_token_that_telegram_refuses_ends_it_and_stands_in_no_log(
    process: BotProcess,
) -> None:
    process.token = "4200000000:wrong-token-that-nobody-may-read"
    assert await process.run_to_the_end() != 0
    log = process.log.read_text()
    assert log and "wrong-token" not in log
