"""What follows when something arrived, was refused, or may have arrived."""

from dataclasses import replace
from html import escape
from typing import Any

from bot import notices, say
from bot.context import Services
from storage import audit, cases, opinions, outbox, people, reviews, staff, work
from storage.cases import Case, CaseState
from storage.outbox import OutKind, OutRow, OutState
from storage.staff import Role
from storage.transaction import Tx

# Rows whose arrival answers a case have keys that begin so.
RESULT = "result:"
# An earlier answer, given again.
AGAIN = "again:"
# What doctors said.
REVIEW = "review:"
ANSWERS = (RESULT, AGAIN, REVIEW)
# A doctor's word that comes with an earlier answer has a key that ends so.
WORD = ":word"
# What the audit says of that, the last being how it stands.
_TOLD = ("case_reviewed", "not_delivered", "sent_again")
# The reason of a row that asks for what is there no more, or not for its chat.
MISSING = "Missing"
# And of one whose person blocked the bot.
BLOCKED = "blocked"

FILES = (OutKind.DOCUMENT, OutKind.PHOTO, OutKind.ALBUM)


def arrived(tx: Tx, row: OutRow, *message_ids: int) -> None:
    """Mark a row as sent, and its case as answered if it was the answer; an album is several."""
    first, further = next(iter(message_ids), None), message_ids[1:]
    if not outbox.sent(tx, row.id, first) and message_ids:
        # While it was on its way its case or person was erased, or its doctor's role ended.
        for each in message_ids:
            outbox.take_out(tx, f"late:{row.id}", row.chat_id, each)
        return
    for each in further:
        outbox.sent_with(tx, row, each)
    _answered(tx, row)


def refused(tx: Tx, services: Services, row: OutRow, reason: str) -> None:
    """Mark a row that cannot be sent; tell who waits for it, and of an answer the admins."""
    if not undelivered(tx, row, reason):
        return
    if reason != MISSING:
        _tell_who_asked(tx, services, row)
    if row.case_id is None:
        return
    if "instead" in row.payload and reason != MISSING:
        _say_instead(tx, services, row)
    if not row.key.startswith(ANSWERS):
        return
    # Once for all the pictures of an album.
    key = f"undelivered:{row.key.rpartition(':')[0]}"
    texts = services.texts_in(tx, row.chat_id)
    # The picture was answered before a doctor's word, or by it.
    is_part = row.key.startswith(REVIEW) or row.key.endswith(WORD)
    sentence = texts("refusal.part_failed" if is_part else "refusal.failed")
    say.say(tx, key, row.chat_id, say.unanswered(texts, sentence))
    notices.tell(
        tx,
        services,
        Role.ADMIN,
        key,
        "admin.part_undelivered" if is_part else "admin.undelivered",
        case_id=row.case_id,
        number=cases.get(tx, row.case_id).number,
        error=escape(reason),
    )


def _tell_who_asked(tx: Tx, services: Services, row: OutRow) -> None:
    """Say that a file did not arrive, or may not have, and that it can be asked for again."""
    # Of an answer and of a doctor's card more is told.
    is_told = row.key.startswith(ANSWERS) or "instead" in row.payload
    if row.kind in FILES and not is_told:
        texts = services.texts_in(tx, row.chat_id)
        text = str(row.payload.get("in_doubt") or texts("file.in_doubt"))
        say.say(tx, f"doubt:{row.id}", row.chat_id, text, case_id=row.case_id)


def _say_instead(tx: Tx, services: Services, row: OutRow) -> None:
    """Let the words of a doctor's card stand alone, not to be judged by; tell the admins once."""
    payload: Any = row.payload
    text = f"{payload['instead']}\n\n{payload['text']}"
    buttons = payload.get("instead_buttons", ())
    say.say(tx, f"{row.key}:text", row.chat_id, text, buttons, case_id=row.case_id)
    assert row.case_id is not None
    number = cases.get(tx, row.case_id).number
    key = f"unseen:{row.case_id}"
    notices.tell(tx, services, Role.ADMIN, key, "admin.unseen", case_id=row.case_id, number=number)


