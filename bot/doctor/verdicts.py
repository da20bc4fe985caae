"""A doctor says what a case is: noted, commented, given, taken back in time, or final."""

import asyncio
import logging
from datetime import timedelta

from telegram import Update
from telegram.ext import ApplicationHandlerStop

from bot import doctors_word
from bot.context import Context, Services
from bot.doctor import card
from bot.doctor.leases import tell_admins
from bot.doctor.review import with_case
from bot.errors import report
from bot.joining import tidy
from bot.replies import Acting, reply_as, tapped_value
from bot.say import say
from bot.wake import rest
from storage import cases, dialogs, opinions, people, reviews, staff
from storage.cases import Case
from storage.clock import utc_now
from storage.dialogs import Dialog
from storage.errors import StorageError
from storage.opinions import LONGEST_COMMENT, Opinion, OpinionState, Outcome, Settled, Verdict
from storage.staff import Role
from storage.transaction import Tx

log = logging.getLogger(__name__)

ASKED = "doctor:comment"
# Who still writes when the case has gone back is told so, and not answered as a patient.
LATE = timedelta(hours=1)
LONGEST_REST = 5.0


async def note(update: Update, context: Context) -> None:
    """Note the verdict tapped and ask for a comment."""
    verdict = Verdict(tapped_value(update).partition(":")[2])

    def act(tx: Tx, services: Services, acting: Acting, case: Case, key: str) -> None:
        unseen = card.is_unseen(tx, acting.member, case)
        if not unseen and _open(tx, case, OpinionState.GIVEN) is None:
            opinions.draft(tx, acting.member, case, verdict)
            _ask_comment(tx, services, acting, case)
        card.refresh(tx, acting, case, key)

    await with_case(update, context, act)


async def take_comment(update: Update, context: Context, dialog: Dialog) -> bool:
    """Put what a doctor wrote to the verdict they noted.

    False for a picture when no verdict is noted any more: it is their own, as a patient.
    """
    message, chat = update.effective_message, update.effective_chat
    assert message is not None and chat is not None
    if message.text is None and not await context.storage.read(_is_noted, chat.id, dialog):
        return False
    text = (message.text or "").strip()

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, case = acting.texts, cases.get(tx, int(str(dialog.payload["case"])))
        opinion, length = _open(tx, case, OpinionState.DRAFT), card.units(text)
        if opinion is None or opinion.doctor_id != acting.member.id:
            dialogs.end(tx, acting.chat)
            say(tx, key, acting.chat, texts("comment.too_late"))
        elif not tidy(text):
            say(tx, key, acting.chat, texts("comment.words", number=case.number))
        elif length > LONGEST_COMMENT:
            limits = {"length": length, "longest": LONGEST_COMMENT}
            say(tx, key, acting.chat, texts("comment.too_long", **limits))
        else:
            opinions.comment(tx, opinion, text)
            _ask_comment(tx, services, acting, case)
            card.refresh(tx, acting, case, f"{key}:card")
            say(tx, key, acting.chat, texts("comment.noted", number=case.number))

    await reply_as(Role.DOCTOR, update, context, reply)
    return True


async def untimely(update: Update, context: Context) -> None:
    """Tell a doctor with a case in hand when a comment is taken; without one, words pass."""
    assert update.effective_chat is not None
    found = await context.storage.read(_in_hand, update.effective_chat.id)
    if found is None:
        return
    case, opinion = found
    if opinion is not None and opinion.state is OpinionState.DRAFT:
        # The question was closed by another one, the card still asks it.
        await take_comment(update, context, Dialog(ASKED, {"case": case.id}))
        raise ApplicationHandlerStop
    sentence = "comment.before" if opinion is None else "comment.after"

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        say(tx, key, acting.chat, acting.texts(sentence, number=case.number))

    await reply_as(Role.DOCTOR, update, context, reply)
    raise ApplicationHandlerStop


def _in_hand(tx: Tx, chat: int) -> tuple[Case, Opinion | None] | None:
    """Give the case that a doctor looks at, or else judged last, and what they say of it so far."""
    doctor = staff.member(tx, chat, Role.DOCTOR)
    case = reviews.in_hand(tx, doctor) if doctor else None
    return (case, opinions.open_of(tx, case.id)) if case else None


async def cancel(update: Update, context: Context, dialog: Dialog) -> None:
    """Wait for no comment, and forget the verdict noted: a comment taken back must not go out."""

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        dialogs.end(tx, acting.chat)
        said, case = acting.texts("cancel.dialog"), cases.get(tx, int(str(dialog.payload["case"])))
        opinion = _open(tx, case, OpinionState.DRAFT)
        if opinion is not None and opinion.doctor_id == acting.member.id:
            opinions.discard(tx, opinion)
            card.refresh(tx, acting, case, f"{key}:card")
            said += "\n" + acting.texts("cancel.draft", number=case.number)
        say(tx, key, acting.chat, said)

    await reply_as(Role.DOCTOR, update, context, reply)


