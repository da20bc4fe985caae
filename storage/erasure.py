"""What erasing means, in one place: one case, a person, what is too old.

| | images, files' ids, note, messages, comments | findings, verdicts | the case's row |
|---|---|---|---|
| "delete this" | erased | erased | stays the person's: limits count it, nothing shows it |
| `/forget` | erased | stay | stays without the person and under a new number |
| retention | erased | stay | stays the person's |

Steps and times of a case stay in any case; they hold codes, no words. After retention the numbers
of the messages in its person's chat stay, too, so that these can still be deleted there. A case
without an answer is withdrawn, one under review goes back to answered. The functions here give the
ids of images whose files are to be unlinked after the commit; `Storage.erase` does both. Backups:
see `backups`.

SQLite overwrites what is deleted (`secure_delete`), but not the copies it leaves in the free part
of a page when it moves rows to another: about one erased person in 200 left some bytes. Only
writing the whole file anew takes those away; `remnants` counts the erasings since (in
`user_version`, which is nobody else's), so that it is done no oftener than needed and, after a
crash, not forgotten.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage import audit, outbox
from storage.cases import IS_UNFINISHED, add_event, duplicates_of, fresh_number, get
from storage.errors import CaseGone
from storage.people import TAKEN_FROM_STAFF
from storage.transaction import Tx


class Why(StrEnum):
    """Why contents were erased."""

    ASKED = "asked"
    FORGOTTEN = "forgotten"
    RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class Erased:
    """How many cases lost their contents, and the images whose files are to go."""

    cases: int
    images: tuple[str, ...]


NOTHING = Erased(0, ())


def delete_case(tx: Tx, case_id: int) -> Erased:
    """Erase one case because its person asks, expired or not; raises CaseGone if it was before."""
    if get(tx, case_id).erased_why in (Why.ASKED, Why.FORGOTTEN):
        raise CaseGone
    erased = _erase(tx, [case_id, *duplicates_of(tx, case_id)], Why.ASKED)
    tx.run("DELETE FROM findings WHERE case_id = :id", id=case_id)
    tx.run("DELETE FROM shadow_findings WHERE case_id = :id", id=case_id)
    tx.run("DELETE FROM opinions WHERE case_id = :id", id=case_id)
    tx.run("DELETE FROM reviews WHERE case_id = :id", id=case_id)
    audit.record(tx, audit.PATIENT, "delete_case", case_id)
    return erased


def forget(tx: Tx, person_id: int) -> Erased:
    """Erase all that is a person's and who they are; nothing if there is no such person.

    What the bot still wants to say to them has to be `fleeting` and written after this.
    """
    person = tx.row("SELECT telegram_id FROM people WHERE id = :id", id=person_id)
    if person is None:
        return NOTHING
    rows = tx.rows("SELECT id, erased_at FROM cases WHERE person_id = :id", id=person_id)
    erased = _erase(tx, [row["id"] for row in rows if row["erased_at"] is None], Why.FORGOTTEN)
    for row in rows:
        tx.run(
            """UPDATE cases SET person_id = NULL, number = :number, doctor_asked_at = NULL
               WHERE id = :id""",
            number=fresh_number(tx),
            id=row["id"],
        )
    # What staff was shown of others' cases goes with these, and is taken out of their chat.
    tx.run(
        f"""DELETE FROM outbox WHERE case_id IN (SELECT value FROM json_each(:own))
            OR (chat_id = :chat AND case_id IS NULL AND NOT ({TAKEN_FROM_STAFF}))""",
        chat=person["telegram_id"],
        own=json.dumps([row["id"] for row in rows]),
    )
    tx.run("DELETE FROM dialogs WHERE telegram_id = :chat", chat=person["telegram_id"])
    tx.run("DELETE FROM people WHERE id = :id", id=person_id)
    _leave_remnants(tx)
    audit.record(tx, audit.PATIENT, "forget", detail=f"{len(rows)} cases")
    return erased


def expire(tx: Tx, before: datetime, limit: int = 200) -> Erased:
    """Erase the contents of the oldest cases received before a time, at most `limit` of them."""
    sql = """SELECT id FROM cases WHERE erased_at IS NULL AND received_at < :before
             ORDER BY received_at LIMIT :limit"""
    due = [row["id"] for row in tx.rows(sql, before=before, limit=limit)]
    return _erase(tx, due, Why.RETENTION)


def remnants(tx: Tx) -> int:
    """Count the erasings since the file was last written anew."""
    return int(tx.value("PRAGMA user_version"))


def written_anew(tx: Tx, known: int) -> None:
    """Note that the file was written anew after so many erasings; others may have come since."""
    tx.run(f"PRAGMA user_version = {remnants(tx) - known}")


def _leave_remnants(tx: Tx) -> None:
    tx.run(f"PRAGMA user_version = {remnants(tx) + 1}")


def _erase(tx: Tx, case_ids: list[int], why: Why) -> Erased:
    ids = json.dumps(case_ids)
    these = "IN (SELECT value FROM json_each(:ids))"
    images = tx.rows(f"SELECT id FROM images WHERE case_id {these}", ids=ids)
    if why is Why.RETENTION:
        outbox.expire(tx, case_ids)
    else:
        tx.run(f"DELETE FROM outbox WHERE case_id {these}", ids=ids)
    tx.run(f"DELETE FROM images WHERE case_id {these}", ids=ids)
    tx.run(f"DELETE FROM scans WHERE case_id {these}", ids=ids)
    tx.run(
        f"""UPDATE cases SET
                state = CASE
                    WHEN {IS_UNFINISHED} THEN 'withdrawn'
                    WHEN state = 'under_review' THEN 'answered'
                    ELSE state END,
                changed_at = :now, note = NULL, content = NULL, album = NULL,
                lease_worker = NULL, lease_until_at = NULL,
                erased_at = :now, erased_why = :why
            WHERE id {these}""",
        ids=ids,
        why=why,
    )
    tx.run(f"DELETE FROM review_queue WHERE case_id {these}", ids=ids)
    tx.run(f"UPDATE opinions SET comment = NULL WHERE case_id {these}", ids=ids)
    for case_id in case_ids:
        add_event(tx, case_id, "erased", why)
    if case_ids:
        _leave_remnants(tx)
    return Erased(len(case_ids), tuple(row["id"] for row in images))