def undelivered(tx: Tx, row: OutRow, reason: str) -> bool:
    """Mark a row that cannot be sent; its case is as answered as it can be. False if it is gone."""
    if not outbox.failed(tx, row.id, reason):
        return False
    _answered(tx, replace(row, reason=reason), "not_delivered")
    return True


def blocked(tx: Tx, services: Services, telegram_id: int) -> None:
    """Note that a person blocked the bot; answers on their way to them end with that."""
    was_known = people.is_blocked(tx, telegram_id)
    people.block(tx, telegram_id)
    person = people.by_telegram_id(tx, telegram_id)
    if person is None:
        return
    for case in work.unfinished_of(tx, person.id):
        settle(tx, case)
    for case_id in outbox.kept_back(tx, person, REVIEW):
        _keep_back(tx, services, cases.get(tx, case_id), tell=not was_known)


def _keep_back(tx: Tx, services: Services, case: Case, *, tell: bool) -> None:
    """Note once that a doctor's word did not arrive, and correct what its doctor was told."""
    known = [line.action for line in audit.of_case(tx, case.id) if line.action in _TOLD]
    if known[-1:] == ["not_delivered"]:
        return
    audit.record(tx, audit.SYSTEM, "not_delivered", case.id, BLOCKED)
    doctor = staff.get(tx, opinions.final_of(tx, case.id)[-1].doctor_id)
    if tell and doctor.revoked_at is None:
        text = services.texts_in(tx, doctor.telegram_id)("review.untold", number=case.number)
        say.say(tx, f"untold:{case.id}:{tx.time.timestamp()}", doctor.telegram_id, text)


def settle(tx: Tx, case: Case) -> None:
    """Close a case whose answer is on its way no more; a later case of its person waits for it."""
    rows = [row for row in outbox.of_case(tx, case.id) if row.key.startswith(RESULT)]
    under_way = any(row.state in (OutState.PENDING, OutState.SENDING) for row in rows)
    if rows and not under_way:
        _answered(tx, rows[0], "not_delivered")


def doubtful(tx: Tx, services: Services, row: OutRow) -> None:
    """Mark a row that may have arrived and tell the admins; it is not sent again."""
    if outbox.unknown(tx, row.id, "connection") and row.fleeting:
        # Nothing of it is left to be reported.
        _tell_who_asked(tx, services, row)
    report_doubtful(tx, services)


def report_doubtful(tx: Tx, services: Services) -> None:
    """Tell the admins once of each answer in doubt, and who asked of each file."""
    rows = outbox.unreported(tx)
    for row in rows:
        _answered(tx, row, "delivery_unknown")
        _tell_who_asked(tx, services, row)
        if row.case_id is None or not row.key.startswith(ANSWERS):
            continue
        number = cases.get(tx, row.case_id).number
        notices.tell(
            tx,
            services,
            Role.ADMIN,
            f"doubt:{row.id}",
            "admin.unknown_delivery",
            case_id=row.case_id,
            number=number,
        )
    outbox.mark_reported(tx, [row.id for row in rows])


def _answered(tx: Tx, row: OutRow, doubt: str | None = None) -> None:
    if row.case_id is None or not row.key.startswith((RESULT, REVIEW)):
        return
    # What a block keeps back of a review is noted as a whole.
    if doubt and not (row.key.startswith(REVIEW) and row.reason == BLOCKED):
        audit.record(tx, audit.SYSTEM, doubt, row.case_id, row.reason)
    if cases.get(tx, row.case_id).state is CaseState.CLASSIFIED:
        cases.advance(tx, row.case_id, CaseState.ANSWERED)
        reviews.enter(tx, row.case_id)