async def send(update: Update, context: Context) -> None:
    """Give the verdict that was noted."""
    await with_case(update, context, _give)


async def ask_second(update: Update, context: Context) -> None:
    """Give the verdict that was noted, and have another doctor look."""

    def act(tx: Tx, services: Services, acting: Acting, case: Case, key: str) -> None:
        if reviews.another(tx, case.id):
            _give(tx, services, acting, case, key, second=True)
        else:
            say(tx, key, acting.chat, acting.texts("second.nobody", number=case.number))

    await with_case(update, context, act)


async def go_back(update: Update, context: Context) -> None:
    """Forget the verdict that was noted."""

    def act(tx: Tx, services: Services, acting: Acting, case: Case, key: str) -> None:
        if opinion := _open(tx, case, OpinionState.DRAFT):
            opinions.discard(tx, opinion)
            _ask_no_more(tx, acting)
        card.refresh(tx, acting, case, key)

    await with_case(update, context, act)


async def undo(update: Update, context: Context) -> None:
    """Take a verdict back before it counts."""

    def act(tx: Tx, services: Services, acting: Acting, case: Case, key: str) -> None:
        opinion = _open(tx, case, OpinionState.GIVEN)
        if opinion and not opinions.undo(tx, acting.member, opinion, services.settings.lease):
            text = acting.texts("undo.back_in_queue", number=case.number)
            card.change(tx, acting.member, case, key, text)
            return
        if opinion:
            _ask_comment(tx, services, acting, case)
        card.refresh(tx, acting, case, key)

    await with_case(update, context, act)


async def settle_forever(services: Services) -> None:
    """Make verdicts final when their time has come, and tell patients, until cancelled."""
    while True:
        try:
            if await services.storage.write(settle, services):
                services.wake.outbox.set()
            until = await services.storage.read(opinions.next_due)
            await rest(services.wake.verdicts, until, utc_now(), LONGEST_REST)
        except StorageError as error:
            log.error("verdicts cannot be settled: %s", type(error).__name__)
            await asyncio.sleep(1)
        except Exception as error:
            # Whatever it is, it must not end the work on pictures.
            await report(services, error, "verdicts")
            await asyncio.sleep(LONGEST_REST)


def settle(tx: Tx, services: Services) -> bool:
    """Make final what is due and tell everybody concerned; False if nothing was due."""
    settled = opinions.settle_due(tx)
    for each in settled:
        _tell_doctor(tx, services, each)
        if each.outcome is Outcome.DECIDED:
            doctors_word.tell(tx, services, each.case)
        elif each.outcome is Outcome.DISPUTED:
            tell_admins(tx, services, each.case)
    return bool(settled)


def _give(
    tx: Tx, services: Services, acting: Acting, case: Case, key: str, *, second: bool = False
) -> None:
    opinion = _open(tx, case, OpinionState.DRAFT)
    if opinion is not None and not card.is_unseen(tx, acting.member, case):
        opinions.give(tx, acting.member, opinion, services.settings.undo, second=second)
        _ask_no_more(tx, acting)
    card.refresh(tx, acting, case, key)


def _is_noted(tx: Tx, chat: int, dialog: Dialog) -> bool:
    """Tell whether a verdict waits for what a dialog asks of its doctor."""
    doctor = staff.member(tx, chat, Role.DOCTOR)
    opinion = _open(tx, cases.get(tx, int(str(dialog.payload["case"]))), OpinionState.DRAFT)
    return bool(doctor and opinion and opinion.doctor_id == doctor.id)


def _open(tx: Tx, case: Case, state: OpinionState) -> Opinion | None:
    opinion = opinions.open_of(tx, case.id)
    return opinion if opinion is not None and opinion.state is state else None


def _ask_comment(tx: Tx, services: Services, acting: Acting, case: Case) -> None:
    """Wait for a comment while the doctor holds the case, which begins anew."""
    length = services.settings.lease
    reviews.renew(tx, case.id, tx.time + length)
    dialogs.begin(tx, acting.chat, ASKED, {"case": case.id}, length + LATE)


def _ask_no_more(tx: Tx, acting: Acting) -> None:
    dialog = dialogs.current(tx, acting.chat)
    if dialog is not None and dialog.kind == ASKED:
        dialogs.end(tx, acting.chat)


def _tell_doctor(tx: Tx, services: Services, settled: Settled) -> None:
    opinion, case = settled.opinion, settled.case
    doctor = staff.get(tx, opinion.doctor_id)
    texts = services.texts_in(tx, doctor.telegram_id)
    review = opinions.review_of(tx, case.id)
    patient = people.get(tx, case.person_id) if case.person_id else None
    is_untold = review is not None and patient is not None and patient.blocked_at is not None
    text = texts(
        "settled.untold" if is_untold else f"settled.{settled.outcome}",
        number=case.number,
        own=texts(f"verdict.{opinion.verdict}"),
        verdict=texts(f"verdict.{review.verdict}") if review else "",
    )
    card.change(tx, doctor, case, f"settled:{opinion.id}", text)
