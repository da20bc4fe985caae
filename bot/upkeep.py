"""What is done by itself: erase, copy, and look for what is wrong; twice does no harm."""

import asyncio
import logging
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from bot.context import Services
from bot.notices import tell
from bot.say import say, unanswered
from storage import alarms, people, queues, reviews, troubles, updates, work
from storage.backups import SUFFIX, keep_newest, prune_backups
from storage.clock import utc_now
from storage.database import BACKUPS
from storage.outbox import OutState
from storage.queues import Queue
from storage.staff import Role
from storage.transaction import Tx

log = logging.getLogger(__name__)

# Telegram keeps an update for a day.
UPDATES_KEPT = timedelta(days=3)
DAILY = "daily-"
MEGABYTE = 1024 * 1024
# What is free must be so much more than the limit before another warning can come.
MENDED = 1.1
# An outage of Telegram or of the classifier is waited out for longer: admins then know why.
STUCK_CASE = timedelta(minutes=15)
# An upload may take two minutes.
STUCK_SENDING = timedelta(minutes=5)


async def retain(services: Services) -> None:
    """Erase what is older than the retention period, from backups too."""
    settings, storage = services.settings, services.storage
    before = utc_now() - settings.retention
    await asyncio.to_thread(prune_backups, settings.data_dir / BACKUPS, before)
    await storage.write(updates.prune, utc_now() - UPDATES_KEPT)
    await storage.write(troubles.prune, before)
    await storage.write(_tell_unseen, services, before)
    await storage.write(_tell_unanswered, services, before)
    # Last: it writes the file anew, for which there may not be memory enough.
    cases = await storage.expire(before)
    if cases:
        log.info("retention erased %s cases", cases)


def _tell_unseen(tx: Tx, services: Services, before: datetime) -> None:
    """Tell who was promised a doctor's word on what is about to be erased that none comes.

    Doctors may have looked and differed, or one wanted another.
    """
    days = services.settings.retention_days
    for case in reviews.promised(tx, before):
        person = people.get(tx, case.person_id) if case.person_id else None
        if person is not None:
            texts, key = services.texts_of(person), f"unseen:{case.id}:patient"
            sentence = "unsettled" if reviews.seen_by(tx, case.id) else "unseen"
            text = texts(f"retention.{sentence}", number=case.number, days=days)
            say(tx, key, person.telegram_id, unanswered(texts, text))
        key = f"unseen:{case.id}:expired"
        tell(tx, services, Role.ADMIN, key, "admin.unseen_expired", number=case.number)


def _tell_unanswered(tx: Tx, services: Services, before: datetime) -> None:
    """Tell whose pictures are about to be erased without an answer: of a bot that stood still."""
    for case in work.unfinished_before(tx, before):
        person = people.get(tx, case.person_id) if case.person_id else None
        if person is not None:
            texts = services.texts_of(person)
            text = unanswered(texts, texts("refusal.failed"))
            say(tx, f"unanswered:{case.id}", person.telegram_id, text)


async def back_up(services: Services) -> None:
    """Write today's copy of the database, checked by opening it, and keep the newest few."""
    folder = services.settings.data_dir / BACKUPS
    target = folder / f"{DAILY}{utc_now():%Y%m%d}{SUFFIX}"
    if not await asyncio.to_thread(target.exists):
        await services.storage.backup(target)
    kept = services.settings.backups_kept
    await asyncio.to_thread(keep_newest, folder, f"{DAILY}*{SUFFIX}", kept)


async def watch_disk(services: Services) -> None:
    """Warn when the disk gets full, once each time it does."""
    wanted = services.settings.disk_free_mb
    free = await asyncio.to_thread(free_megabytes, services.settings.data_dir)
    await services.storage.write(_watch_disk, services, free, wanted)


def free_megabytes(folder: Path) -> int:
    """Tell how much room the disk of a folder has."""
    return shutil.disk_usage(folder).free // MEGABYTE


def _watch_disk(tx: Tx, services: Services, free: int, wanted: int) -> None:
    if free >= wanted * MENDED:
        alarms.end(tx, "disk")
    elif free < wanted and alarms.begin(tx, "disk"):
        _warn(tx, services, "alarm.disk", free=free, wanted=wanted)


async def find_stuck(services: Services) -> None:
    """Warn when pictures, words or reviews hang, once until nothing does any more."""
    await services.storage.write(_find_stuck, services)
    # Counted where no writer waits for it: it looks at all that waits for a doctor.
    overdue = await services.storage.read(_overdue, services)
    await services.storage.write(_tell_overdue, services, overdue)


def _find_stuck(tx: Tx, services: Services) -> None:
    found = queues.look(tx)
    sending = found.outbox[OutState.SENDING]
    for name, queue, longest in (
        ("cases", found.cases, STUCK_CASE),
        ("sending", sending, STUCK_SENDING),
    ):
        minutes = _minutes(tx, queue)
        if minutes < longest / timedelta(minutes=1):
            alarms.end(tx, name)
        elif alarms.begin(tx, name):
            _warn(tx, services, f"alarm.{name}", count=queue.length, minutes=minutes)


def _overdue(tx: Tx, services: Services) -> dict[str, int]:
    longest = services.settings.service_level
    return {
        "doctors": reviews.out_of_reach(tx, longest),
        "disputes": reviews.undecided(tx, longest),
    }


def _tell_overdue(tx: Tx, services: Services, overdue: Mapping[str, int]) -> None:
    """Remind the admins of what waits too long for a doctor that is not there, or for them."""
    hours = services.settings.service_level_hours
    for name, count in overdue.items():
        if not count:
            alarms.end(tx, name)
        elif alarms.begin(tx, name):
            _warn(tx, services, f"alarm.{name}", count=count, hours=hours)


def _minutes(tx: Tx, queue: Queue) -> int:
    """Tell how long the oldest has waited."""
    return (tx.time - (queue.since or tx.time)) // timedelta(minutes=1)


def _warn(tx: Tx, services: Services, sentence: str, **values: object) -> None:
    key = f"{sentence}:{tx.time.timestamp()}"
    tell(tx, services, Role.ADMIN, key, sentence, None, **values)
