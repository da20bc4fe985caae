"""The clinics' links: made, listed, retired, and printed as posters with a QR code."""

import asyncio
from datetime import timedelta
from html import escape

from telegram import Update
from telegram.helpers import create_deep_linked_url

from bot.building import Built
from bot.context import Context, Services
from bot.joining import LONGEST_NAME, tidy
from bot.poster import poster
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import Buttons, edit_here, say, send_file
from bot.texts.catalogue import Texts
from storage import audit, dialogs, sources
from storage.dialogs import Dialog
from storage.outbox import OutRow
from storage.sources import Source, Tally
from storage.staff import Role
from storage.transaction import Tx

PAGE, MAKE, SHOW, POSTER = "sources", "source_make", "source", "poster"
RETIRE, RETIRE_SURE, KEEP = "source_retire", "source_retire_sure", "source_keep"
ASKED = "admin:source"
BUILD = "poster"
LINES = 10
TIME_TO_ANSWER = timedelta(minutes=30)
KINDS = ("png", "pdf")


async def show_all(update: Update, context: Context) -> None:
    """List the links, newest first."""

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        say(tx, key, acting.chat, *_page(acting.texts, sources.tallies(tx, LINES + 1)))

    await reply_as(Role.ADMIN, update, context, reply)


async def show_older(update: Update, context: Context) -> None:
    """Show the next page of the list in the place of this one."""
    await answer_tap(update, context)
    before = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        page = _page(acting.texts, sources.tallies(tx, LINES + 1, before))
        edit_here(tx, key, update, *page)

    await reply_as(Role.ADMIN, update, context, reply)


def _page(texts: Texts, found: list[Tally]) -> tuple[str, Buttons]:
    shown = found[:LINES]
    lines = [_line(texts, tally) for tally in shown] or [texts("source.none")]
    buttons = [
        [(texts("source.make"), f"{MAKE}:")],
        *(
            [(tally.source.name, f"{SHOW}:{tally.source.id}")]
            for tally in shown
            if tally.source.retired_at is None
        ),
    ]
    if len(found) > LINES:
        buttons.append([(texts("page.older"), f"{PAGE}:{shown[-1].source.id}")])
    return "\n".join([texts("source.title"), *lines]), buttons


def _line(texts: Texts, tally: Tally) -> str:
    retired = tally.source.retired_at is not None
    return texts(
        "source.retired_line" if retired else "source.line",
        name=escape(tally.source.name),
        people=tally.people,
        cases=tally.cases,
    )


async def ask_name(update: Update, context: Context) -> None:
    """Ask for the name of the clinic that gets a link."""
    await answer_tap(update, context)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        dialogs.begin(tx, acting.chat, ASKED, {}, TIME_TO_ANSWER)
        say(tx, key, acting.chat, acting.texts("source.ask_name"))

    await reply_as(Role.ADMIN, update, context, reply)


async def take_name(update: Update, context: Context, dialog: Dialog) -> None:
    """Make the link, unless that clinic has one."""
    assert update.effective_message is not None
    name = tidy(update.effective_message.text or "")
    username = context.bot.username

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if not 1 <= len(name) <= LONGEST_NAME:
            text = acting.texts("source.name_again", longest=LONGEST_NAME)
            say(tx, key, acting.chat, text)
            return
        dialogs.end(tx, acting.chat)
        source = sources.find_or_make(tx, acting.member.actor, name)
        _show(tx, acting, key, source.id, username)

    await reply_as(Role.ADMIN, update, context, reply)


async def show(update: Update, context: Context) -> None:
    """Show one link and what can be done with it."""
    await answer_tap(update, context)
    source_id, username = int(tapped_value(update)), context.bot.username

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        _show(tx, acting, key, source_id, username)

    await reply_as(Role.ADMIN, update, context, reply)


def _show(tx: Tx, acting: Acting, key: str, source_id: int, username: str) -> None:
    texts, tally = acting.texts, sources.tally(tx, source_id)
    if tally is None:
        return
    source = tally.source
    if source.retired_at is not None:
        say(tx, key, acting.chat, _line(texts, tally))
        return
    link = create_deep_linked_url(username, source.token)
    posters = [(texts(f"source.poster_{kind}"), f"{POSTER}:{source.id}:{kind}") for kind in KINDS]
    retire = [(texts("source.retire"), f"{RETIRE}:{source.id}")]
    text = "\n\n".join([_line(texts, tally), texts("source.link", link=link)])
    say(tx, key, acting.chat, text, [posters, retire])


async def send_poster(update: Update, context: Context) -> None:
    """Have the poster sent; it is drawn when its turn comes."""
    await answer_tap(update, context)
    number, _, kind = tapped_value(update).partition(":")
    username = context.bot.username

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        source = _open(tx, int(number))
        if source is None:
            say(tx, key, acting.chat, acting.texts("source.gone"))
            return
        link = create_deep_linked_url(username, source.token)
        caption = acting.texts("source.poster_caption")
        send_file(tx, key, acting.chat, BUILD, caption, source=source.id, kind=kind, link=link)

    await reply_as(Role.ADMIN, update, context, reply)


async def build(services: Services, row: OutRow) -> Built | None:
    """Draw the poster that a row names; of a link retired meanwhile there is none."""
    payload = row.payload
    source = await services.storage.read(_open, int(str(payload["source"])))
    if source is None:
        return None
    link, kind = str(payload["link"]), str(payload["kind"])
    content = await asyncio.to_thread(poster, link, source.name, kind)
    return Built(content, f"poster-{source.id}.{kind}")


def _open(tx: Tx, source_id: int) -> Source | None:
    tally = sources.tally(tx, source_id)
    return tally.source if tally and tally.source.retired_at is None else None


async def ask_to_retire(update: Update, context: Context) -> None:
    """Ask whether a link is really to count no more."""
    await answer_tap(update, context)
    source_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, source = acting.texts, _open(tx, source_id)
        if source is None:
            say(tx, key, acting.chat, texts("source.gone"))
            return
        yes = (texts("source.retire_yes"), f"{RETIRE_SURE}:{source.id}")
        no = (texts("button.no"), f"{KEEP}:")
        question = texts("source.retire_sure", name=escape(source.name))
        say(tx, key, acting.chat, question, [[yes], [no]])

    await reply_as(Role.ADMIN, update, context, reply)


async def retire(update: Update, context: Context) -> None:
    """Let a link count no more."""
    await answer_tap(update, context)
    source_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if sources.retire(tx, source_id):
            audit.record(tx, acting.member.actor, "source_retired", detail=f"source {source_id}")
        edit_here(tx, key, update, acting.texts("source.retired"))

    await reply_as(Role.ADMIN, update, context, reply)
