"""The buttons under an answer: what it means, ask a doctor, delete."""

from datetime import timedelta
from html import escape

from telegram import Update

from bot import doctors_word
from bot.context import Context, Services
from bot.patient import consent
from bot.replies import answer_tap, erase_once, reply_once, tapped_value
from bot.say import edit_here, say, unanswered
from bot.texts.catalogue import Texts
from storage import cases, erasure, history, outbox, people, reviews
from storage.cases import Case, CaseState
from storage.erasure import NOTHING, Erased
from storage.people import Person
from storage.transaction import Tx

# For so long Telegram lets a bot take its messages back.
DELETABLE_FOR = timedelta(hours=48)


async def explain(update: Update, context: Context) -> None:
    """Say what the bars and colours mean."""
    await answer_tap(update, context)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        say(tx, key, person.telegram_id, services.texts_of(person)("meaning.text"))

    await reply_once(update, context, reply)


async def ask_doctor(update: Update, context: Context) -> None:
    """Put the case in front of the doctors."""
    await answer_tap(update, context)
    number = tapped_value(update)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts = services.texts_of(person)
        case = history.own(tx, person.id, number)
        if case is None or case.erased_at is not None:
            text = texts("gone")
        elif word := doctors_word.words(tx, texts, case):
            text = word
        elif people.consents(tx, person.id):
            text = _put_before_doctors(tx, texts, case)
        else:
            # The wish stands when they agree again.
            cases.ask_doctor(tx, case.id)
            consent.ask(tx, services, person, key, after_picture=False)
            return
        say(tx, key, person.telegram_id, text, case_id=case.id if case else None)

    await reply_once(update, context, reply)


def _put_before_doctors(tx: Tx, texts: Texts, case: Case) -> str:
    """Keep the wish, and say how things stand."""
    is_new = cases.ask_doctor(tx, case.id)
    reviews.enter(tx, case.id)
    if case.state is CaseState.UNDER_REVIEW:
        return unanswered(texts, texts("doctor.looking"))
    if reviews.seen_by(tx, case.id):
        return unanswered(texts, texts("doctor.settling"))
    if not reviews.another(tx, case.id):
        return unanswered(texts, texts("doctor.nobody"))
    count = reviews.ahead(tx, case.id)
    ahead = texts("doctor.ahead", count=count) if count else texts("doctor.none_ahead")
    text = texts("doctor.asked" if is_new else "doctor.asked_before", ahead=ahead)
    return unanswered(texts, text)


async def ask_to_delete(update: Update, context: Context) -> None:
    """Ask whether the picture is really to go."""
    await answer_tap(update, context)
    number = tapped_value(update)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        texts = services.texts_of(person)
        yes = (texts("button.yes_delete"), f"deleted:{number}")
        no = (texts("button.no"), "kept:")
        question = texts("delete.sure", number=escape(number))
        say(tx, key, person.telegram_id, question, [[yes, no]])

    await reply_once(update, context, reply)


async def keep(update: Update, context: Context) -> None:
    """Leave everything as it is."""
    await answer_tap(update, context)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        edit_here(tx, key, update, services.texts_of(person)("forget.kept"))

    await reply_once(update, context, reply)


async def delete_case(update: Update, context: Context) -> None:
    """Erase one case, and its messages from the chat."""
    await answer_tap(update, context)
    number = tapped_value(update)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> Erased:
        texts, case = services.texts_of(person), history.own(tx, person.id, number)
        if case is None:
            edit_here(tx, f"{key}:edit", update, texts("gone"))
            return NOTHING
        same = (case.id, *cases.duplicates_of(tx, case.id))
        said = [row for each in same for row in outbox.of_case(tx, each) if row.message_id]
        erased = erasure.delete_case(tx, case.id)
        stays = any(tx.time - row.changed_at > DELETABLE_FOR for row in said)
        edit_here(tx, f"{key}:edit", update, texts("delete.stays" if stays else "delete.done"))
        for row in said:
            assert row.message_id is not None
            outbox.take_out(tx, key, row.chat_id, row.message_id)
        return erased

    await erase_once(update, context, reply)
