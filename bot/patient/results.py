"""The buttons under an answer: what it means, ask a doctor, delete."""

from html import escape

from telegram import Update

from bot.context import Context, Sender, Services
from bot.replies import answer_tap, reply_once, tapped_number
from bot.say import delete, edit_here, say
from storage import cases, history, outbox, people
from storage.cases import Case
from storage.people import Person
from storage.transaction import Tx


async def explain(update: Update, context: Context) -> None:
    """Say what the bars and colours mean."""
    await answer_tap(update)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        say(tx, key, person.telegram_id, services.texts_of(person)("meaning.text"))

    await reply_once(update, context, reply)


async def ask_doctor(update: Update, context: Context) -> None:
    """Put the case in front of the doctors."""
    await answer_tap(update)
    number = tapped_number(update)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts = services.texts_of(person)
        case = history.own(tx, person.id, number)
        if case is None:
            text = texts("gone")
        else:
            is_new = cases.ask_doctor(tx, case.id)
            text = texts("doctor.asked" if is_new else "doctor.asked_before")
        say(tx, key, person.telegram_id, text)

    await reply_once(update, context, reply)


async def ask_to_delete(update: Update, context: Context) -> None:
    """Ask whether the picture is really to go."""
    await answer_tap(update)
    number = tapped_number(update)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts = services.texts_of(person)
        yes = (texts("button.yes_delete"), f"deleted:{number}")
        no = (texts("button.no"), "kept:")
        question = f"{texts('delete.sure')} ({escape(number)})"
        say(tx, key, person.telegram_id, question, [[yes, no]])

    await reply_once(update, context, reply)


async def keep(update: Update, context: Context) -> None:
    """Leave everything as it is."""
    await answer_tap(update)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        edit_here(tx, key, update, services.texts_of(person)("forget.kept"))

    await reply_once(update, context, reply)


async def delete_case(update: Update, context: Context) -> None:
    """Erase one case, and its messages from the chat."""
    await answer_tap(update)
    storage, number = context.storage, tapped_number(update)
    sender = Sender.of(update)

    def find(tx: Tx) -> tuple[Case, list[int]] | None:
        person = people.by_telegram_id(tx, sender.telegram_id)
        case = history.own(tx, person.id, number) if person else None
        if case is None:
            return None
        return case, [row.message_id for row in outbox.of_case(tx, case.id) if row.message_id]

    found = await storage.read(find)
    if found is not None:
        await storage.delete_case(found[0].id)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        text = services.texts_of(person)("delete.done" if found else "gone")
        edit_here(tx, f"{key}:edit", update, text)
        for message_id in found[1] if found else ():
            delete(tx, f"{key}:{message_id}", person.telegram_id, message_id)

    await reply_once(update, context, reply)
