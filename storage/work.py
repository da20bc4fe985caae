"""Cases as work: who holds which, what is next, and how long the queue is.

A person's cases are worked on one after the other, those of different people at the same time. A
worker that dies loses its lease when the time is up; `Case.attempts` counts how often a case was
taken up, so that one that kills its workers can be given up.
"""

import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.cases import IS_UNFINISHED, Case, CaseState, add_event, advance, get, holds, to_case
from storage.clock import from_stored_or_none
from storage.errors import CaseGone, LeaseLost
from storage.transaction import Tx

# The oldest unfinished case of each person: their later ones wait for it.
_FIRST = f"(SELECT min(id) AS id FROM cases WHERE {IS_UNFINISHED} GROUP BY person_id)"
# How many findings the pace is taken from.
_RECENT = 20
# After a start albums wait so long for parts that were sent while the bot was down.
ALBUM_PARTS_COME = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Queue:
    """How many cases wait or are worked on: in all, and before one of them.

    `seconds` is the median time of the last findings, None before the first.
    """

    length: int
    ahead: int
    seconds: float | None


def lease_next(tx: Tx, worker: str, length: timedelta) -> Case | None:
    """Take the oldest case that is due, unless its person has an older one unfinished.

    Its album is closed with that. Check `attempts` before working on it: it counts this lease too.
    """
    row = tx.row(
        f"""SELECT c.id FROM cases AS c JOIN {_FIRST} AS first ON first.id = c.id
            WHERE c.next_try_at <= :now
              AND (c.lease_until_at IS NULL OR c.lease_until_at <= :now)
            ORDER BY c.id LIMIT 1""",
        now=tx.time,
    )
    if row is None:
        return None
    taken = tx.row(
        """UPDATE cases SET attempts = attempts + 1, album = NULL,
               lease_worker = :worker, lease_until_at = :until
           WHERE id = :id RETURNING *""",
        id=row["id"],
        worker=worker,
        until=tx.time + length,
    )
    assert taken is not None
    return to_case(taken)


def renew(tx: Tx, case_id: int, worker: str, length: timedelta) -> None:
    """Hold a case for longer; raises LeaseLost."""
    _held(tx, case_id, worker)
    sql = "UPDATE cases SET lease_until_at = :until WHERE id = :id"
    tx.run(sql, until=tx.time + length, id=case_id)


def release(tx: Tx, case_id: int, worker: str, at: datetime | None = None) -> None:
    """Give a case back as if it had not been taken, for now or for later; raises LeaseLost."""
    case = _held(tx, case_id, worker)
    tx.run(
        """UPDATE cases SET attempts = attempts - 1, next_try_at = :at,
               lease_worker = NULL, lease_until_at = NULL
           WHERE id = :id""",
        at=at or case.next_try_at,
        id=case_id,
    )


def retry(
    tx: Tx, case_id: int, worker: str, *, at: datetime, reason: str, give_up_after: int
) -> Case:
    """Give a case back for later, or let it fail if it was taken up often enough.

    Raises LeaseLost. The state of the case given back tells which it was.
    """
    case = _held(tx, case_id, worker)
    if case.attempts >= give_up_after:
        return advance(tx, case_id, CaseState.FAILED, worker=worker, reason=reason)
    tx.run(
        """UPDATE cases SET next_try_at = :at, lease_worker = NULL, lease_until_at = NULL
           WHERE id = :id""",
        at=at,
        id=case_id,
    )
    add_event(tx, case_id, "retried", reason)
    return get(tx, case_id)


def release_all(tx: Tx) -> int:
    """Free what the workers of a process that is gone still held; their attempts count.

    An album may have parts that were not taken in yet: it waits for them.
    """
    tx.run(
        f"""UPDATE cases SET next_try_at = max(next_try_at, :later)
            WHERE {IS_UNFINISHED} AND album IS NOT NULL AND attempts = 0""",
        later=tx.time + ALBUM_PARTS_COME,
    )
    return tx.run(
        f"""UPDATE cases SET lease_worker = NULL, lease_until_at = NULL
            WHERE {IS_UNFINISHED} AND lease_worker IS NOT NULL"""
    )


def next_due(tx: Tx) -> datetime | None:
    """Give the time at which there may be work for `lease_next`, or None."""
    return from_stored_or_none(
        tx.value(
            f"""SELECT min(max(c.next_try_at, coalesce(c.lease_until_at, 0)))
                FROM cases AS c JOIN {_FIRST} AS first ON first.id = c.id"""
        )
    )


def unfinished(tx: Tx) -> int:
    """Count the cases that wait or are worked on."""
    return int(tx.value(f"SELECT count(*) FROM cases WHERE {IS_UNFINISHED}"))


def queue(tx: Tx, case_id: int | None = None) -> Queue:
    """Tell how long the queue is, and how much of it is ahead of a case (or of a new one)."""
    ahead = length = unfinished(tx)
    if case_id is not None:
        # The plus keeps SQLite from going through all earlier cases instead of the unfinished.
        sql = f"SELECT count(*) FROM cases WHERE {IS_UNFINISHED} AND +id < :id"
        ahead = tx.value(sql, id=case_id)
    latest = "SELECT seconds FROM findings ORDER BY id DESC LIMIT :recent"
    seconds = [row["seconds"] for row in tx.rows(latest, recent=_RECENT)]
    return Queue(length, ahead, statistics.median(seconds) if seconds else None)


def unfinished_of(tx: Tx, person_id: int) -> list[Case]:
    """Give what a person still waits for, oldest first."""
    sql = f"SELECT * FROM cases WHERE person_id = :id AND {IS_UNFINISHED} ORDER BY id"
    return [to_case(row) for row in tx.rows(sql, id=person_id)]


def unfinished_before(tx: Tx, before: datetime) -> list[Case]:
    """Give what came before a time and still waits for its answer."""
    sql = f"SELECT * FROM cases WHERE {IS_UNFINISHED} AND received_at < :before"
    return [to_case(row) for row in tx.rows(sql, before=before)]


def awaiting_doctor(tx: Tx, person_id: int) -> list[Case]:
    """Give the answered cases of which a person waits for a doctor's word, oldest first."""
    sql = """SELECT * FROM cases
             WHERE person_id = :id AND state IN ('answered', 'under_review')
               AND doctor_asked_at IS NOT NULL AND id IN (SELECT case_id FROM review_queue)
             ORDER BY id"""
    return [to_case(row) for row in tx.rows(sql, id=person_id)]


def _held(tx: Tx, case_id: int, worker: str) -> Case:
    try:
        case = get(tx, case_id)
    except CaseGone as error:
        raise LeaseLost from error
    if not holds(tx, case, worker):
        raise LeaseLost
    return case
