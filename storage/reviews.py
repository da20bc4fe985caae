"""Which case a doctor looks at next, and who holds which.

An answered case with a finding waits in the queue until it is reviewed or erased, while its person
agrees to that. A doctor takes it by a lease (`under_review`) and holds one at a time, besides those
of a verdict that can still be taken back. What returns to the queue loses what was not final; see
`opinions`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from storage import audit, cases
from storage.cases import Case, CaseState, to_case
from storage.clock import from_stored_or_none
from storage.errors import StorageError
from storage.staff import Member
from storage.transaction import Tx

# Urgency is in hours of waiting; a sure pneumonia and a patient who asks add so many.
HOURS_FOR_PNEUMONIA = 24.0
HOURS_FOR_ASKING = 12.0
SKIPPED_FOR = timedelta(hours=12)

# A lease without a verdict; with one, the lease ends when the verdict is final.
_OPEN = """c.state = 'under_review'
    AND NOT EXISTS (SELECT 1 FROM opinions WHERE case_id = c.id AND state = 'given')"""

_IN_QUEUE = "SELECT 1 FROM review_queue WHERE case_id = :id"
# A doctor who can be reached and may still look at the case `c`.
_FRESH_DOCTOR = """SELECT 1 FROM staff AS d JOIN people AS p ON p.telegram_id = d.telegram_id
    WHERE d.role = 'doctor' AND d.revoked_at IS NULL AND p.blocked_at IS NULL
      AND d.telegram_id IS NOT (SELECT telegram_id FROM people WHERE id = c.person_id)
      AND d.telegram_id NOT IN (SELECT m.telegram_id FROM opinions AS o
          JOIN staff AS m ON m.id = o.doctor_id WHERE o.case_id = c.id)"""


class Why(StrEnum):
    """Why a doctor does not get, or no longer has, a case."""

    UNKNOWN = "unknown"
    UNFINISHED = "unfinished"
    GONE = "gone"
    OWN = "own"
    BUSY = "busy"
    TAKEN = "taken"
    EXPIRED = "expired"
    SEEN = "seen"
    DISPUTED = "disputed"
    REVIEWED = "reviewed"


class NotYours(StorageError):
    """A doctor may not look at, or judge, a case now."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is in the queue: how much, since when the oldest, how much of it too long."""

    count: int
    since: datetime | None
    overdue: int
    disputed: int


def enter(tx: Tx, case_id: int) -> None:
    """Let a case wait for a doctor, or weigh it anew.

    Nothing for one that has no finding, or whose person took the agreement back.
    """
    tx.run(
        """INSERT INTO review_queue (case_id, urgency, since_at, again)
           SELECT c.id, :pneumonia * (1 - f.normal) + :asking * (c.doctor_asked_at IS NOT NULL)
               - min(c.received_at, :now) / 3.6e9, :now,
               EXISTS (SELECT 1 FROM opinions WHERE case_id = c.id AND state = 'final')
           FROM cases AS c JOIN findings AS f ON f.case_id = c.id
           WHERE c.id = :id AND c.state IN ('answered', 'under_review') AND c.erased_at IS NULL
             AND EXISTS (SELECT 1 FROM consents WHERE person_id = c.person_id)
           ORDER BY f.id LIMIT 1
           ON CONFLICT (case_id) DO UPDATE SET urgency = excluded.urgency""",
        id=case_id,
        pneumonia=HOURS_FOR_PNEUMONIA,
        asking=HOURS_FOR_ASKING,
    )


def leave(tx: Tx, person_id: int) -> int:
    """Take a person's cases out of the queue and out of doctors' hands; gives how many."""
    tx.run(
        """UPDATE cases SET state = 'answered', changed_at = :now,
               lease_worker = NULL, lease_until_at = NULL
           WHERE person_id = :person AND state = 'under_review'""",
        person=person_id,
    )
    sql = """DELETE FROM review_queue
             WHERE case_id IN (SELECT id FROM cases WHERE person_id = :person)"""
    return tx.run(sql, person=person_id)


def come_back(tx: Tx, person_id: int) -> int:
    """Let the cases that left wait again, where they may; gives how many had left."""
    sql = """SELECT id FROM cases WHERE person_id = :person AND state = 'answered'
               AND erased_at IS NULL AND id NOT IN (SELECT case_id FROM review_queue)"""
    left = tx.rows(sql, person=person_id)
    for row in left:
        enter(tx, row["id"])
    return len(left)


def ahead(tx: Tx, case_id: int) -> int:
    """Count the cases that a doctor gets before this one."""
    sql = """SELECT count(*) FROM review_queue WHERE disputed_at IS NULL
             AND urgency > (SELECT urgency FROM review_queue WHERE case_id = :id)"""
    return int(tx.value(sql, id=case_id))


