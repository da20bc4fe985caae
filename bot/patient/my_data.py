"""Take everything out, erase everything."""

import asyncio
import io
import json
import zipfile
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from telegram import Update

from bot import answers
from bot.building import Built
from bot.context import Context, Sender, Services
from bot.menus import publish_for
from bot.replies import answer_tap, erase_once, reply_once
from bot.say import edit_here, say, send_file
from storage import Storage, erasure, history, outbox
from storage.erasure import Erased
from storage.errors import ImageLost
from storage.history import PersonRecord
from storage.outbox import OutRow
from storage.people import Person
from storage.transaction import Tx

FORGET = "forget:yes"
BUILD = "my_data"
ARCHIVE = "my-data.zip"
# Telegram takes 50 MB from a bot; the oldest pictures are left out of a larger archive.
LARGEST = 48 * 1024 * 1024
PNG = b"\x89PNG"


async def send_data(update: Update, context: Context) -> None:
    """Have the archive sent; it is built when its turn comes."""

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        text = services.texts_of(person)("mydata.caption")
        send_file(tx, key, person.telegram_id, BUILD, text, person=person.id)

    await reply_once(update, context, reply)


async def build(services: Services, row: OutRow) -> Built | None:
    """Make the archive of the person a row names: JSON and pictures."""
    storage = services.storage
    record = await storage.read(history.export, int(str(row.payload["person"])))
    if record is None or record.person.telegram_id != row.chat_id:
        return None
    record, texts = _without_waiting(services, record), services.texts_of(record.person)
    buffer, left_out = io.BytesIO(), []
    with zipfile.ZipFile(buffer, "w") as archive:
        words = await asyncio.to_thread(as_json, record)
        await asyncio.to_thread(archive.writestr, "my-data.json", words, zipfile.ZIP_DEFLATED)
        async for name, picture in _pictures(storage, record):
            if picture is None:
                left_out.append(texts("mydata.unreadable", name=name))
            elif buffer.tell() + len(picture) > LARGEST:
                left_out.append(texts("mydata.no_room", name=name))
            else:
                await asyncio.to_thread(archive.writestr, name, picture)
        if left_out:
            archive.writestr("left-out.txt", "\n".join(left_out) + "\n")
    return Built(buffer.getvalue(), ARCHIVE)


def _without_waiting(services: Services, record: PersonRecord) -> PersonRecord:
    """Leave out the answers that a doctor has to see first, and which doctor looks."""
    cases = []
    for each in record.cases:
        shown = replace(each, case=replace(each.case, lease_worker=None))
        if each.findings and answers.waits_for_doctor(services, each.case):
            shown = replace(shown, findings=(), unseen=(), images=())
        cases.append(shown)
    return replace(record, cases=tuple(cases))


async def _pictures(
    storage: Storage, record: PersonRecord
) -> AsyncIterator[tuple[str, bytes | None]]:
    """Give the pictures with their names, the newest first; None for what cannot be opened."""
    for case in reversed(record.cases):
        for number, image_id in enumerate(case.images, start=1):
            name = f"{case.case.number}-{number}"
            try:
                picture = await storage.images.load(image_id)
            except ImageLost:
                yield name, None
            else:
                yield f"{name}.{'png' if picture.startswith(PNG) else 'jpg'}", picture


def as_json(record: PersonRecord) -> str:
    """Write down everything kept of a person."""
    return json.dumps(asdict(record), default=_plain, indent=2, ensure_ascii=False)


async def ask_to_forget(update: Update, context: Context) -> None:
    """Ask whether everything is really to go."""

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts = services.texts_of(person)
        buttons = [[(texts("forget.button"), FORGET)], [(texts("button.no"), "kept:")]]
        say(tx, key, person.telegram_id, texts("forget.sure"), buttons)

    await reply_once(update, context, reply)


async def forget(update: Update, context: Context) -> None:
    """Erase everything; the last words leave no trace."""
    await answer_tap(update, context)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> Erased:
        texts, chat = services.texts_of(person), person.telegram_id
        text = texts("forget.done")
        if services.roles.of(chat):
            text += "\n\n" + texts("forget.staff")
        elsewhere = outbox.elsewhere(tx, person)
        erased = erasure.forget(tx, person.id)
        for others_chat, message_id in elsewhere:
            outbox.take_out(tx, key, others_chat, message_id)
        say(tx, key, chat, text, fleeting=True)
        edit_here(tx, f"{key}:edit", update, "…", fleeting=True)
        return erased

    await erase_once(update, context, reply)
    # A menu in the language chosen would tell that they were here.
    chat = Sender.of(update).telegram_id
    context.application.create_task(publish_for(context.bot, context.services, chat))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)
