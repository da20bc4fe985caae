"""Who gets an announcement: one row for each person, moved into the outbox a few at a time.

`pending -> queued` when the message stands in the outbox, back if it is recalled from there; then
`sent`, `blocked`, `failed` or `unknown` as the outbox says (by a trigger), or `skipped`.
"""

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import datetime
from enum import StrEnum

from storage import outbox
from storage.clock import from_stored
from storage.outbox import ANNOUNCEMENT, Outgoing, OutKind
from storage.transaction import Row, Tx

# So many stand in the outbox at most, those included that Telegram did not take at first.
AHEAD = 100


class Crowd(StrEnum):
    """Who is meant."""

    PATIENTS = "patients"
    DOCTORS = "doctors"
    EVERYONE = "everyone"
    SOURCE = "source"
    LANGUAGE = "language"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is meant, and for one source or language which."""

    crowd: Crowd
    source_id: int | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Speech:
    """The languages there are, and the one for people whose own is not among them."""

    known: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True)
class Copied:
    """Says what a message says that the bot can copy."""

    chat_id: int = field(repr=False)
    message_id: int


@dataclass(frozen=True, slots=True)
class Written:
    """Says something in each language, as HTML."""

    texts: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many stand where; the last three are those skipped, by the reason."""

    pending: int = 0
    queued: int = 0
    sent: int = 0
    blocked: int = 0
    failed: int = 0
    unknown: int = 0
    opted_out: int = 0
    left: int = 0
    cancelled: int = 0

    @property
    def waiting(self) -> int:
        """Count those who are still to get it."""
        return self.pending + self.queued

    @property
    def total(self) -> int:
        """Count all."""
        return sum(astuple(self))


@dataclass(frozen=True, slots=True)
class Line:
    """A recipient in the report: a number that says nothing, and what became of the message."""

    number: int
    state: str
    reason: str | None
    at: datetime


_STAFF_NOW = "SELECT telegram_id FROM staff WHERE revoked_at IS NULL"
_LANGUAGE = """CASE
    WHEN p.language IS NOT NULL THEN p.language
    WHEN lower(substr(p.language_code, 1, instr(p.language_code || '-', '-') - 1))
        IN (SELECT value FROM json_each(:known))
    THEN lower(substr(p.language_code, 1, instr(p.language_code || '-', '-') - 1))
    ELSE :default END"""
_PEOPLE = f"SELECT p.*, NULL AS staff_id, {_LANGUAGE} AS speaks FROM people AS p"
_STAFF = f"""SELECT p.*, s.id AS staff_id, {_LANGUAGE} AS speaks
    FROM staff AS s LEFT JOIN people AS p ON p.telegram_id = s.telegram_id
    WHERE s.revoked_at IS NULL"""
_CROWDS = {
    # A member of staff is a patient, too, once they agreed to have their own pictures looked at.
    Crowd.PATIENTS: f"""{_PEOPLE} WHERE p.telegram_id NOT IN ({_STAFF_NOW})
        OR p.id IN (SELECT person_id FROM consents)""",
    Crowd.DOCTORS: f"{_STAFF} AND s.role = 'doctor'",
    # Of staff only those who are not known as people, after /forget for example.
    Crowd.EVERYONE: f"{_PEOPLE} UNION ALL {_STAFF} AND p.id IS NULL GROUP BY s.telegram_id",
    Crowd.SOURCE: f"{_PEOPLE} WHERE p.source_id = :source",
    Crowd.LANGUAGE: f"SELECT * FROM ({_PEOPLE}) WHERE speaks = :language",
}
_OPTED_OUT = "opted_out_at IS NOT NULL AND NOT :safety"
_CHOSEN = f"""SELECT id AS person_id, staff_id, speaks,
        CASE WHEN blocked_at IS NOT NULL THEN 'blocked' WHEN {_OPTED_OUT} THEN 'skipped'
            ELSE 'pending' END AS state,
        CASE WHEN blocked_at IS NULL AND {_OPTED_OUT} THEN 'opted_out' END AS reason
    FROM ({{crowd}})"""


def count(tx: Tx, audience: Audience, safety: bool, speech: Speech) -> Counts:
    """Count whom an announcement would reach now."""
    chosen, values = _choose(audience, safety, speech)
    sql = f"SELECT state, reason, count(*) AS n FROM ({chosen}) GROUP BY state, reason"
    return _counts(tx.rows(sql, **values))


def enter(tx: Tx, broadcast_id: int, audience: Audience, safety: bool, speech: Speech) -> None:
    """Write down who gets an announcement, in an order that tells nothing of when they came."""
    chosen, values = _choose(audience, safety, speech)
    tx.run(
        f"""INSERT INTO recipients
                (broadcast_id, person_id, staff_id, language, state, reason, changed_at)
            SELECT :broadcast, person_id, staff_id, speaks, state, reason, :now FROM ({chosen})
            ORDER BY random()""",
        broadcast=broadcast_id,
        **values,
    )


def counts(tx: Tx, broadcast_id: int) -> Counts:
    """Tell how far an announcement has come."""
    sql = """SELECT state, reason, count(*) AS n FROM recipients WHERE broadcast_id = :id
             GROUP BY state, reason"""
    return _counts(tx.rows(sql, id=broadcast_id))


