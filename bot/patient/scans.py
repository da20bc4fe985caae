"""A picture arrives: checked against consent and limits, and written as a case."""

import math
from dataclasses import dataclass
from datetime import timedelta

from telegram import Message, Update

from bot import answers, repeats
from bot.connection import LARGEST_FETCHED
from bot.context import Context, Services
from bot.deliveries import AGAIN
from bot.patient import consent
from bot.replies import reply_once
from bot.say import paused, say, unanswered
from bot.worker import SIDE_BY_SIDE
from classifier.reading.limits import MAX_ARCHIVE_BYTES
from storage import cases, history, pause, work
from storage.cases import FileKind, Upload, UploadedFile
from storage.people import Person
from storage.transaction import Tx

MEGABYTE = 1024 * 1024
LARGEST = LARGEST_FETCHED * MEGABYTE
# A local server would hand out files of 2 GB, but none is read.
LARGEST_LOCAL = MAX_ARCHIVE_BYTES
# Telegram sends the parts of an album one by one and never says which is the last.
QUIET = timedelta(seconds=1)
# Until a first finding tells how long one takes.
USUAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it came, with what was written beside it."""

    file: UploadedFile
    note: str | None
    album: str | None


async def received(update: Update, context: Context) -> None:
    """Take in a photo or a file."""
    message = update.effective_message
    assert message is not None
    sent = sent_in(message)
    await reply_once(
        update, context, lambda tx, services, person, key: _take_in(tx, services, person, key, sent)
    )


def sent_in(message: Message) -> Sent:
    """Describe the photo (in its largest size) or file of a message."""
    part = message.photo[-1] if message.photo else message.document
    assert part is not None
    kind = FileKind.PHOTO if message.photo else FileKind.DOCUMENT
    file = UploadedFile(message.message_id, kind, part.file_id, part.file_unique_id, part.file_size)
    return Sent(file, message.caption, message.media_group_id)


def _take_in(tx: Tx, services: Services, person: Person, key: str, sent: Sent) -> None:
    resting = pause.current(tx)
    if resting is not None and not _joins_album(tx, person, sent):
        text = paused(services.texts_of(person), resting)
        say(tx, _once(person, sent, key, "pause"), person.telegram_id, text)
        return
    if not consent.has_agreed(tx, person):
        consent.ask(tx, services, person, key, after_picture=True)
        return
    if refusal := _refusal(tx, services, person, sent):
        text = unanswered(services.texts_of(person), refusal)
        say(tx, _once(person, sent, key, "limit"), person.telegram_id, text)
        return
    if sent.album is None and _answer_again(tx, services, person, key, sent):
        return
    upload = Upload(
        person_id=person.id,
        files=(sent.file,),
        note=sent.note,
        album=sent.album,
        quiet=QUIET if sent.album else timedelta(0),
    )
    case = cases.receive(tx, upload)
    text = _waiting(tx, services, person, case.id)
    say(tx, answers.progress_key(case), person.telegram_id, text, case_id=case.id)


def _once(person: Person, sent: Sent, key: str, what: str) -> str:
    """Make the key of what is said once for all parts of an album."""
    return f"album:{person.id}:{sent.album}:{what}" if sent.album else f"{key}:{what}"


def _refusal(tx: Tx, services: Services, person: Person, sent: Sent) -> str | None:
    """Say why this picture is not taken now, or None."""
    settings, texts = services.settings, services.texts_of(person)
    limit = LARGEST_LOCAL if settings.local_mode else LARGEST
    if (sent.file.size or 0) > limit:
        size = math.ceil((sent.file.size or 0) / MEGABYTE)
        return texts("refusal.too_big_for_telegram", size=size, limit=limit // MEGABYTE)
    if _joins_album(tx, person, sent):
        return None
    if hours := _wait(tx, person, settings.scans_per_day, 24, timedelta(hours=1)):
        return texts("refusal.limit_day", count=settings.scans_per_day, hours=hours)
    if minutes := _wait(tx, person, settings.scans_per_hour, 60, timedelta(minutes=1)):
        return texts("refusal.limit_hour", count=settings.scans_per_hour, minutes=minutes)
    queue = work.queue(tx)
    if queue.length >= settings.queue_limit:
        seconds = queue.length * (queue.seconds or USUAL_SECONDS) / SIDE_BY_SIDE
        minutes = max(1, round(seconds / 60))
        return texts("refusal.queue_full", minutes=minutes)
    return None


def _joins_album(tx: Tx, person: Person, sent: Sent) -> bool:
    """Tell whether the part of an album belongs to a case that was let in already."""
    waiting = [case for case in work.unfinished_of(tx, person.id) if case.attempts == 0]
    return sent.album is not None and sent.album in [case.album for case in waiting]


def _wait(tx: Tx, person: Person, limit: int, steps: int, step: timedelta) -> int:
    """Tell after how many steps fewer than `limit` pictures lie within the last `steps`."""
    for passed in range(steps):
        since = tx.time - (steps - passed) * step
        if history.received_since(tx, person.id, since) < limit:
            return passed
    return steps


def _answer_again(tx: Tx, services: Services, person: Person, key: str, sent: Sent) -> bool:
    """Give the earlier answer if this very file was answered before."""
    earlier = repeats.earlier_of(tx, services, person, sent.file)
    if earlier is None:
        return False
    text = repeats.again(tx, services, earlier, person, sent.note)
    say(tx, f"{key}:again", person.telegram_id, text)
    repeats.show_again(tx, services, earlier, person, f"{AGAIN}{key}")
    return True


def _waiting(tx: Tx, services: Services, person: Person, case_id: int) -> str:
    queue, texts = work.queue(tx, case_id), services.texts_of(person)
    seconds = round(queue.ahead * (queue.seconds or USUAL_SECONDS) / SIDE_BY_SIDE)
    if seconds < 3:
        return texts("progress.received")
    return texts("progress.waiting", seconds=seconds, ahead=queue.ahead)
