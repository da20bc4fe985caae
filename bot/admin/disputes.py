"""Cases on which doctors differ: their verdicts for an admin to choose from, and no picture."""

from collections import Counter
from collections.abc import Callable

from telegram import Update

from bot import doctors_word
from bot.context import Context, Services
from bot.replies import Acting, answer_tap, reply_as, tapped_value
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

# Words and buttons.
Page = tuple[str, Buttons]
# What is done with a case, told its number and the verdict of the button, if it has one.
Act = Callable[[Tx, Services, Acting, str, str], Page]


async def show(update: Update, context: Context) -> None:
    """List the disputed cases, each with what can be done."""

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, all_ = acting.texts, reviews.disputed(tx)
        found = [case for case in all_ if not reviews.is_of(tx, case, acting.member)]
        if not found:
            say(tx, key, acting.chat, texts("dispute.none"))
        for case in found[:AT_ONCE]:
            text, buttons = _page(tx, texts, case)
            say(tx, f"{key}:{case.id}", acting.chat, text, buttons, case_id=case.id)
        if len(found) > AT_ONCE:
            more = len(found) - AT_ONCE
            say(tx, f"{key}:more", acting.chat, texts("dispute.more", count=more))

    await reply_as(Role.ADMIN, update, context, reply)


async def choose(update: Update, context: Context) -> None:
    """Ask whether the patient is really to hear a verdict."""

    def act(tx: Tx, services: Services, acting: Acting, number: str, verdict: str) -> Page:
        opinions.in_dispute(tx, acting.member, number)
        texts, told = acting.texts, acting.texts(f"verdict.{verdict}")
        yes = (texts("dispute.yes"), f"{SURE}:{number}:{verdict}")
        back = (texts("dispute.back"), f"{BACK}:{number}")
        return texts("dispute.sure", number=number, verdict=told), [[yes], [back]]

    await _with_dispute(update, context, act)


async def go_back(update: Update, context: Context) -> None:
    """Show the verdicts again."""

    def act(tx: Tx, services: Services, acting: Acting, number: str, _: str) -> Page:
        return _page(tx, acting.texts, opinions.in_dispute(tx, acting.member, number))

    await _with_dispute(update, context, act)


async def decide(update: Update, context: Context) -> None:
    """Close a case with one of its verdicts, and tell the patient."""

    def act(tx: Tx, services: Services, acting: Acting, number: str, verdict: str) -> Page:
        case = opinions.decide(tx, acting.member, number, Verdict(verdict))
        doctors_word.tell(tx, services, case)
        told = acting.texts(f"verdict.{verdict}")
        return acting.texts("dispute.closed", number=number, verdict=told), ()

    await _with_dispute(update, context, act)


async def send_back(update: Update, context: Context) -> None:
    """Have another doctor look."""

    def act(tx: Tx, services: Services, acting: Acting, number: str, _: str) -> Page:
        opinions.send_back(tx, acting.member, number)
        return acting.texts("dispute.returned", number=number), ()

    await _with_dispute(update, context, act)


async def _with_dispute(update: Update, context: Context, act: Act) -> None:
    """Do something with the case of the button that was tapped, if it is still in dispute."""
    await answer_tap(update, context)
    number, _, verdict = tapped_value(update).partition(":")

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        try:
            page = act(tx, services, acting, number, verdict)
        except NotYours:
            page = acting.texts("dispute.over", number=number), ()
        edit_here(tx, key, update, *page)

    await reply_as(Role.ADMIN, update, context, reply)


def _page(tx: Tx, texts: Texts, case: Case) -> Page:
    said = Counter(each.verdict for each in opinions.final_of(tx, case.id))
    lines = [
        texts("dispute.said", count=count, verdict=texts(f"verdict.{verdict}"))
        for verdict, count in said.most_common()
    ]
    buttons = [[(texts(f"verdict.{each}"), f"{CHOOSE}:{case.number}:{each}")] for each in said]
    if reviews.another(tx, case.id):
        buttons.append([(texts("dispute.return"), f"{RETURN}:{case.number}")])
    return "\n".join([texts("dispute.title", number=case.number), *lines]), buttons
