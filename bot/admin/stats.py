"""How it does, in numbers and as a chart."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from telegram import Update

from bot.building import Built
from bot.chart import draw_chart
from bot.context import Context, Services
from bot.replies import Acting, reply_as
from bot.say import say, show_made
from bot.texts.catalogue import Texts
from bot.upkeep import MEGABYTE
from storage import queues, reviews, staff, statistics
from storage.agreement import REVIEWS, ModelRecord, Share
from storage.clock import utc_now
from storage.database import BACKUPS
from storage.outbox import OutRow, OutState
from storage.queues import Queues
from storage.reviews import Waiting
from storage.staff import Role
from storage.statistics import Daily, Statistics
from storage.store import DATABASE
from storage.transaction import Tx

BUILD = "chart"
CHART_DAYS = 30
# More would not be read, and a message has an end.
MOST_MODELS = 3


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in the database."""

    numbers: Statistics
    queues: Queues
    reviews: Waiting


@dataclass(frozen=True, slots=True)
class Room:
    """What lies on the disk, in bytes."""

    database: int
    backups: int


async def show(update: Update, context: Context) -> None:
    """Tell the numbers, and have the chart sent."""
    services = context.services
    looked = await context.storage.read(_look, services)
    room = await asyncio.to_thread(_measure, services.settings.data_dir)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts = acting.texts
        parts = ["\n".join(lines) for lines in _parts(texts, looked, room) if lines]
        say(tx, key, acting.chat, "\n\n".join(parts))
        show_made(tx, f"{key}:chart", acting.chat, BUILD, texts("stats.chart"))

    await reply_as(Role.ADMIN, update, context, reply)


async def build(services: Services, row: OutRow) -> Built | None:
    """Draw the chart for an admin."""
    found = await services.storage.read(_days, services, row.chat_id)
    if found is None:
        return None
    days, texts = found
    last = _midnight(services).date()
    return Built(await asyncio.to_thread(draw_chart, days, last, texts), "chart.png")


def _look(tx: Tx, services: Services) -> Looked:
    numbers = statistics.gather(tx, _midnight(services))
    waiting = reviews.waiting(tx, services.settings.service_level)
    return Looked(numbers, queues.look(tx), waiting)


def _days(tx: Tx, services: Services, chat: int) -> tuple[list[Daily], Texts] | None:
    if staff.member(tx, chat, Role.ADMIN) is None:
        return None
    return statistics.daily(tx, _midnight(services), CHART_DAYS), services.texts_in(tx, chat)


def _midnight(services: Services) -> datetime:
    """Tell when the clinic's day began."""
    zone = ZoneInfo(services.settings.time_zone)
    return utc_now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _measure(folder: Path) -> Room:
    backups = sum(path.stat().st_size for path in (folder / BACKUPS).glob("*"))
    database = sum(path.stat().st_size for path in folder.glob(f"{DATABASE}*"))
    return Room(database, backups)


def _parts(texts: Texts, looked: Looked, room: Room) -> Iterator[list[str]]:
    numbers = looked.numbers
    yield _scans(texts, numbers)
    yield _refusals(texts, numbers)
    yield from (_model(texts, record) for record in numbers.models[:MOST_MODELS])
    if not numbers.models:
        yield [texts("stats.none_reviewed")]
    yield [
        texts(
            "stats.waiting",
            cases=looked.queues.cases.length,
            reviews=looked.reviews.count,
            disputed=looked.reviews.disputed,
            words=looked.queues.outbox[OutState.PENDING].length,
        )
    ]
    yield [
        texts(
            "stats.storage",
            database=_megabytes(room.database),
            images=_megabytes(numbers.image_bytes),
            backups=_megabytes(room.backups),
        )
    ]


def _scans(texts: Texts, numbers: Statistics) -> list[str]:
    counts = {"today": numbers.today, "week": numbers.week, "total": numbers.total}
    lines = [texts("stats.scans", **{name: f"{count:,}" for name, count in counts.items()})]
    if numbers.latency is not None:
        latency = numbers.latency
        median, most = _seconds(latency.median), _seconds(latency.most)
        lines.append(texts("stats.latency", count=latency.answers, median=median, most=most))
    return lines


def _refusals(texts: Texts, numbers: Statistics) -> list[str]:
    if not numbers.refusals:
        return []
    total = sum(count for _, count in numbers.refusals)
    lines = [
        texts("stats.refusal", reason=texts.known(f"refused.{reason}", escape(reason)), count=count)
        for reason, count in numbers.refusals
    ]
    return [texts("stats.refusals", count=total), *lines]


def _model(texts: Texts, record: ModelRecord) -> list[str]:
    model = escape(record.model)
    lines = [texts("stats.model", model=model, window=REVIEWS)]
    if record.agreed.whole:
        lines.append(texts("stats.agreed", **_share(record.agreed)))
    lines.append(texts("stats.unsure", count=record.unsure))
    lines.append(texts("stats.calibration"))
    for step in record.steps:
        said = f"{step.expected:.0%}"
        lines.append(texts("stats.step", said=said, **_share(step.right)))
    return lines


def _share(share: Share) -> dict[str, str]:
    low, high = share.interval()
    return {
        "share": f"{share.part / share.whole:.0%}",
        "low": f"{low:.0%}",
        "high": f"{high:.0%}",
        "count": f"{share.whole:,}",
    }


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():,.1f}"


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:,.0f}"
