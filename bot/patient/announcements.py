"""Announcements on or off; safety notices come in any case."""

from telegram import Update

from bot.context import Context, Services
from bot.replies import answer_tap, reply_once, tapped_value
from bot.say import Buttons, edit_here, say
from bot.texts.catalogue import Texts
from storage import people
from storage.people import Person
from storage.transaction import Tx

SWITCH = "announcements"
ON, OFF = "on", "off"


async def show(update: Update, context: Context) -> None:
    """Tell whether they are on, with the switch."""

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        wanted = person.opted_out_at is None
        say(tx, key, person.telegram_id, *_state(services.texts_of(person), wanted))

    await reply_once(update, context, reply)


async def switch(update: Update, context: Context) -> None:
    """Turn them on or off."""
    await answer_tap(update, context)
    wanted = tapped_value(update) == ON

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        people.opt_out(tx, person.id, not wanted)
        edit_here(tx, key, update, *_state(services.texts_of(person), wanted))

    await reply_once(update, context, reply)


def _state(texts: Texts, wanted: bool) -> tuple[str, Buttons]:
    if wanted:
        return texts("announcements.on"), [[(texts("announcements.turn_off"), f"{SWITCH}:{OFF}")]]
    return texts("announcements.off"), [[(texts("announcements.turn_on"), f"{SWITCH}:{ON}")]]
