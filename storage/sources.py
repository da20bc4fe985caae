"""Where patients come from: the clinics behind the deep links of QR codes."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from storage import audit
from storage.audit import NEWEST
from storage.clock import from_stored, from_stored_or_none
from storage.transaction import Row, Tx

_COUNTED = """SELECT s.*,
       (SELECT count(*) FROM people WHERE source_id = s.id) AS people,
       (SELECT count(*) FROM cases WHERE source_id = s.id) AS cases
   FROM sources AS s"""


@dataclass(frozen=True, slots=True)
class Source:
    """A clinic's name and the opaque token in its link."""

    id: int
    token: str
    name: str
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tally:
    """A source, and how many people and pictures came by it."""

    source: Source
    people: int
    cases: int


def find_or_make(tx: Tx, actor: str, name: str) -> Source:
    """Find the source of a name; where there is none, make it and note who did."""
    if known := by_name(tx, name):
        return known
    made = create(tx, name)
    audit.record(tx, actor, "source_made", detail=f"source {made.id}")
    return made


def create(tx: Tx, name: str) -> Source:
    """Make a source with a token that says nothing and is not guessable."""
    token = secrets.token_urlsafe(12)
    source_id = tx.insert("sources", token=token, name=name, created_at=tx.time)
    return Source(source_id, token, name, tx.time, None)


def by_token(tx: Tx, token: str) -> Source | None:
    """Find a source that is not retired."""
    sql = "SELECT * FROM sources WHERE token = :token AND retired_at IS NULL"
    return _source(tx.row(sql, token=token))


def by_name(tx: Tx, name: str) -> Source | None:
    """Find the newest source of a name that is not retired."""
    sql = "SELECT * FROM sources WHERE name = :name AND retired_at IS NULL ORDER BY id DESC"
    return _source(tx.row(sql, name=name))


def listing(tx: Tx) -> list[Source]:
    """Give all sources, oldest first."""
    found = (_source(row) for row in tx.rows("SELECT * FROM sources ORDER BY id"))
    return [source for source in found if source is not None]


def tallies(tx: Tx, limit: int, before: int = NEWEST) -> list[Tally]:
    """Give a page of sources with counts, newest first; `before` is the last of the page before."""
    sql = f"{_COUNTED} WHERE s.id < :before ORDER BY s.id DESC LIMIT :limit"
    return [_tally(row) for row in tx.rows(sql, before=before, limit=limit)]


def tally(tx: Tx, source_id: int) -> Tally | None:
    """Find a source, retired or not, and count what came by it."""
    row = tx.row(f"{_COUNTED} WHERE s.id = :id", id=source_id)
    return None if row is None else _tally(row)


def retire(tx: Tx, source_id: int) -> bool:
    """Let a link count no more; those who came by it stay counted. False if it was so already."""
    sql = "UPDATE sources SET retired_at = :now WHERE id = :id AND retired_at IS NULL"
    return tx.run(sql, id=source_id) == 1


def _tally(row: Row) -> Tally:
    source = _source(row)
    assert source is not None
    return Tally(source, row["people"], row["cases"])


def _source(row: Row | None) -> Source | None:
    if row is None:
        return None
    retired = from_stored_or_none(row["retired_at"])
    created = from_stored(row["created_at"])
    return Source(row["id"], row["token"], row["name"], created, retired)
