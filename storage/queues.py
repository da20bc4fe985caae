"""How much waits to be done, and since when: pictures, and words on their way out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from storage.cases import IS_UNFINISHED
from storage.clock import from_stored
from storage.outbox import OutState
from storage.transaction import Row, Tx


@dataclass(frozen=True, slots=True)
class Queue:
    """Some things, and when the oldest of them came there; None if there are none."""

    length: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Queues:
    """Cases without an answer, and the rows of the outbox by state, without those that arrived."""

    cases: Queue
    outbox: Mapping[OutState, Queue]


def look(tx: Tx) -> Queues:
    """Count all of them."""
    cases = tx.row(
        f"SELECT count(*) AS length, min(received_at) AS since FROM cases WHERE {IS_UNFINISHED}"
    )
    assert cases is not None
    # In two parts, each in the words of an index.
    words = tx.rows(
        """SELECT state, count(*) AS length, min(changed_at) AS since FROM outbox
           WHERE state IN ('pending', 'sending') GROUP BY state
           UNION ALL
           SELECT state, count(*), min(changed_at) FROM outbox
           WHERE state IN ('unknown', 'failed') GROUP BY state"""
    )
    nothing = dict.fromkeys(
        (OutState.PENDING, OutState.SENDING, OutState.UNKNOWN, OutState.FAILED), Queue()
    )
    return Queues(_queue(cases), nothing | {OutState(row["state"]): _queue(row) for row in words})


def _queue(row: Row) -> Queue:
    return Queue(row["length"], from_stored(row["since"]) if row["length"] else None)
