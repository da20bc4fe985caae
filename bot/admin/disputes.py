"""Cases on which doctors differ: their verdicts for an admin to choose from, and no picture."""

from collections import Counter

from telegram import Update

from bot import doctors_word
from bot.context import Context, Services
from bot.replies import Acting, answer_tap, reply_as, tapped_number
from bot.say import Buttons, edit_here, say
from bot.texts.catalogue import Texts
from storage import opinions, reviews
from storage.cases import Case
from storage.opinions import Verdict
from storage.reviews import NotYours
from storage.staff import Role
from storage.transaction import Tx

CHOOSE, SURE, BACK, RETURN = "dispute", "dispute_sure", "dispute_back", "dispute_return"
AT_ONCE = 10


async def show(update: Update, context: Context) -> None:
    """List the disputed cases, each with what can be done."""

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, all_ = acting.texts, reviews.disputed(tx)
        found = [case for case in all_ if not reviews.is_of(tx, case, acting.member)]
        if not found:
            say(tx, key, acting.chat, texts("dispute.none"))
        for case in found[:AT_ONCE]:
            text, buttons = _page(tx, texts, case)
            say(tx, f"{key}:{case.id}", acting.chat, text, buttons)
        if len(found) > AT_ONCE:
            more = len(found) - AT_ONCE
            say(tx, f"{key}:more", acting.chat, texts("dispute.more", count=more))

    await reply_as(Role.ADMIN, update, context, reply)


async def choose(update: Update, context: Context) -> None:
    """Ask whether the patient is really to hear a verdict."""
    await answer_tap(update, context)
    number, _, verdict = tapped_number(update).partition(":")

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts = acting.texts
        try:
            opinions.in_dispute(tx, acting.member, number)
        except NotYours:
            edit_here(tx, key, update, texts("dispute.over", number=number))
            return
        told = texts(f"verdict.{verdict}")
        buttons = [
            [(texts("dispute.yes"), f"{SURE}:{number}:{verdict}")],
            [(texts("dispute.back"), f"{BACK}:{number}")],
        ]
        edit_here(tx, key, update, texts("dispute.sure", number=number, verdict=told), buttons)

    await reply_as(Role.ADMIN, update, context, reply)


async def go_back(update: Update, context: Context) -> None:
    """Show the verdicts again."""
    await answer_tap(update, context)
    number = tapped_number(update)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts = acting.texts
        try:
            case = opinions.in_dispute(tx, acting.member, number)
        except NotYours:
            edit_here(tx, key, update, texts("dispute.over", number=number))
        else:
            edit_here(tx, key, update, *_page(tx, texts, case))

    await reply_as(Role.ADMIN, update, context, reply)


async def decide(update: Update, context: Context) -> None:
    """Close a case with one of its verdicts, and tell the patient."""
    await answer_tap(update, context)
    number, _, verdict = tapped_number(update).partition(":")

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts = acting.texts
        try:
            case = opinions.decide(tx, acting.member, number, Verdict(verdict))
        except NotYours:
            edit_here(tx, key, update, texts("dispute.over", number=number))
            return
        doctors_word.tell(tx, services, case)
        told = texts(f"verdict.{verdict}")
        edit_here(tx, key, update, texts("dispute.closed", number=number, verdict=told))

    await reply_as(Role.ADMIN, update, context, reply)


async def send_back(update: Update, context: Context) -> None:
    """Have another doctor look."""
    await answer_tap(update, context)
    number = tapped_number(update)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        try:
            opinions.send_back(tx, acting.member, number)
            sentence = "dispute.returned"
        except NotYours:
            sentence = "dispute.over"
        edit_here(tx, key, update, acting.texts(sentence, number=number))

    await reply_as(Role.ADMIN, update, context, reply)


def _page(tx: Tx, texts: Texts, case: Case) -> tuple[str, Buttons]:
    said = Counter(each.verdict for each in opinions.final_of(tx, case.id))
    lines = [
        texts("dispute.said", count=count, verdict=texts(f"verdict.{verdict}"))
        for verdict, count in said.most_common()
    ]
    buttons = [[(texts(f"verdict.{each}"), f"{CHOOSE}:{case.number}:{each}")] for each in said]
    if reviews.another(tx, case.id):
        buttons.append([(texts("dispute.return"), f"{RETURN}:{case.number}")])
    return "\n".join([texts("dispute.title", number=case.number), *lines]), buttons
