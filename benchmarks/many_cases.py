"""How long what people ask takes us with 100,000 cases in the database, and with 200.

`python benchmarks/many_cases.py` takes a few minutes, most of them to make the database. Runs the
bot's own handlers in this process, on both databases in turn, with a sandbox in another: from the
update going in to the reply standing in the outbox. Nothing is sent, but the pictures are made that
would be. Prints Markdown; ends with an error if a median of `ASKED_OF` is over 100 ms.
"""

import asyncio
import io
import itertools
import json
import logging
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import busy_year
import typer
from busy_year import ADMIN, BUSY_SENDER, DOCTORS, PATIENT
from load import UNLIMITED, machine
from PIL import Image
from scan import made_up
from telegram import Update

from bot.admin import stats
from bot.application import build
from bot.builders import BUILDERS
from bot.connection import make_bot
from bot.context import BotApplication, Services
from bot.doctor import card
from bot.models import Models
from bot.settings import load_settings
from bot.wake import Wake
from classifier.classifier import Classifier
from classifier.gate import Gate
from classifier.model import load_installed
from classifier.reading.isolated import IsolatedReader
from classifier.report import WIDTH
from storage import Storage, images, outbox, reviews, staff
from storage.cases import Case
from storage.images import ImageKind
from storage.outbox import OutRow
from storage.staff import Role
from storage.transaction import Tx

ASKED = 100.0
ASKED_OF = ("`/review`", "`/worklist`", "`/stats`", "`/history`")
FEW = 200
DOCTOR = DOCTORS[0]
IDS = itertools.count(1)

Json = dict[str, Any]


@dataclass(frozen=True)
class Desk:
    """A bot with its database, and the scan that the next cases show."""

    application: BotApplication
    scan: Image.Image

    @property
    def services(self) -> Services:
        """What the handlers work with."""
        return self.application.services

    @property
    def storage(self) -> Storage:
        """What they read and write."""
        return self.services.storage


@dataclass(frozen=True)
class Took:
    """Seconds that went by, and those on the processor in all threads."""

    elapsed: float
    worked: float


# Lays ready what is timed: an update to take, or a row of the outbox whose picture is to be made.
Prepare = Callable[[Desk], Awaitable[Update | OutRow]]


def update(desk: Desk, who: int, kind: str, content: Json) -> Update:
    """Write an update as Telegram does."""
    sender = {"id": who, "is_bot": False, "first_name": "P", "language_code": "en"}
    chat = {"id": who, "type": "private"}
    message = {"message_id": next(IDS), "date": int(time.time()), "chat": chat, "text": "…"}
    known: Json = {"message": message | {"from": sender} | content}
    if kind == "callback_query":
        known = {kind: {"id": "1", "chat_instance": "1", "from": sender, "message": message}}
        known[kind] |= content
    given = Update.de_json({"update_id": next(IDS)} | known, desk.application.bot)
    assert given is not None
    return given


def says(who: int, text: str) -> Prepare:
    """Say a command."""
    entity = {"type": "bot_command", "offset": 0, "length": len(text)}

    async def prepare(desk: Desk) -> Update:
        return update(desk, who, "message", {"text": text, "entities": [entity]})

    return prepare


def sends_photo(who: int) -> Prepare:
    """Send a picture that was not sent before."""

    async def prepare(desk: Desk) -> Update:
        name = f"new-{next(IDS)}"
        size = {"file_id": name, "file_unique_id": name, "width": 1280, "height": 960}
        return update(desk, who, "message", {"photo": [size]})

    return prepare


def taps(button: str, rest: str = "") -> Prepare:
    """Tap a button on the card of the case in hand."""

    async def prepare(desk: Desk) -> Update:
        case = await desk.storage.read(held)
        return update(desk, DOCTOR, "callback_query", {"data": f"{button}:{case.number}{rest}"})

    return prepare


async def asks_for_case(desk: Desk) -> Update | OutRow:
    """Ask for all about the case in hand."""
    return await says(DOCTOR, f"/case {(await desk.storage.read(held)).number}")(desk)


async def chart(desk: Desk) -> OutRow:
    """Find the chart that belongs to the numbers."""
    return await desk.storage.read(newest, stats.BUILD)


async def pictures(desk: Desk) -> OutRow:
    """Find the card, and give its case pictures: so far it has only rows."""
    case = await desk.storage.read(held)
    await desk.storage.write(
        lambda tx: tx.run("DELETE FROM images WHERE case_id = :id", id=case.id)
    )
    report = desk.scan.resize((WIDTH, WIDTH)).convert("RGB")
    for kind, shown, form in (
        (ImageKind.SCAN, desk.scan, "PNG"),
        (ImageKind.REPORT, report, "JPEG"),
    ):
        buffer = io.BytesIO()
        shown.save(buffer, form)
        sealed = await desk.storage.images.seal(buffer.getvalue())
        await desk.storage.write(images.attach, sealed, case.id, kind)
    return await desk.storage.read(newest, card.BUILD)


def held(tx: Tx) -> Case:
    """Give the case the doctor has in hand."""
    doctor = staff.member(tx, DOCTOR, Role.DOCTOR)
    assert doctor is not None
    case = reviews.held(tx, doctor)
    assert case is not None
    return case


def newest(tx: Tx, build: str) -> OutRow:
    """Give the newest row that asks for a picture of a kind."""
    sql = "SELECT key FROM outbox WHERE payload ->> 'build' = :build ORDER BY id DESC LIMIT 1"
    row = outbox.by_key(tx, tx.value(sql, build=build))
    assert row is not None
    return row


