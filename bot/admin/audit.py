"""Who did what, when, with which case: to page through, and as a file."""

from collections.abc import Iterator
from html import escape

from telegram import Update

from bot.acts import Words
from bot.building import Built
from bot.context import Context, Services
from bot.csv_file import as_csv
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import Buttons, edit_here, say, send_file
from bot.texts.catalogue import Texts
from bot.times import told
from storage import audit, staff
from storage.audit import AuditLine
from storage.outbox import OutRow
from storage.staff import Role
from storage.transaction import Tx

PAGE, FILE = "audit", "audit_file"
BUILD = "audit"
LINES = 10
COLUMNS = ("id", "time_utc", "actor", "name", "action", "what", "case", "detail", "in_words")
# Telegram takes 50 MB from a bot, and few lines have more than 200 bytes.
MOST_LINES = 200_000
AT_ONCE = 5_000


async def show(update: Update, context: Context) -> None:
    """List the newest lines."""

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        text, buttons = _page(tx, services, acting.texts, audit.NEWEST)
        say(tx, key, acting.chat, text, buttons)

    await reply_as(Role.ADMIN, update, context, reply)


async def turn(update: Update, context: Context) -> None:
    """Show other lines in the place of these."""
    await answer_tap(update, context)
    before = int(tapped_value(update)) or audit.NEWEST

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        edit_here(tx, key, update, *_page(tx, services, acting.texts, before))

    await reply_as(Role.ADMIN, update, context, reply)


def _page(tx: Tx, services: Services, texts: Texts, before: int) -> tuple[str, Buttons]:
    words, found = Words.of(tx, texts), audit.lines(tx, LINES + 1, before)
    shown = found[:LINES]
    turns = [(texts("audit.newest"), f"{PAGE}:0")] if before < audit.NEWEST else []
    if len(found) > LINES:
        turns.append((texts("audit.older"), f"{PAGE}:{shown[-1].id}"))
    lines = [_line(services, words, each) for each in shown] or [texts("audit.none")]
    buttons = [*([turns] if turns else []), [(texts("audit.file"), f"{FILE}:")]]
    return "\n".join([texts("audit.title"), "", *lines]), buttons


def _line(services: Services, words: Words, line: AuditLine) -> str:
    texts = words.texts
    when = told(services.settings, line.at, texts.language)
    parts = [when, words.who(line.actor), words.what(line.action)]
    if line.case_number:
        parts.append(texts("audit.case", number=line.case_number))
    if line.detail:
        parts.append(words.detail(line.detail))
    return " · ".join(map(escape, parts))


async def send_all(update: Update, context: Context) -> None:
    """Have all lines sent as a file; it is made when its turn comes."""
    await answer_tap(update, context)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        audit.record(tx, acting.member.actor, "audit_exported")
        send_file(tx, key, acting.chat, BUILD, acting.texts("audit.caption"))

    await reply_as(Role.ADMIN, update, context, reply)


async def build(services: Services, row: OutRow) -> Built | None:
    """Make the file for an admin."""
    return await services.storage.read(_build, services, row.chat_id)


def _build(tx: Tx, services: Services, chat: int) -> Built | None:
    if staff.member(tx, chat, Role.ADMIN) is None:
        return None
    words = Words.of(tx, services.texts_in(tx, chat))
    return Built(as_csv(_rows(tx, words)), "audit.csv")


def _rows(tx: Tx, words: Words) -> Iterator[tuple[object, ...]]:
    """Give the header and the lines, newest first."""
    yield COLUMNS
    before, left = audit.NEWEST, MOST_LINES
    while left > 0 and (page := audit.lines(tx, min(AT_ONCE, left), before)):
        for line in page:
            yield (
                line.id,
                f"{line.at:%Y-%m-%d %H:%M:%S}",
                line.actor,
                words.who(line.actor),
                line.action,
                words.what(line.action),
                line.case_number or "",
                line.detail or "",
                words.detail(line.detail),
            )
        before, left = page[-1].id, left - len(page)
    if left == 0:
        yield (words.texts("audit.cut"),)
