"""What doctors say of a case, and how their words become the one a patient hears.

One opinion is enough, unless its doctor asks for a second one. Two that agree settle a case; if
they differ, a third doctor is asked and the majority counts. Without a majority, or without another
doctor, an admin decides. Nobody who is still to give an opinion learns of the others'.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from storage import audit, cases, reviews
from storage.cases import Case, CaseState, to_case
from storage.clock import from_stored, from_stored_or_none
from storage.reviews import NotYours, Why
from storage.staff import Member
from storage.transaction import Row, Tx

# The tables' own limit.
LONGEST_COMMENT = 500
MOST_OPINIONS = 3


class Verdict(StrEnum):
    """What a doctor sees in a picture; the first three are the model's labels."""

    NORMAL = "normal"
    BACTERIAL = "bacterial"
    VIRAL = "viral"
    OTHER = "other"
    UNREADABLE = "unreadable"


class OpinionState(StrEnum):
    """How far an opinion is: `given` can still be taken back."""

    DRAFT = "draft"
    GIVEN = "given"
    FINAL = "final"


class How(StrEnum):
    """Who decided: one doctor, two who agree, the majority, or an admin."""

    ONE = "one"
    AGREEMENT = "agreement"
    MAJORITY = "majority"
    ADMIN = "admin"


class Outcome(StrEnum):
    """What became of a case when an opinion got final."""

    DECIDED = "decided"
    ANOTHER = "another"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one doctor says of a case; `second` asks for a second opinion."""

    id: int
    case_id: int
    doctor_id: int
    verdict: Verdict
    comment: str | None = field(repr=False)
    second: bool
    state: OpinionState
    taken_at: datetime
    given_at: datetime | None
    final_at: datetime | None


@dataclass(frozen=True, slots=True)
class Review:
    """What the patient was told."""

    verdict: Verdict
    how: How
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """An opinion that got final, and what that did to its case."""

    opinion: Opinion
    case: Case
    outcome: Outcome


def open_of(tx: Tx, case_id: int) -> Opinion | None:
    """Give the opinion on a case that is not final."""
    row = tx.row("SELECT * FROM opinions WHERE case_id = :id AND state <> 'final'", id=case_id)
    return None if row is None else _opinion(row)


def final_of(tx: Tx, case_id: int) -> tuple[Opinion, ...]:
    """Give the final opinions on a case, oldest first."""
    sql = "SELECT * FROM opinions WHERE case_id = :id AND state = 'final' ORDER BY final_at, id"
    return tuple(_opinion(row) for row in tx.rows(sql, id=case_id))


def of_doctor(tx: Tx, doctor: Member) -> tuple[Opinion, ...]:
    """Give all that a doctor said of cases, oldest first."""
    sql = "SELECT * FROM opinions WHERE doctor_id = :id ORDER BY id"
    return tuple(_opinion(row) for row in tx.rows(sql, id=doctor.id))


def review_of(tx: Tx, case_id: int) -> Review | None:
    """Give what the patient was told, if they were."""
    sql = "SELECT verdict, how, decided_at FROM reviews WHERE case_id = :id"
    row = tx.row(sql, id=case_id)
    if row is None:
        return None
    return Review(Verdict(row["verdict"]), How(row["how"]), from_stored(row["decided_at"]))


def draft(tx: Tx, doctor: Member, case: Case, verdict: Verdict) -> None:
    """Note a verdict that is not given yet, in place of the one noted before."""
    tx.run(
        """INSERT INTO opinions (case_id, doctor_id, verdict, taken_at)
           VALUES (:case, :doctor, :verdict, :taken)
           ON CONFLICT (case_id, doctor_id) DO UPDATE SET verdict = excluded.verdict""",
        case=case.id,
        doctor=doctor.id,
        verdict=verdict,
        taken=case.changed_at,
    )


def comment(tx: Tx, opinion: Opinion, text: str) -> None:
    """Put a comment to a draft, in place of the one before."""
    sql = "UPDATE opinions SET comment = :text WHERE id = :id AND state = 'draft'"
    tx.run(sql, id=opinion.id, text=text)


def discard(tx: Tx, opinion: Opinion) -> None:
    """Forget a draft."""
    tx.run("DELETE FROM opinions WHERE id = :id AND state = 'draft'", id=opinion.id)


def give(tx: Tx, doctor: Member, opinion: Opinion, undo: timedelta, *, second: bool) -> None:
    """Give an opinion, which is final unless it is taken back in time."""
    until = tx.time + undo
    tx.run(
        """UPDATE opinions SET state = 'given', second = :second, given_at = :now, final_at = :until
           WHERE id = :id""",
        id=opinion.id,
        second=second,
        until=until,
    )
    reviews.renew(tx, opinion.case_id, until)
    action = "second_asked" if second else "verdict_given"
    audit.record(tx, doctor.actor, action, opinion.case_id)


def undo(tx: Tx, doctor: Member, opinion: Opinion, length: timedelta) -> bool:
    """Take an opinion back: a draft again, or nothing if the doctor holds another case by now.

    True if the case is still the doctor's.
    """
    audit.record(tx, doctor.actor, "verdict_undone", opinion.case_id)
    if reviews.held(tx, doctor) is not None:
        cases.advance(tx, opinion.case_id, CaseState.ANSWERED)
        return False
    tx.run(
        """UPDATE opinions SET state = 'draft', second = 0, given_at = NULL, final_at = NULL
           WHERE id = :id""",
        id=opinion.id,
    )
    reviews.renew(tx, opinion.case_id, tx.time + length)
    return True


def next_due(tx: Tx) -> datetime | None:
    """Give the time at which the next opinion gets final, or None."""
    return from_stored_or_none(tx.value("SELECT min(final_at) FROM opinions WHERE state = 'given'"))


def settle_due(tx: Tx) -> list[Settled]:
    """Make final what was not taken back in time."""
    sql = "SELECT * FROM opinions WHERE state = 'given' AND final_at <= :now ORDER BY final_at, id"
    return [_settle(tx, _opinion(row)) for row in tx.rows(sql, now=tx.time)]


def strand(tx: Tx) -> list[Case]:
    """Put cases before the admins for which there is no other doctor any more; gives them."""
    found = reviews.stranded(tx)
    for case in found:
        _dispute(tx, case.id)
    return found


def in_dispute(tx: Tx, admin: Member, number: str) -> Case:
    """Give a disputed case that is not the admin's own; raises NotYours."""
    row = tx.row(
        """SELECT c.* FROM cases AS c JOIN review_queue AS q ON q.case_id = c.id
           WHERE c.number = :number AND q.disputed_at IS NOT NULL""",
        number=number,
    )
    if row is None:
        raise NotYours(Why.GONE)
    if reviews.is_of(tx, to_case(row), admin):
        raise NotYours(Why.OWN)
    return to_case(row)


