"""Announcements: what is said, to which audience, and where each stands.

`draft -> scheduled -> running -> done`; `running <-> paused`; `cancelled` once it ran, `discarded`
before. Who is to get it stands in `recipients`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from storage import recipients
from storage.clock import from_stored, from_stored_or_none
from storage.recipients import Audience, Copied, Crowd, Speech, Written
from storage.transaction import Row, Tx


class BroadcastState(StrEnum):
    """Where an announcement stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"
    DISCARDED = "discarded"


_S = BroadcastState


@dataclass(frozen=True, slots=True)
class Broadcast:
    """An announcement; a `safety` notice reaches those who opted out, too.

    `told_at` is when its progress was last shown, `ended_at` when the last message of it was dealt
    with.
    """

    id: int
    made_by: int
    content: Copied | Written = field(repr=False)
    audience: Audience | None
    safety: bool | None
    state: BroadcastState
    due_at: datetime | None
    made_at: datetime
    began_at: datetime | None
    told_at: datetime | None
    ended_at: datetime | None


def draft(tx: Tx, member_id: int, content: Copied | Written) -> Broadcast:
    """Keep what is to be said."""
    broadcast_id = tx.insert(
        "broadcasts", made_by=member_id, content=_as_json(content), made_at=tx.time
    )
    made = get(tx, broadcast_id)
    assert made is not None
    return made


def get(tx: Tx, broadcast_id: int) -> Broadcast | None:
    """Find an announcement."""
    row = tx.row("SELECT * FROM broadcasts WHERE id = :id", id=broadcast_id)
    return None if row is None else _broadcast(row)


def under_way(tx: Tx) -> list[Broadcast]:
    """Give those that are scheduled, running or paused, oldest first."""
    return _all(tx, "state IN ('scheduled', 'running', 'paused')")


def to_do(tx: Tx) -> list[Broadcast]:
    """Give those with which something is to be done now, oldest first."""
    return _all(
        tx,
        """state = 'running' OR (state = 'scheduled' AND due_at <= :now)
           OR (state = 'cancelled' AND ended_at IS NULL)
           OR (state = 'paused' AND EXISTS (SELECT 1 FROM recipients
               WHERE broadcast_id = broadcasts.id AND state = 'queued'))""",
        now=tx.time,
    )


def next_due(tx: Tx) -> datetime | None:
    """Give the time of the next that is scheduled, or None."""
    sql = "SELECT min(due_at) FROM broadcasts WHERE state = 'scheduled'"
    return from_stored_or_none(tx.value(sql))


def write(tx: Tx, broadcast_id: int, content: Copied | Written) -> bool:
    """Change what a draft says; False if it is none (any more)."""
    sql = "UPDATE broadcasts SET content = :content WHERE id = :id AND state = 'draft'"
    return tx.run(sql, content=_as_json(content), id=broadcast_id) == 1


def address(tx: Tx, broadcast_id: int, audience: Audience) -> bool:
    """Choose who gets a draft; False if it is none (any more), or weighed already."""
    sql = """UPDATE broadcasts SET audience = :crowd, source_id = :source, language = :language
             WHERE id = :id AND state = 'draft' AND safety IS NULL"""
    return (
        tx.run(
            sql,
            crowd=audience.crowd,
            source=audience.source_id,
            language=audience.language,
            id=broadcast_id,
        )
        == 1
    )


def weigh(tx: Tx, broadcast_id: int, safety: bool) -> bool:
    """Make a draft an announcement or a safety notice, once; False if it cannot be done."""
    sql = """UPDATE broadcasts SET safety = :safety
             WHERE id = :id AND state = 'draft' AND audience IS NOT NULL AND safety IS NULL"""
    return tx.run(sql, safety=safety, id=broadcast_id) == 1


def schedule(tx: Tx, broadcast_id: int, at: datetime) -> bool:
    """Have a draft sent later; False if it is none (any more)."""
    return _step(tx, broadcast_id, (_S.DRAFT,), _S.SCHEDULED, due_at=at)