def top_up(tx: Tx, broadcast_id: int, content: Copied | Written, safety: bool, most: int) -> int:
    """Let `most` recipients wait in the outbox for their turn; gives how many were dealt with."""
    rows = tx.rows(
        """SELECT r.id, r.language, p.blocked_at, p.opted_out_at,
               CASE WHEN r.staff_id IS NULL THEN p.telegram_id ELSE s.telegram_id END AS chat
           FROM recipients AS r LEFT JOIN people AS p ON p.id = r.person_id
           LEFT JOIN staff AS s ON s.id = r.staff_id AND s.revoked_at IS NULL
           WHERE r.broadcast_id = :id AND r.state = 'pending' LIMIT :room""",
        id=broadcast_id,
        room=_room(tx, broadcast_id, most),
    )
    for row in rows:
        state, reason = _fate(row, safety)
        if state == "queued":
            outbox.enqueue(tx, _message(f"{ANNOUNCEMENT}{broadcast_id}:{row['id']}", row, content))
        sql = """UPDATE recipients SET state = :state, reason = :reason, changed_at = :now
                 WHERE id = :id"""
        tx.run(sql, state=state, reason=reason, id=row["id"])
    return len(rows)


def _room(tx: Tx, broadcast_id: int, most: int) -> int:
    counted = tx.row(
        """SELECT count(*) AS queued,
               count(*) FILTER (WHERE o.state = 'pending' AND o.next_try_at <= :now) AS waiting
           FROM recipients AS r JOIN outbox AS o ON o.key = :keys || r.id
           WHERE r.broadcast_id = :id AND r.state = 'queued'""",
        now=tx.time,
        keys=f"{ANNOUNCEMENT}{broadcast_id}:",
        id=broadcast_id,
    )
    assert counted is not None
    return int(max(0, min(most - counted["waiting"], AHEAD - counted["queued"])))


def failed_for(tx: Tx, broadcast_id: int, reason: str) -> bool:
    """Tell whether a message failed for this reason."""
    sql = """SELECT 1 FROM recipients
             WHERE broadcast_id = :id AND state = 'failed' AND reason = :reason LIMIT 1"""
    return tx.row(sql, id=broadcast_id, reason=reason) is not None


def recall(tx: Tx, broadcast_id: int) -> int:
    """Take back what waits in the outbox; gives how much. What is in flight goes its way."""
    waiting = tx.rows(
        """SELECT r.id AS recipient, o.id AS row FROM recipients AS r
           JOIN outbox AS o ON o.key = :keys || r.id
           WHERE r.broadcast_id = :id AND r.state = 'queued' AND o.state = 'pending'""",
        keys=f"{ANNOUNCEMENT}{broadcast_id}:",
        id=broadcast_id,
    )
    tx.run(
        """UPDATE recipients SET state = 'pending', changed_at = :now
           WHERE id IN (SELECT value FROM json_each(:ids))""",
        ids=json.dumps([each["recipient"] for each in waiting]),
    )
    return tx.run(
        "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(:ids))",
        ids=json.dumps([each["row"] for each in waiting]),
    )


def give_up(tx: Tx, broadcast_id: int) -> int:
    """Let nobody get it any more; gives how many will not."""
    recall(tx, broadcast_id)
    return tx.run(
        """UPDATE recipients SET state = 'skipped', reason = 'cancelled', changed_at = :now
           WHERE broadcast_id = :id AND state = 'pending'""",
        id=broadcast_id,
    )


def lines(tx: Tx, broadcast_id: int) -> list[Line]:
    """Give all recipients as the report names them."""
    found = tx.rows(
        """SELECT row_number() OVER (ORDER BY id) AS number, state, reason, changed_at
           FROM recipients WHERE broadcast_id = :id ORDER BY id""",
        id=broadcast_id,
    )
    return [
        Line(row["number"], row["state"], row["reason"], from_stored(row["changed_at"]))
        for row in found
    ]


def _choose(audience: Audience, safety: bool, speech: Speech) -> tuple[str, dict[str, object]]:
    values: dict[str, object] = {
        "safety": safety,
        "known": json.dumps(speech.known),
        "default": speech.default,
        "source": audience.source_id,
        "language": audience.language,
    }
    return _CHOSEN.format(crowd=_CROWDS[audience.crowd]), values


def _fate(row: Row, safety: bool) -> tuple[str, str | None]:
    """Look at a recipient again when their turn comes."""
    if row["chat"] is None:
        return "skipped", "left"
    if row["blocked_at"] is not None:
        return "blocked", None
    if row["opted_out_at"] is not None and not safety:
        return "skipped", "opted_out"
    return "queued", None


def _message(key: str, row: Row, content: Copied | Written) -> Outgoing:
    if isinstance(content, Written):
        payload: dict[str, object] = {"text": content.texts[row["language"]]}
        return Outgoing(key=key, chat_id=row["chat"], kind=OutKind.MESSAGE, payload=payload)
    payload = {"chat": content.chat_id, "message": content.message_id}
    return Outgoing(key=key, chat_id=row["chat"], kind=OutKind.COPY, payload=payload)


def _counts(rows: list[Row]) -> Counts:
    found: dict[str, int] = {}
    for row in rows:
        name = row["reason"] if row["state"] == "skipped" else row["state"]
        found[name] = found.get(name, 0) + row["n"]
    return Counts(**found)
