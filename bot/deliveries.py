"""What follows when something arrived, was refused, or may have arrived."""

from dataclasses import replace

from bot import notices, say
from bot.context import Services
from storage import audit, cases, outbox, people, work
from storage.cases import Case, CaseState
from storage.outbox import OutRow, OutState
from storage.staff import Role
from storage.transaction import Tx

# Rows whose arrival answers a case have keys that begin so.
RESULT = "result:"


def arrived(tx: Tx, row: OutRow, message_id: int | None) -> None:
    """Mark a row as sent, and its case as answered if it was the answer."""
    if not outbox.sent(tx, row.id, message_id) and message_id is not None:
        # Its case or its person was erased while it was on its way.
        say.delete(tx, f"late:{row.id}", row.chat_id, message_id)
        return
    _answered(tx, row)


def refused(tx: Tx, row: OutRow, reason: str) -> None:
    """Mark a row that Telegram will not take; its case is as answered as it can be."""
    outbox.failed(tx, row.id, reason)
    _answered(tx, replace(row, reason=reason), "not_delivered")


def blocked(tx: Tx, telegram_id: int) -> None:
    """Note that a person blocked the bot; answers on their way to them end with that."""
    people.block(tx, telegram_id)
    person = people.by_telegram_id(tx, telegram_id)
    for case in work.unfinished_of(tx, person.id) if person else ():
        settle(tx, case)


def settle(tx: Tx, case: Case) -> None:
    """Close a case whose answer is on its way no more; a later case of its person waits for it."""
    rows = [row for row in outbox.of_case(tx, case.id) if row.key.startswith(RESULT)]
    under_way = any(row.state in (OutState.PENDING, OutState.SENDING) for row in rows)
    if rows and not under_way:
        _answered(tx, rows[0], "not_delivered")


def doubtful(tx: Tx, services: Services, row: OutRow) -> None:
    """Mark a row that may have arrived and tell the admins; it is not sent again."""
    outbox.unknown(tx, row.id, "connection")
    report_doubtful(tx, services)


def report_doubtful(tx: Tx, services: Services) -> None:
    """Tell the admins once of each delivery in doubt."""
    rows = outbox.unreported(tx)
    for row in rows:
        _answered(tx, row, "delivery_unknown")
        if row.case_id is None:
            continue
        number = cases.get(tx, row.case_id).number
        notices.tell(
            tx, services, Role.ADMIN, f"doubt:{row.id}", "admin.unknown_delivery", number=number
        )
    outbox.mark_reported(tx, [row.id for row in rows])


def _answered(tx: Tx, row: OutRow, doubt: str | None = None) -> None:
    if row.case_id is None or not row.key.startswith(RESULT):
        return
    if doubt:
        audit.record(tx, audit.SYSTEM, doubt, row.case_id, row.reason)
    if cases.get(tx, row.case_id).state is CaseState.CLASSIFIED:
        cases.advance(tx, row.case_id, CaseState.ANSWERED)
