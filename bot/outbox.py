"""The one way out to Telegram: what stands in the outbox is sent, paced, and marked."""

import asyncio
import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
from PIL import Image
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, InputMediaPhoto
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot import answers, deliveries
from bot.building import Builder, Built
from bot.connection import pause_asked
from bot.context import Services
from bot.errors import report
from bot.mending import mend
from bot.pace import Pace
from bot.wake import rest
from storage import Storage, outbox, people
from storage.ahead import LONGEST_BACKOFF
from storage.clock import utc_now
from storage.errors import ImageLost, StorageError
from storage.outbox import REPEATABLE, OutKind, OutRow
from storage.transaction import Tx

log = logging.getLogger(__name__)

AT_ONCE = 20
LONGEST_REST = 5.0
# An upload that the server answers late is not sent again, so it may take its time.
UPLOAD_SECONDS = 60.0
BACKOFF = timedelta(seconds=1)
# About a day: meanwhile everything else in the chat waits, as does an announcement's report.
MOST_ATTEMPTS = 150
# Until a member of staff who blocked the bot is tried again; to unblock it is quicker.
BLOCKED_FOR = timedelta(days=1)

# What stands in the place of what was taken away.
EMPTY = "…"
BLANK_SIDE = 64

# Writes down what became of a row.
Mark = Callable[[Tx], object]


class Missing(Exception):
    """What was to be sent or changed is not there (any more)."""


@dataclass
class Outbox:
    """Sends what is due until it is stopped."""

    bot: Bot
    services: Services
    builders: Mapping[str, Builder]
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
            message_ids = await self._call(row)
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

    async def _call(self, row: OutRow) -> tuple[int, ...]:
        """Do what a row says; gives the ids of the messages made."""
        payload: Any = row.payload
        common: dict[str, Any] = {"chat_id": row.chat_id, "parse_mode": ParseMode.HTML}
        markup = keyboard(payload.get("buttons", ()))
        match row.kind:
            case OutKind.MESSAGE:
                sent = await self.bot.send_message(
                    text=payload["text"], reply_markup=markup, **common
                )
                return (sent.message_id,)
            case OutKind.PHOTO:
                sent = await self.bot.send_photo(
                    photo=await self._photo(row),
                    caption=payload["text"],
                    reply_markup=markup,
                    write_timeout=UPLOAD_SECONDS,
                    read_timeout=UPLOAD_SECONDS,
                    **common,
                )
                return (sent.message_id,)
            case OutKind.DOCUMENT:
                return (await self._send_document(row, common),)
            case OutKind.ALBUM:
                return await self._send_album(row)
            case OutKind.COPY:
                copied = await self.bot.copy_message(
                    row.chat_id, payload["chat"], payload["message"], reply_markup=markup
                )
                return (copied.message_id,)
            case OutKind.EDIT:
                edit = {"message_id": _aim(row), "reply_markup": markup, **common}
                if payload.get("captioned"):
                    await self.bot.edit_message_caption(caption=payload["text"], **edit)
                else:
                    await self.bot.edit_message_text(text=payload["text"], **edit)
            case OutKind.DELETE:
                await self._take_away(row.chat_id, _aim(row))
        return ()

    async def _take_away(self, chat: int, message_id: int) -> None:
        """Delete a message; one that is too old for Telegram to do so is emptied."""
        try:
            await self.bot.delete_message(chat, message_id)
        except BadRequest as error:
            if "can't be deleted" not in error.message:
                raise
            await self._empty(chat, message_id)

    async def _empty(self, chat: int, message_id: int) -> None:
        """Leave nothing of a message to be read, seen or tapped."""
        try:
            await self.bot.edit_message_text(EMPTY, chat, message_id)
        except BadRequest as error:
            if "no text" not in error.message:
                raise
            nothing = InputMediaPhoto(await asyncio.to_thread(blank), caption=EMPTY)
            await self.bot.edit_message_media(nothing, chat, message_id)

    async def _send_document(self, row: OutRow, common: dict[str, Any]) -> int:
        sent = await self.bot.send_document(
            document=await self._built(row),
            caption=str(row.payload["text"]),
            write_timeout=UPLOAD_SECONDS,
            read_timeout=UPLOAD_SECONDS,
            **common,
        )
        return sent.message_id

    async def _send_album(self, row: OutRow) -> tuple[int, ...]:
        """Send pictures together; the caption stands under the first."""
        payload: Any = row.payload
        pictures = [
            await self._made(replace(row, payload=payload | {"image": image}))
            for image in payload["images"]
        ]
        media = [InputMediaPhoto(each.content, filename=each.name) for each in pictures]
        sent = await self.bot.send_media_group(
            row.chat_id,
            media,
            caption=payload["text"],
            parse_mode=ParseMode.HTML,
            write_timeout=UPLOAD_SECONDS,
            read_timeout=UPLOAD_SECONDS,
        )
        return tuple(each.message_id for each in sent)

    async def _photo(self, row: OutRow) -> InputFile:
        if row.image_id is None:
            return await self._built(row)
        picture = await self._storage.images.load(row.image_id)
        return InputFile(picture, filename="answer.jpg")

    async def _built(self, row: OutRow) -> InputFile:
        made = await self._made(row)
        return InputFile(made.content, filename=made.name)

    async def _made(self, row: OutRow) -> Built:
        """Make the file that a row names; raises Missing if there is none (any more)."""
        builder = self.builders.get(str(row.payload.get("build")))
        built = await builder(self.services, row) if builder else None
        if built is None:
            raise Missing
        return built

    @property
    def _storage(self) -> Storage:
        return self.services.storage


def _lease_due(tx: Tx, room: int, resting: tuple[int, ...], spare: bool) -> list[OutRow]:
    """Take what may go out; while many wait for their answers, these come before afterwords."""
    calm = not answers.crowded(tx)
    return outbox.lease_due(tx, room, resting, announcements=spare, afterwords=calm)


def _next_due(tx: Tx) -> datetime | None:
    return outbox.next_due(tx, afterwords=not answers.crowded(tx))


def blank() -> bytes:
    """Draw the picture that takes the place of one that is not to be seen any more."""
    buffer = io.BytesIO()
    Image.new("L", (BLANK_SIDE, BLANK_SIDE), 128).save(buffer, "PNG")
    return buffer.getvalue()


def keyboard(buttons: list[list[list[str]]]) -> InlineKeyboardMarkup | None:
    """Make the buttons under a message."""
    if not buttons:
        return None
    return InlineKeyboardMarkup(
        [
            [InlineKeyboardButton(label, callback_data=data) for label, data in row]
            for row in buttons
        ]
    )


def _aim(row: OutRow) -> int:
    """Give the message that a row changes or deletes; raises Missing if it was never sent."""
    message_id = row.target_message_id or row.payload.get("message_id")
    if not isinstance(message_id, int):
        raise Missing
    return message_id


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
        answers.let_in(tx, services, row.chat_id)


def _blocked(tx: Tx, services: Services, row: OutRow) -> None:
    is_staff = bool(services.roles.of(row.chat_id))
    if row.kind is OutKind.DELETE and is_staff and row.attempts < MOST_ATTEMPTS:
        # What was erased still stands in their chat: it goes when they are back.
        outbox.retry(tx, row.id, tx.time + BLOCKED_FOR)
    else:
        deliveries.undelivered(tx, row, deliveries.BLOCKED)
    deliveries.blocked(tx, services, row.chat_id)
