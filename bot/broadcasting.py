"""Announcements on their way: a few recipients at a time into the outbox, and how far it is."""

import asyncio
from datetime import timedelta

from bot.admin.broadcast import report, schedule
from bot.admin.broadcast.confirm import speech
from bot.context import Services
from bot.errors import report as report_error
from bot.wake import rest
from storage import audit, broadcasts, recipients
from storage.broadcasts import Broadcast, BroadcastState
from storage.clock import utc_now
from storage.transaction import Tx

# Of the 30 messages a second that Telegram takes, six are left for patients.
TICK_SECONDS = 0.5
EACH_TICK = 12
LONGEST_REST = 30.0
AGAIN_SECONDS = 5.0
TOLD_EVERY = timedelta(seconds=3)
# What Telegram answers when there is nothing to copy any more.
SOURCE_GONE = "Message to copy not found"


async def feed(services: Services) -> None:
    """Keep the outbox supplied until cancelled; all that counts stands in the database."""
    while True:
        try:
            busy = await _take_steps(services)
            until = None if busy else await services.storage.read(broadcasts.next_due)
        except Exception as error:
            await report_error(services, error, "announcements")
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        if busy:
            await asyncio.sleep(TICK_SECONDS)
        else:
            await rest(services.wake.broadcasts, until, utc_now(), LONGEST_REST)


async def _take_steps(services: Services) -> bool:
    """Do what can be done now for each announcement; False if there is none to do anything for."""
    found = await services.storage.read(broadcasts.to_do)
    for each in found:
        await services.storage.write(step, services, each.id, max(1, EACH_TICK // len(found)))
        services.wake.outbox.set()
    return bool(found)


def step(tx: Tx, services: Services, broadcast_id: int, most: int) -> None:
    """Do what can be done now for one announcement, as it stands, and for `most` recipients."""
    broadcast = broadcasts.get(tx, broadcast_id)
    assert broadcast is not None
    match broadcast.state:
        case BroadcastState.SCHEDULED if schedule.is_too_late(broadcast, tx.time):
            schedule.ask_again(tx, services, broadcast)
        case BroadcastState.SCHEDULED:
            broadcasts.start(tx, broadcast_id, speech(services))
            report.note(tx, audit.SYSTEM, "broadcast_started", broadcast_id)
            report.begin(tx, services, broadcast_id)
        case BroadcastState.RUNNING:
            _go_on(tx, services, broadcast, most)
        case BroadcastState.PAUSED:
            recipients.recall(tx, broadcast_id)
        case BroadcastState.CANCELLED:
            recipients.give_up(tx, broadcast_id)
    if broadcasts.finish(tx, broadcast_id):
        report.finish(tx, services, broadcast_id)


def _go_on(tx: Tx, services: Services, broadcast: Broadcast, most: int) -> None:
    assert broadcast.safety is not None and broadcast.told_at is not None
    if recipients.failed_for(tx, broadcast.id, SOURCE_GONE):
        broadcasts.cancel(tx, broadcast.id)
        report.source_gone(tx, services, broadcast.id)
        return
    recipients.top_up(tx, broadcast.id, broadcast.content, broadcast.safety, most)
    if broadcast.told_at + TOLD_EVERY <= tx.time:
        report.show_progress(tx, services, broadcast.id)
