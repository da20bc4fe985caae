"""What handlers share: reading a tap, and replying once to each update."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from telegram import Update
from telegram.error import TelegramError

from bot import doctors_word
from bot.context import Command, Context, Sender, Services
from bot.say import edit_here
from bot.texts.catalogue import Texts
from storage import people, staff, updates
from storage.erasure import NOTHING, Erased
from storage.people import Person
from storage.staff import Member, Role
from storage.transaction import Tx

T = TypeVar("T")

# Writes the reply to an update, all of whose keys begin as given.
Reply = Callable[[Tx, Services, Person, str], T]


@dataclass(frozen=True, slots=True)
class Acting:
    """A member of staff at work, and the language they read."""

    member: Member
    texts: Texts

    @property
    def chat(self) -> int:
        """Their private chat."""
        return self.member.telegram_id


StaffReply = Callable[[Tx, Services, Acting, str], None]


async def reply_once(update: Update, context: Context, reply: Reply[None]) -> None:
    """Record the update and write the reply in one transaction; a repeated update does nothing."""
    await context.storage.write(_once, context.services, update, reply, None)
    context.services.wake.answers()


async def erase_once(update: Update, context: Context, reply: Reply[Erased]) -> None:
    """Reply once by erasing: with the images go their files, and what the log still has of it."""
    await context.storage.erase(_once, context.services, update, reply, NOTHING)
    context.application.create_task(context.storage.database.scrub())
    context.services.wake.all()


def _once(tx: Tx, services: Services, update: Update, reply: Reply[T], otherwise: T) -> T:
    if not updates.first_time(tx, update.update_id):
        return otherwise
    sender = Sender.of(update)
    is_back = people.is_blocked(tx, sender.telegram_id)
    person = people.seen(tx, sender.telegram_id, sender.language_code)
    if is_back:
        doctors_word.let_in(tx, services, person.telegram_id)
    return reply(tx, services, person, f"u{update.update_id}")


async def reply_as(role: Role, update: Update, context: Context, reply: StaffReply) -> None:
    """Reply once to somebody in a role; nothing happens if it was revoked meanwhile."""

    def act(tx: Tx, services: Services, person: Person, key: str) -> None:
        member = staff.member(tx, person.telegram_id, role)
        if member is not None:
            reply(tx, services, Acting(member, services.texts_of(person)), key)

    await reply_once(update, context, act)
    context.services.wake.all()


def kept(role: Role, sentence: str) -> Command:
    """Make the handler of a button that leaves everything as it is, and says so."""

    async def keep(update: Update, context: Context) -> None:
        await answer_tap(update, context)

        def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
            edit_here(tx, key, update, acting.texts(sentence))

        await reply_as(role, update, context, reply)

    return keep


async def answer_tap(update: Update, context: Context, text: str | None = None) -> None:
    """Acknowledge a tap in the background; what it asks for does not wait for Telegram."""
    context.application.create_task(_answer(update, text))


async def _answer(update: Update, text: str | None) -> None:
    """Answer a tap; one too old to answer is still obeyed."""
    assert update.callback_query is not None
    with suppress(TelegramError):
        await update.callback_query.answer(text)


def tapped(update: Update) -> str:
    """Give the data of the button."""
    assert update.callback_query is not None
    return update.callback_query.data or ""


def tapped_value(update: Update) -> str:
    """Give what stands in the data of the button after its name: a number, a digest, a role."""
    return tapped(update).partition(":")[2]