def start(tx: Tx, broadcast_id: int, speech: Speech) -> bool:
    """Begin to send a draft or what was scheduled; False if it is neither (any more)."""
    if not _step(tx, broadcast_id, (_S.DRAFT, _S.SCHEDULED), _S.RUNNING, began_at=tx.time):
        return False
    started = get(tx, broadcast_id)
    assert started is not None and started.audience is not None and started.safety is not None
    recipients.enter(tx, broadcast_id, started.audience, started.safety, speech)
    return True


def pause(tx: Tx, broadcast_id: int) -> bool:
    """Stop for now; False if it does not run."""
    if not _step(tx, broadcast_id, (_S.RUNNING,), _S.PAUSED):
        return False
    recipients.recall(tx, broadcast_id)
    return True


def resume(tx: Tx, broadcast_id: int) -> bool:
    """Go on; False if it is not paused."""
    return _step(tx, broadcast_id, (_S.PAUSED,), _S.RUNNING)


def cancel(tx: Tx, broadcast_id: int) -> bool:
    """Stop for good; False if it is neither running nor paused."""
    if not _step(tx, broadcast_id, (_S.RUNNING, _S.PAUSED), _S.CANCELLED):
        return False
    recipients.give_up(tx, broadcast_id)
    return True


def discard(tx: Tx, broadcast_id: int) -> bool:
    """Drop what was not begun; False if it was, or is dropped already."""
    return _step(tx, broadcast_id, (_S.DRAFT, _S.SCHEDULED), _S.DISCARDED)


def finish(tx: Tx, broadcast_id: int) -> bool:
    """Note that the last message is dealt with; False if some are still under way."""
    sql = """UPDATE broadcasts SET state = iif(state = 'running', 'done', state), ended_at = :now
             WHERE id = :id AND state IN ('running', 'cancelled') AND ended_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM recipients
                   WHERE broadcast_id = :id AND state IN ('pending', 'queued'))"""
    return tx.run(sql, id=broadcast_id) == 1


def told(tx: Tx, broadcast_id: int) -> None:
    """Note that its progress is shown."""
    tx.run("UPDATE broadcasts SET told_at = :now WHERE id = :id", id=broadcast_id)


def _step(
    tx: Tx,
    broadcast_id: int,
    before: tuple[BroadcastState, ...],
    after: BroadcastState,
    **values: datetime,
) -> bool:
    changes = "".join(f", {name} = :{name}" for name in values)
    sql = f"""UPDATE broadcasts SET state = :after{changes} WHERE id = :id
              AND state IN (SELECT value FROM json_each(:before))"""
    return tx.run(sql, after=after, before=json.dumps(before), id=broadcast_id, **values) == 1


def _all(tx: Tx, where: str, **values: object) -> list[Broadcast]:
    found = tx.rows(f"SELECT * FROM broadcasts WHERE {where} ORDER BY id", **values)
    return [_broadcast(row) for row in found]


def _as_json(content: Copied | Written) -> str:
    if isinstance(content, Copied):
        return json.dumps({"chat": content.chat_id, "message": content.message_id})
    return json.dumps(dict(content.texts), ensure_ascii=False)


def _content(text: str) -> Copied | Written:
    read: Mapping[str, object] = json.loads(text)
    if "chat" in read:
        return Copied(int(str(read["chat"])), int(str(read["message"])))
    return Written({language: str(sentences) for language, sentences in read.items()})


def _broadcast(row: Row) -> Broadcast:
    audience = None
    if row["audience"]:
        audience = Audience(Crowd(row["audience"]), row["source_id"], row["language"])
    return Broadcast(
        id=row["id"],
        made_by=row["made_by"],
        content=_content(row["content"]),
        audience=audience,
        safety=None if row["safety"] is None else bool(row["safety"]),
        state=BroadcastState(row["state"]),
        due_at=from_stored_or_none(row["due_at"]),
        made_at=from_stored(row["made_at"]),
        began_at=from_stored_or_none(row["began_at"]),
        told_at=from_stored_or_none(row["told_at"]),
        ended_at=from_stored_or_none(row["ended_at"]),
    )
