"""Reviewed pictures for training: as archives into the chat, or as a folder on the server."""

import asyncio
import io
import os
import re
import shutil
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

from telegram import Update

from bot.building import Built
from bot.bundle import Count, Plan, counts, parts, plan
from bot.context import Context, Services
from bot.csv_file import as_csv
from bot.replies import Acting, answer_tap, reply_as
from bot.say import edit_here, say, send_file
from bot.texts.catalogue import Texts
from bot.upkeep import MEGABYTE
from storage import Storage, audit, lessons, outbox
from storage.errors import ImageLost
from storage.lessons import Lessons
from storage.outbox import OutRow
from storage.staff import Role
from storage.transaction import Tx

SEND, KEEP = "export_send", "export_keep"
BUILD_ARCHIVE, BUILD_FOLDER = "export", "export_folder"
MOST_ARCHIVES = 10
# What can lead nowhere but into the folder of the setting.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


async def show(update: Update, context: Context) -> None:
    """Tell what there is to take out; `/export NAME` writes it into a folder on the server."""
    name = " ".join(context.args or ())
    found = await context.storage.read(lessons.gather)
    table = await asyncio.to_thread(_table, found)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if not found.usable:
            text = [acting.texts("export.none"), *_left_out(acting.texts, found)]
            say(tx, key, acting.chat, "\n".join(text))
        elif name:
            _write_folder(tx, services, acting, key, name)
        else:
            _ask(tx, services, acting, key, found, table)

    await reply_as(Role.ADMIN, update, context, reply)


async def send(update: Update, context: Context) -> None:
    """Have the archives sent; each is made when its turn comes."""
    await answer_tap(update, context)
    found = await context.storage.read(lessons.gather)
    archives = await asyncio.to_thread(_archives, found)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if 0 < len(archives) <= MOST_ARCHIVES:
            edit_here(tx, key, update, acting.texts("export.begun", count=len(archives)))
            # One offer is taken up once, however often its button is tapped.
            _send(tx, acting, f"export:{acting.chat}:{_message(update)}", archives)
        else:
            edit_here(tx, key, update, acting.texts("export.too_large"))

    await reply_as(Role.ADMIN, update, context, reply)


def _send(tx: Tx, acting: Acting, key: str, archives: list[Plan]) -> None:
    if outbox.by_key(tx, f"{key}:1") is not None:
        return
    pictures, count = sum(map(len, archives)), len(archives)
    audit.record(tx, acting.member.actor, "export", detail=f"{pictures} pictures")
    for number, files in enumerate(archives, start=1):
        # Deleted once it is sent: nothing is to tell afterwards whose number was whose.
        send_file(
            tx,
            f"{key}:{number}",
            acting.chat,
            BUILD_ARCHIVE,
            acting.texts("export.part", number=number, count=count),
            fleeting=True,
            files=files,
            name=f"reviewed-{number}-of-{count}.zip",
        )


def _message(update: Update) -> int:
    """Tell which message's button was tapped."""
    query = update.callback_query
    assert query is not None
    return query.message.message_id if query.message else 0


def _ask(
    tx: Tx, services: Services, acting: Acting, key: str, found: Lessons, table: list[Count]
) -> None:
    texts = acting.texts
    lines = [texts("export.title"), *_counted(texts, table), *_left_out(texts, found)]
    megabytes = sum(lesson.size for lesson in found.usable) / MEGABYTE
    lines.append(texts("export.size", megabytes=f"{megabytes:.1f}"))
    lines.append(texts("export.names"))
    if services.settings.export_dir is not None:
        lines.append(texts("export.or_folder"))
    buttons = [[(texts("export.send"), f"{SEND}:")], [(texts("button.no"), f"{KEEP}:")]]
    say(tx, key, acting.chat, "\n".join(lines), buttons)


