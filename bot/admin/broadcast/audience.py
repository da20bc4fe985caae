"""Who is to get it, and whether it is an announcement or a safety notice."""

from telegram import Update

from bot.admin.broadcast import confirm
from bot.admin.broadcast.words import (
    ANNOUNCEMENT,
    NAMES,
    SAFETY,
    audience_in_words,
    drop_button,
    heading,
    source_name,
)
from bot.context import Context, Services
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import Buttons, edit_here, say
from bot.texts.catalogue import Texts
from classifier.report_texts import Language
from storage import broadcasts, sources
from storage.recipients import Audience, Crowd
from storage.staff import Role
from storage.transaction import Tx

TO, SOURCE, LANGUAGE = "cast_to", "cast_source", "cast_language"
WEIGHT = "cast_weight"
# Telegram shows a hundred buttons.
MOST_SOURCES = 90


def ask(tx: Tx, acting: Acting, broadcast_id: int, key: str) -> None:
    """Ask who is to get a draft."""
    buttons = _crowds(acting.texts, broadcast_id)
    say(tx, f"{key}:to", acting.chat, acting.texts("broadcast.to_whom"), buttons)


def _crowds(texts: Texts, broadcast_id: int) -> Buttons:
    buttons = [
        [(texts(f"broadcast.button.{crowd}"), f"{TO}:{broadcast_id}:{crowd}")] for crowd in Crowd
    ]
    return [*buttons, drop_button(texts, broadcast_id)]


async def choose(update: Update, context: Context) -> None:
    """Take the audience, or ask which clinic or language."""
    await answer_tap(update, context)
    number, _, name = tapped_value(update).partition(":")
    broadcast_id, crowd = int(number), Crowd(name)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if crowd is Crowd.SOURCE:
            edit_here(tx, key, update, *_which_source(tx, acting.texts, broadcast_id))
        elif crowd is Crowd.LANGUAGE:
            edit_here(tx, key, update, *_which_language(acting.texts, broadcast_id))
        else:
            _address(tx, acting, update, key, broadcast_id, Audience(crowd))

    await reply_as(Role.ADMIN, update, context, reply)


def _which_source(tx: Tx, texts: Texts, broadcast_id: int) -> tuple[str, Buttons]:
    # Those who came by a link that is retired since can be written to all the same.
    found = sources.listing(tx)[-MOST_SOURCES:]
    if not found:
        return texts("broadcast.no_source"), _crowds(texts, broadcast_id)
    buttons = [[(source_name(texts, each), f"{SOURCE}:{broadcast_id}:{each.id}")] for each in found]
    return texts("broadcast.which_source"), [*buttons, drop_button(texts, broadcast_id)]


def _which_language(texts: Texts, broadcast_id: int) -> tuple[str, Buttons]:
    buttons = [
        [(name, f"{LANGUAGE}:{broadcast_id}:{language}")] for language, name in NAMES.items()
    ]
    return texts("broadcast.which_language"), [*buttons, drop_button(texts, broadcast_id)]


async def choose_source(update: Update, context: Context) -> None:
    """Take those who came by one clinic's link."""
    await answer_tap(update, context)
    broadcast_id, source_id = map(int, tapped_value(update).split(":"))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        audience = Audience(Crowd.SOURCE, source_id=source_id)
        _address(tx, acting, update, key, broadcast_id, audience)

    await reply_as(Role.ADMIN, update, context, reply)


async def choose_language(update: Update, context: Context) -> None:
    """Take those who read one language."""
    await answer_tap(update, context)
    number, _, language = tapped_value(update).partition(":")

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        audience = Audience(Crowd.LANGUAGE, language=Language(language))
        _address(tx, acting, update, key, int(number), audience)

    await reply_as(Role.ADMIN, update, context, reply)


def _address(
    tx: Tx, acting: Acting, update: Update, key: str, broadcast_id: int, audience: Audience
) -> None:
    texts = acting.texts
    if not broadcasts.address(tx, broadcast_id, audience):
        edit_here(tx, key, update, texts("broadcast.over"))
        return
    buttons = [
        [(texts(f"broadcast.button.{weight}"), f"{WEIGHT}:{broadcast_id}:{weight}")]
        for weight in (ANNOUNCEMENT, SAFETY)
    ]
    text = texts("broadcast.how", to=audience_in_words(tx, texts, audience))
    edit_here(tx, key, update, text, [*buttons, drop_button(texts, broadcast_id)])


async def weigh(update: Update, context: Context) -> None:
    """Take what kind it is, and show it as it will look."""
    await answer_tap(update, context)
    number, _, weight = tapped_value(update).partition(":")

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if not broadcasts.weigh(tx, int(number), weight == SAFETY):
            edit_here(tx, key, update, acting.texts("broadcast.over"))
            return
        broadcast = broadcasts.get(tx, int(number))
        assert broadcast is not None
        edit_here(tx, key, update, heading(tx, acting.texts, broadcast))
        confirm.show(tx, services, acting, broadcast)

    await reply_as(Role.ADMIN, update, context, reply)