# In an order in which they make sense.
ACTS: dict[str, Prepare] = {
    "`/review`: the next case": says(DOCTOR, "/review"),
    "– both its pictures, side by side": pictures,
    "– tap on a verdict": taps(card.VERDICT, ":viral"),
    "– `/case` of it": asks_for_case,
    "– tap on “Send”": taps(card.SEND),
    "`/worklist`": says(DOCTOR, "/worklist"),
    "`/mystats` of who did half of all": says(DOCTOR, "/mystats"),
    "`/stats`": says(ADMIN, "/stats"),
    "– its chart": chart,
    "`/health`, with a call to Telegram": says(ADMIN, "/health"),
    "`/audit`": says(ADMIN, "/audit"),
    "`/staff`": says(ADMIN, "/staff"),
    "`/qr`": says(ADMIN, "/qr"),
    "`/history` of who sent twelve pictures": says(PATIENT, "/history"),
    "`/history` of who sent every twentieth": says(BUSY_SENDER, "/history"),
    "`/status` of the same": says(BUSY_SENDER, "/status"),
    "a picture of who sent twelve": sends_photo(PATIENT),
    "a picture of who sent every twentieth": sends_photo(BUSY_SENDER),
}


async def timed(desk: Desk, prepare: Prepare) -> Took:
    """Time one act; fails if it left no word or made no picture."""
    thing = await prepare(desk)
    before, tasks = await desk.storage.read(last_word), asyncio.all_tasks()
    begun, worked = time.perf_counter(), time.process_time()
    if isinstance(thing, Update):
        await desk.application.process_update(thing)
    else:
        built = await BUILDERS[str(thing.payload["build"])](desk.services, thing)
        assert built is not None
    took = Took(time.perf_counter() - begun, time.process_time() - worked)
    # A tap is answered beside.
    if aside := asyncio.all_tasks() - tasks:
        await asyncio.wait(aside)
    after = await desk.storage.read(last_word)
    assert not after.endswith(":sorry") and (after != before) is isinstance(thing, Update), after
    return took


def last_word(tx: Tx) -> str:
    """Name what was written last into the outbox."""
    return str(tx.value("SELECT key FROM outbox ORDER BY id DESC LIMIT 1"))


@asynccontextmanager
async def sandbox() -> AsyncIterator[Json]:
    """Run a local Telegram as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.sandbox", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def desk_with(
    cases: int, data_dir: Path, scan: Path, telegram: Json, models: tuple[Classifier, Classifier]
) -> AsyncIterator[Desk]:
    """Make a bot with so many cases."""
    settings = load_settings(
        token=telegram["token"],
        api_url=telegram["api"],
        data_dir=data_dir,
        default_language="en",
        scans_per_hour=UNLIMITED,
        scans_per_day=UNLIMITED,
    )
    async with await Storage.open(data_dir) as storage:
        await busy_year.make(storage, cases)
        services = Services(settings, storage, Wake(), Models(storage, *models, places=()))
        await services.roles.load(storage)
        async with build(make_bot(settings), services) as application:
            # Else it complains of what it does beside.
            await application.start()
            yield Desk(application, Image.open(scan))
            await application.stop()


async def measure(cases: int, turns: int, folder: Path, scan: Path) -> dict[str, list[list[Took]]]:
    """Time each act on a small and a large database."""
    times: dict[str, list[list[Took]]] = {name: [[], []] for name in ACTS}
    with IsolatedReader() as reader:
        async with (
            sandbox() as telegram,
            Classifier(reader, load_installed(), Gate()) as active,
            Classifier(reader, {}, Gate()) as candidates,
            desk_with(FEW, folder / "few", scan, telegram, (active, candidates)) as few,
            desk_with(cases, folder / "many", scan, telegram, (active, candidates)) as many,
        ):
            # What is loaded at the first use has nothing to do with the number of cases.
            for prepare in ACTS.values():
                await timed(few, prepare)
            for _ in range(turns):
                for name, prepare in ACTS.items():
                    for desk, took in zip((few, many), times[name], strict=True):
                        took.append(await timed(desk, prepare))
    return times


def median(times: list[Took], part: str) -> float:
    """Give the median in milliseconds."""
    return 1000 * statistics.median(float(getattr(took, part)) for took in times)


def show(cases: int, turns: int, times: dict[str, list[list[Took]]]) -> None:
    """Print the table."""
    print(f"{machine()}, SQLite {sqlite3.sqlite_version}; {turns} turns\n")
    print(
        f"| | {FEW} cases: median | {cases:,} cases: median | longest "
        f"| {FEW} cases: processor | {cases:,} cases: processor | times |\n"
        "|---|---|---|---|---|---|---|"
    )
    for name, (few, many) in times.items():
        figures = [median(few, "elapsed"), median(many, "elapsed")]
        figures.append(1000 * max(took.elapsed for took in many))
        worked = [median(few, "worked"), median(many, "worked")]
        cells = " | ".join(f"{each:.1f} ms" for each in figures + worked)
        print(f"| {name} | {cells} | {worked[1] / worked[0]:.1f} |")


def main(
    cases: Annotated[int, typer.Option(min=1000)] = 100_000,
    turns: Annotated[int, typer.Option(min=1, max=100)] = 20,
) -> None:
    """Print how long we take with few and with many cases."""
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made_up(folder, 1)
        times = asyncio.run(measure(cases, turns, folder, folder / "00.jpg"))
    show(cases, turns, times)
    of = {name: median(many, "elapsed") for name, (_, many) in times.items()}
    slow = [name for name in of if name.startswith(ASKED_OF) and of[name] > ASKED]
    for name in slow:
        print(f"TOO SLOW: {name}", file=sys.stderr)
    raise typer.Exit(bool(slow))


if __name__ == "__main__":
    typer.run(main)