def _write_folder(tx: Tx, services: Services, acting: Acting, key: str, name: str) -> None:
    texts, place = acting.texts, services.settings.export_dir
    if place is None:
        say(tx, key, acting.chat, texts("export.no_place"))
    elif not NAME.fullmatch(name):
        say(tx, key, acting.chat, texts("export.bad_name"))
    elif (place / name).exists():
        say(tx, key, acting.chat, texts("export.exists", name=escape(name)))
    else:
        audit.record(tx, acting.member.actor, "export", detail=f"folder {name}")
        caption = texts("export.folder", name=escape(name))
        in_doubt = texts("export.in_doubt", name=escape(name))
        send_file(tx, key, acting.chat, BUILD_FOLDER, caption, name=name, in_doubt=in_doubt)


def _table(found: Lessons) -> list[Count]:
    return list(counts(plan(found.usable).values()))


def _archives(found: Lessons) -> list[Plan]:
    files = plan(found.usable)
    # By the numbers drawn: their own order is that in which patients came.
    usable = sorted(found.usable, key=lambda lesson: files.get(lesson.case_id, ""))
    return parts(usable, files)


def _counted(texts: Texts, table: list[Count]) -> list[str]:
    return [
        texts(
            "export.line",
            modality=texts(f"modality.{modality}"),
            label=texts(f"verdict.{label}"),
            pictures=pictures,
            patients=patients,
        )
        for modality, label, pictures, patients in table
    ]


def _left_out(texts: Texts, found: Lessons) -> list[str]:
    return [texts(f"export.left_out.{why}", count=n) for why, n in sorted(found.left_out.items())]


async def build_archive(services: Services, row: OutRow) -> Built | None:
    """Make an archive of the pictures a row names, as far as they may still be taken out."""
    payload: Any = row.payload
    files = {int(case): file for case, file in payload["files"].items()}
    if Role.ADMIN not in services.roles.of(row.chat_id):
        return None
    pictures = {file: picture async for file, picture in _pictures(services.storage, files)}
    return Built(await asyncio.to_thread(_archive, pictures), str(payload["name"]))


async def build_folder(services: Services, row: OutRow) -> Built | None:
    """Write the folder a row names, unless it is there already, and give its counts."""
    place, name = services.settings.export_dir, str(row.payload["name"])
    if place is None or Role.ADMIN not in services.roles.of(row.chat_id):
        return None
    # Another admin may want the same name at the same time.
    target, partial = place / name, place / f".{name}.{row.id}.part"
    try:
        if not await asyncio.to_thread(target.exists):
            await asyncio.to_thread(partial.mkdir, mode=0o700, parents=True)
            found = await services.storage.read(lessons.gather)
            async for file, picture in _pictures(services.storage, plan(found.usable)):
                await asyncio.to_thread(_write, partial / file, picture)
            await asyncio.to_thread(partial.rename, target)
        files = await asyncio.to_thread(_files_of, target)
        table = [("modality", "label", "pictures", "patients"), *counts(files)]
    except OSError as error:
        texts = await services.storage.read(services.texts_in, row.chat_id)
        failed = texts("export.failed", why=error.strerror or type(error).__name__)
        return Built(failed.encode(), "failed.txt")
    finally:
        await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
    return Built(as_csv(table), f"{name}.csv")


def clear(place: Path | None) -> None:
    """Delete what a process that was killed left of folders: nothing else would erase it."""
    for partial in place.glob(".*.part") if place else ():
        shutil.rmtree(partial, ignore_errors=True)


async def _pictures(storage: Storage, files: Plan) -> AsyncIterator[tuple[str, bytes]]:
    """Give the pictures of those cases that may still be taken out, under their names."""
    found = await storage.read(lessons.gather)
    for lesson in found.usable:
        if lesson.case_id in files:
            with suppress(ImageLost):
                yield files[lesson.case_id], await storage.images.load(lesson.image_id)


def _archive(pictures: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # Neither order nor time is to tell in what order patients came.
        for file, picture in sorted(pictures.items()):
            archive.writestr(zipfile.ZipInfo(file), picture)
    return buffer.getvalue()


def _write(path: Path, picture: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(picture)
    os.utime(path, (0, 0))


def _files_of(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.glob("*/*/*.png")]
