"""What stands in the outbox is sent, paced, and marked with what became of it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot import answers, deliveries, doctors_word
from bot.connection import pause_asked
from bot.context import Services
from bot.errors import report
from bot.mending import mend
from bot.pace import Pace
from bot.sending import Messenger, Missing
from bot.wake import rest
from storage import Storage, outbox, people, staff
from storage.ahead import BLOCKED_FOR, LONGEST_BACKOFF
from storage.clock import utc_now
from storage.errors import ImageLost, StorageError
from storage.outbox import REPEATABLE, OutKind, OutRow
from storage.transaction import Tx

log = logging.getLogger(__name__)

AT_ONCE = 20
LONGEST_REST = 5.0
BACKOFF = timedelta(seconds=1)
# About a day: meanwhile everything else in the chat waits, except behind a deletion, and so does an
# announcement's report.
MOST_ATTEMPTS = 150

# Writes down what became of a row.
Mark = Callable[[Tx], object]


@dataclass
class Outbox:
    """Sends what is due until it is stopped."""

    messenger: Messenger
    services: Services
    pace: Pace = field(default_factory=Pace)
    _flying: set[asyncio.Task[None]] = field(default_factory=set)
    _told: bool = False

    async def run(self) -> None:
        """Send what is due, wait, and again; what is in flight when cancelled is waited for."""
        try:
            while True:
                await self._once()
        finally:
            if self._flying:
                await asyncio.wait(self._flying, timeout=4)

    async def _once(self) -> None:
        # Looked up before: what becomes free meanwhile must not count as something to wait for.
        until, asked = self.pace.earliest(), utc_now()
        try:
            if not await self._send_due():
                await self._rest(until, asked)
        except StorageError as error:
            log.error("the outbox cannot be used: %s", type(error).__name__)
            await asyncio.sleep(1)

    async def _send_due(self) -> bool:
        """Take in hand what may go out now; False if there is nothing."""
        resting = self.pace.resting()
        room = min(self.pace.room(), AT_ONCE - len(self._flying))
        rows = await self._lease(room, resting) if room > 0 else []
        for row in rows:
            self.pace.count(row.chat_id)
            task = asyncio.create_task(self._send(row))
            self._flying.add(task)
            task.add_done_callback(self._landed)
        return bool(rows)

    async def _lease(self, room: int, resting: tuple[int, ...]) -> list[OutRow]:
        """Take rows; those taken while being stopped are put back, since nothing of them went."""
        spare = self.pace.spare()
        taking = asyncio.ensure_future(self._storage.write(_lease_due, room, resting, spare))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            for row in await taking:
                await self._storage.write(outbox.retry, row.id, utc_now())
            raise

    async def _rest(self, until: datetime | None, asked: datetime) -> None:
        """Wait until something is due and may go out; whatever lands rings the bell."""
        if self.pace.room():
            due = await self._storage.read(_next_due)
            # What was due when asked for waits for its chat.
            until = min(filter(None, (until, due if due and due > asked else None)), default=None)
        await rest(self.services.wake.outbox, until, utc_now(), LONGEST_REST)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        self.pace.land()
        self.services.wake.outbox.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("a row of the outbox could not be marked: %s", type(error).__name__)

    async def _send(self, row: OutRow) -> None:
        try:
            mark = await self._outcome(row)
        except Exception as error:
            # Nobody knows how far it came.
            await report(self.services, error, f"row {row.id} of the outbox")
            mark = self._doubtful(row)
        # Whatever happens to the database now, what was sent must not be sent again.
        while True:
            try:
                await self._storage.write(mark)
                # The person's next case may have waited for this answer.
                if row.key.startswith(deliveries.RESULT):
                    self.services.wake.cases.set()
                return
            except StorageError as error:
                log.error("the outbox cannot be written: %s", type(error).__name__)
                await asyncio.sleep(1)
            except Exception as error:
                await report(self.services, error, f"marking row {row.id} of the outbox")
                return

    async def _outcome(self, row: OutRow) -> Mark:
        """Send a row and give what to write down about it."""
        try:
            message_ids = await self.messenger.send(row)
        except RetryAfter as error:
            wait = pause_asked(error)
            self.pace.stop_all(wait)
            return lambda tx: outbox.retry(tx, row.id, tx.time + wait)
        except Forbidden:
            return lambda tx: _blocked(tx, self.services, row)
        except BadRequest as error:
            if "not modified" in error.message.lower():
                return lambda tx: deliveries.arrived(tx, row)
            reason = error.message[:80]
            return lambda tx: deliveries.refused(tx, self.services, row, reason)
        except (ChatMigrated, ImageLost, Missing) as error:
            lost = type(error).__name__
            return lambda tx: deliveries.refused(tx, self.services, row, lost)
        except StorageError as error:
            # Nothing went out: what was to be sent could not be read.
            return self._again(row, error)
        except TelegramError as error:
            if isinstance(error, InvalidToken):
                self._tell_once(error)
            if row.kind in REPEATABLE or surely_not_sent(error):
                return self._again(row, error)
            return self._doubtful(row)
        return lambda tx: _arrived(tx, self.services, row, message_ids)

    def _tell_once(self, error: InvalidToken) -> None:
        """Log what an operator has to mend: with a webhook nothing else would say so."""
        if not self._told:
            self._told = True
            log.error("nothing can be sent: %s", mend(error))

    def _again(self, row: OutRow, error: Exception) -> Mark:
        # What is to be taken out of a chat has to go, however late, and in an outage of all nothing
        # is given up but news.
        has_to_go = row.kind is OutKind.DELETE or _is_outage(error)
        is_news = row.key.startswith(outbox.ANNOUNCEMENT)
        if row.attempts >= MOST_ATTEMPTS and (is_news or not has_to_go):
            return lambda tx: deliveries.refused(tx, self.services, row, "not taken for a day")
        wait = min(BACKOFF * 2 ** min(row.attempts - 1, 12), LONGEST_BACKOFF)
        return lambda tx: outbox.retry(tx, row.id, tx.time + wait)

    def _doubtful(self, row: OutRow) -> Mark:
        return lambda tx: deliveries.doubtful(tx, self.services, row)

    @property
    def _storage(self) -> Storage:
        return self.services.storage


def _lease_due(tx: Tx, room: int, resting: tuple[int, ...], spare: bool) -> list[OutRow]:
    """Take what may go out; while many wait for their answers, these come before afterwords."""
    calm = not answers.crowded(tx)
    return outbox.lease_due(tx, room, resting, announcements=spare, afterwords=calm)


def _next_due(tx: Tx) -> datetime | None:
    return outbox.next_due(tx, afterwords=not answers.crowded(tx))


def _is_outage(error: Exception) -> bool:
    """Tell whether nothing can be sent at all, whatever it is."""
    return isinstance(error, InvalidToken) or isinstance(error.__cause__, httpx.TransportError)


def surely_not_sent(error: TelegramError) -> bool:
    """Tell a failure before anything was sent, or an answer that it failed, from a doubtful one."""
    cause = error.__cause__
    if isinstance(cause, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return True
    # A status came back that says no, with a reason that could be read or without.
    said_no = cause is None or isinstance(cause, TelegramError)
    return said_no and not isinstance(error, TimedOut)


def _arrived(tx: Tx, services: Services, row: OutRow, message_ids: tuple[int, ...]) -> None:
    """Mark a row as sent; what went out after a block was noted, and arrived, disproves it."""
    deliveries.arrived(tx, row, *message_ids)
    person = people.by_telegram_id(tx, row.chat_id) if message_ids else None
    if person and person.blocked_at and person.blocked_at < row.changed_at:
        doctors_word.let_in(tx, services, row.chat_id)


def _blocked(tx: Tx, services: Services, row: OutRow) -> None:
    was_staff = staff.ever(tx, row.chat_id)
    if row.kind is OutKind.DELETE and was_staff and row.attempts < MOST_ATTEMPTS:
        # What was erased still stands in their chat: it goes when they are back.
        outbox.retry(tx, row.id, tx.time + BLOCKED_FOR)
    else:
        deliveries.undelivered(tx, row, deliveries.BLOCKED)
    deliveries.blocked(tx, services, row.chat_id)
