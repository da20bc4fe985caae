"""The one way out to Telegram: a row of the outbox as a call."""

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, InputMediaPhoto
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot.building import Builder, Built
from bot.context import Services
from storage.outbox import OutKind, OutRow

# An upload that the server answers late is not sent again, so it may take its time.
UPLOAD: dict[str, Any] = {"write_timeout": 60.0, "read_timeout": 60.0}

# What stands in the place of what was taken away.
EMPTY = "…"
BLANK_SIDE = 64


class Missing(Exception):
    """What was to be sent or changed is not there (any more)."""


@dataclass(frozen=True, slots=True)
class Messenger:
    """Does what rows say, each once; failures are for the caller."""

    bot: Bot
    services: Services
    builders: Mapping[str, Builder]

    async def send(self, row: OutRow) -> tuple[int, ...]:
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
                    **UPLOAD,
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
            **UPLOAD,
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
            **UPLOAD,
        )
        return tuple(each.message_id for each in sent)

    async def _photo(self, row: OutRow) -> InputFile:
        if row.image_id is None:
            return await self._built(row)
        picture = await self.services.storage.images.load(row.image_id)
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