def decide(tx: Tx, admin: Member, number: str, verdict: Verdict) -> Case:
    """Close a disputed case as an admin says; raises NotYours."""
    case = in_dispute(tx, admin, number)
    cases.advance(tx, case.id, CaseState.UNDER_REVIEW)
    audit.record(tx, admin.actor, "dispute_decided", case.id)
    return _close(tx, case.id, verdict, How.ADMIN)


def send_back(tx: Tx, admin: Member, number: str) -> Case:
    """Put a disputed case before another doctor; raises NotYours."""
    case = in_dispute(tx, admin, number)
    sql = "UPDATE review_queue SET disputed_at = NULL, since_at = :now WHERE case_id = :id"
    tx.run(sql, id=case.id)
    audit.record(tx, admin.actor, "dispute_returned", case.id)
    return case


def majority(verdicts: Collection[Verdict]) -> Verdict | None:
    """Find what more than half say."""
    [(verdict, count)] = Counter(verdicts).most_common(1)
    return verdict if 2 * count > len(verdicts) else None


def _settle(tx: Tx, opinion: Opinion) -> Settled:
    tx.run("UPDATE opinions SET state = 'final' WHERE id = :id", id=opinion.id)
    said = [each.verdict for each in final_of(tx, opinion.case_id)]
    verdict = majority(said)
    if verdict is not None and not (len(said) == 1 and opinion.second):
        how = {1: How.ONE, 2: How.AGREEMENT}.get(len(said), How.MAJORITY)
        return Settled(opinion, _close(tx, opinion.case_id, verdict, how), Outcome.DECIDED)
    case = cases.advance(tx, opinion.case_id, CaseState.ANSWERED)
    tx.run("UPDATE review_queue SET again = 1 WHERE case_id = :id", id=case.id)
    if len(said) < MOST_OPINIONS and reviews.another(tx, case.id):
        return Settled(opinion, case, Outcome.ANOTHER)
    _dispute(tx, case.id)
    return Settled(opinion, case, Outcome.DISPUTED)


def _close(tx: Tx, case_id: int, verdict: Verdict, how: How) -> Case:
    tx.insert("reviews", case_id=case_id, verdict=verdict, how=how, decided_at=tx.time)
    tx.run("DELETE FROM review_queue WHERE case_id = :id", id=case_id)
    audit.record(tx, audit.SYSTEM, "case_reviewed", case_id, how)
    return cases.advance(tx, case_id, CaseState.REVIEWED)


def _dispute(tx: Tx, case_id: int) -> None:
    tx.run("UPDATE review_queue SET disputed_at = :now WHERE case_id = :id", id=case_id)
    audit.record(tx, audit.SYSTEM, "case_disputed", case_id)


def _opinion(row: Row) -> Opinion:
    return Opinion(
        **{
            **row,
            "verdict": Verdict(row["verdict"]),
            "second": bool(row["second"]),
            "state": OpinionState(row["state"]),
            "taken_at": from_stored(row["taken_at"]),
            "given_at": from_stored_or_none(row["given_at"]),
            "final_at": from_stored_or_none(row["final_at"]),
        }
    )