def waiting(tx: Tx, longest: timedelta) -> Waiting:
    """Count what nobody has in hand, and what of it has waited longer than this."""
    free = """FROM review_queue WHERE disputed_at IS NULL
              AND case_id NOT IN (SELECT id FROM cases WHERE state = 'under_review')"""
    disputed = "SELECT count(*) FROM review_queue WHERE disputed_at IS NOT NULL"
    oldest = tx.value(f"SELECT since_at {free} ORDER BY since_at LIMIT 1")
    return Waiting(
        count=tx.value(f"SELECT count(*) {free}"),
        since=from_stored_or_none(oldest),
        overdue=tx.value(
            f"SELECT count(*) {free} AND since_at < :before", before=tx.time - longest
        ),
        disputed=tx.value(disputed),
    )


def held(tx: Tx, doctor: Member) -> Case | None:
    """Give the case a doctor has in hand."""
    sql = f"SELECT c.* FROM cases AS c WHERE {_OPEN} AND c.lease_worker = :actor"
    row = tx.row(sql, actor=doctor.actor)
    return None if row is None else to_case(row)


def in_hand(tx: Tx, doctor: Member) -> Case | None:
    """Give the case a doctor has in hand, or else one whose verdict they can still take back."""
    if case := held(tx, doctor):
        return case
    sql = """SELECT * FROM cases WHERE state = 'under_review' AND lease_worker = :actor
             ORDER BY changed_at DESC, id DESC LIMIT 1"""
    row = tx.row(sql, actor=doctor.actor)
    return None if row is None else to_case(row)


def take_next(tx: Tx, doctor: Member, length: timedelta) -> Case | None:
    """Take the most urgent case that a doctor has not seen or skipped, and that is not theirs."""
    # CROSS JOIN keeps the order of the loops: along the index, until the first that fits.
    case_id = tx.value(
        """SELECT q.case_id FROM review_queue AS q
           CROSS JOIN cases AS c ON c.id = q.case_id
           CROSS JOIN people AS p ON p.id = c.person_id
           WHERE q.disputed_at IS NULL AND c.state = 'answered' AND p.telegram_id <> :person
             AND NOT EXISTS (SELECT 1 FROM review_skips AS s
                 WHERE s.case_id = q.case_id AND s.doctor_id = :doctor AND s.until_at > :now)
             AND NOT EXISTS (SELECT 1 FROM opinions AS o JOIN staff AS m ON m.id = o.doctor_id
                 WHERE o.case_id = q.case_id AND m.telegram_id = :person)
           ORDER BY q.urgency DESC LIMIT 1""",
        person=doctor.telegram_id,
        doctor=doctor.id,
        now=tx.time,
    )
    return None if case_id is None else _take(tx, doctor, case_id, length)


def take(tx: Tx, doctor: Member, number: str, length: timedelta) -> Case:
    """Take one case, or go on with one in hand or not final; raises NotYours."""
    case = by_number(tx, number)
    if case.state is CaseState.UNDER_REVIEW and case.lease_worker == doctor.actor:
        return case
    for why, holds in (
        (Why.GONE, case.erased_at is not None),
        (Why.OWN, is_of(tx, case, doctor)),
        (Why.REVIEWED, case.state is CaseState.REVIEWED),
        (Why.TAKEN, case.state is CaseState.UNDER_REVIEW),
        (Why.UNFINISHED, tx.row(_IN_QUEUE, id=case.id) is None),
        (Why.DISPUTED, tx.row(f"{_IN_QUEUE} AND disputed_at IS NOT NULL", id=case.id) is not None),
        (Why.SEEN, doctor.telegram_id in seen_by(tx, case.id)),
        (Why.BUSY, held(tx, doctor) is not None),
    ):
        if holds:
            raise NotYours(why)
    return _take(tx, doctor, case.id, length)


def mine(tx: Tx, doctor: Member, number: str) -> Case:
    """Give a case that a doctor holds, or whose verdict they can still take back.

    Raises NotYours.
    """
    case = by_number(tx, number)
    if case.state is CaseState.UNDER_REVIEW:
        if case.lease_worker == doctor.actor:
            return case
        raise NotYours(Why.TAKEN)
    if case.erased_at is not None:
        raise NotYours(Why.GONE)
    if case.state is CaseState.REVIEWED:
        raise NotYours(Why.REVIEWED)
    raise NotYours(Why.SEEN if doctor.telegram_id in seen_by(tx, case.id) else Why.EXPIRED)


def by_number(tx: Tx, number: str) -> Case:
    """Find a case by its number; raises NotYours."""
    row = tx.row("SELECT * FROM cases WHERE number = :number", number=number)
    if row is None:
        raise NotYours(Why.UNKNOWN)
    return to_case(row)


def is_of(tx: Tx, case: Case, member: Member) -> bool:
    """Tell whether a member of staff is the case's patient."""
    sql = "SELECT 1 FROM people WHERE id = :person AND telegram_id = :telegram"
    return tx.row(sql, person=case.person_id, telegram=member.telegram_id) is not None


