"""What handlers share: reading a tap, and replying once to each update."""

from collections.abc import Callable
from contextlib import suppress

from telegram import Update
from telegram.error import TelegramError

from bot.context import Context, Sender, Services
from storage import people, updates
from storage.people import Person
from storage.transaction import Tx

# Writes the reply to an update, all of whose keys begin as given.
Reply = Callable[[Tx, Services, Person, str], None]


async def reply_once(update: Update, context: Context, reply: Reply) -> None:
    """Record the update and write the reply in one transaction; a repeated update does nothing."""
    sender = Sender.of(update)

    def record(tx: Tx) -> None:
        if updates.first_time(tx, update.update_id):
            person = people.seen(tx, sender.telegram_id, sender.language_code)
            reply(tx, context.services, person, f"u{update.update_id}")

    await context.storage.write(record)
    context.services.wake.all()


async def answer_tap(update: Update) -> None:
    """Let the button stop turning; a tap too old to answer is still obeyed."""
    assert update.callback_query is not None
    with suppress(TelegramError):
        await update.callback_query.answer()


def tapped(update: Update) -> str:
    """Give the data of the button."""
    assert update.callback_query is not None
    return update.callback_query.data or ""


def tapped_number(update: Update) -> str:
    """Give the case number in the data of the button."""
    return tapped(update).partition(":")[2]