def seen_by(tx: Tx, case_id: int) -> Collection[int]:
    """Name those who gave an opinion, by Telegram's ids: a role may be taken up anew."""
    sql = """SELECT m.telegram_id FROM opinions AS o JOIN staff AS m ON m.id = o.doctor_id
             WHERE o.case_id = :id AND o.state <> 'draft'"""
    return {row["telegram_id"] for row in tx.rows(sql, id=case_id)}


def wants_another(tx: Tx, case_id: int) -> bool:
    """Tell whether an opinion is there and one more is wanted."""
    return bool(tx.value("SELECT again FROM review_queue WHERE case_id = :id", id=case_id))


def another(tx: Tx, case_id: int) -> bool:
    """Tell whether there is a doctor who may still give an opinion."""
    sql = f"SELECT 1 FROM cases AS c WHERE c.id = :id AND EXISTS ({_FRESH_DOCTOR})"
    return tx.row(sql, id=case_id) is not None


def renew(tx: Tx, case_id: int, until: datetime) -> None:
    """Let a lease run until a time."""
    sql = "UPDATE cases SET lease_until_at = :until WHERE id = :id AND state = 'under_review'"
    tx.run(sql, id=case_id, until=until)


def release(tx: Tx, doctor: Member, case: Case) -> None:
    """Give a case back to whoever comes first."""
    cases.advance(tx, case.id, CaseState.ANSWERED)
    audit.record(tx, doctor.actor, "case_released", case.id)


def skip(tx: Tx, doctor: Member, case: Case) -> None:
    """Give a case back to others: this doctor is not offered it for a while."""
    cases.advance(tx, case.id, CaseState.ANSWERED)
    tx.run(
        """INSERT INTO review_skips (case_id, doctor_id, until_at) VALUES (:id, :doctor, :until)
           ON CONFLICT DO UPDATE SET until_at = excluded.until_at""",
        id=case.id,
        doctor=doctor.id,
        until=tx.time + SKIPPED_FOR,
    )
    audit.record(tx, doctor.actor, "case_skipped", case.id)


def expire_leases(tx: Tx) -> list[Case]:
    """Give back what doctors held for too long; gives the cases as they were held."""
    sql = f"SELECT c.* FROM cases AS c WHERE {_OPEN} AND c.lease_until_at <= :now"
    expired = [to_case(row) for row in tx.rows(sql, now=tx.time)]
    for case in expired:
        cases.advance(tx, case.id, CaseState.ANSWERED)
        audit.record(tx, audit.SYSTEM, "review_expired", case.id, case.lease_worker)
    return expired


def stranded(tx: Tx) -> list[Case]:
    """Give the cases that wait for another doctor when there is none any more."""
    sql = f"""SELECT c.* FROM review_queue AS q JOIN cases AS c ON c.id = q.case_id
              WHERE q.again = 1 AND q.disputed_at IS NULL AND c.state = 'answered'
                AND NOT EXISTS ({_FRESH_DOCTOR})"""
    return [to_case(row) for row in tx.rows(sql)]


def out_of_reach(tx: Tx, longest: timedelta) -> int:
    """Count the cases that have waited for longer and that no doctor within reach may look at."""
    sql = f"""SELECT count(*) FROM review_queue AS q JOIN cases AS c ON c.id = q.case_id
              WHERE q.disputed_at IS NULL AND c.state = 'answered' AND q.since_at < :before
                AND NOT EXISTS ({_FRESH_DOCTOR})"""
    return int(tx.value(sql, before=tx.time - longest))


def disputed(tx: Tx) -> list[Case]:
    """Give the cases that an admin is to decide, the longest waiting first."""
    sql = """SELECT c.* FROM review_queue AS q JOIN cases AS c ON c.id = q.case_id
             WHERE q.disputed_at IS NOT NULL ORDER BY q.disputed_at, q.case_id"""
    return [to_case(row) for row in tx.rows(sql)]


def promised(tx: Tx, before: datetime) -> list[Case]:
    """Give the cases received before a time whose persons still wait for a doctor's word."""
    # CROSS JOIN: what waits is little, and what is older all there ever was.
    sql = """SELECT c.* FROM review_queue AS q CROSS JOIN cases AS c ON c.id = q.case_id
             WHERE c.received_at < :before AND c.doctor_asked_at IS NOT NULL"""
    return [to_case(row) for row in tx.rows(sql, before=before)]


def undecided(tx: Tx, longest: timedelta) -> int:
    """Count the cases that have waited for an admin's decision for longer."""
    sql = "SELECT count(*) FROM review_queue WHERE disputed_at <= :until"
    return int(tx.value(sql, until=tx.time - longest))


def _take(tx: Tx, doctor: Member, case_id: int, length: timedelta) -> Case:
    cases.advance(tx, case_id, CaseState.UNDER_REVIEW)
    tx.run(
        "UPDATE cases SET lease_worker = :actor, lease_until_at = :until WHERE id = :id",
        actor=doctor.actor,
        until=tx.time + length,
        id=case_id,
    )
    audit.record(tx, doctor.actor, "case_taken", case_id)
    return cases.get(tx, case_id)
