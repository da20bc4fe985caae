"""What a chat with a member of staff waits for next; it outlives a restart."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from storage.transaction import Tx


@dataclass(frozen=True, slots=True)
class Dialog:
    """An open question: the next message of this chat answers it.

    What a role is asked has a `kind` that begins with the role and a colon.
    """

    kind: str
    payload: Mapping[str, object] = field(repr=False)


def begin(
    tx: Tx, telegram_id: int, kind: str, payload: Mapping[str, object], length: timedelta
) -> None:
    """Ask something; whatever was asked before is asked no more."""
    tx.run("DELETE FROM dialogs WHERE telegram_id = :id OR until_at <= :now", id=telegram_id)
    tx.insert(
        "dialogs",
        telegram_id=telegram_id,
        kind=kind,
        payload=json.dumps(payload, ensure_ascii=False),
        until_at=tx.time + length,
    )


def current(tx: Tx, telegram_id: int) -> Dialog | None:
    """Give the question that is open, unless its time is up."""
    row = tx.row(
        "SELECT * FROM dialogs WHERE telegram_id = :id AND until_at > :now",
        id=telegram_id,
        now=tx.time,
    )
    return None if row is None else Dialog(row["kind"], json.loads(row["payload"]))


def end_of(tx: Tx, telegram_id: int, role: str) -> None:
    """Close what somebody was asked in a role."""
    sql = "DELETE FROM dialogs WHERE telegram_id = :id AND kind GLOB :role || ':*'"
    tx.run(sql, id=telegram_id, role=role)


def end_kind(tx: Tx, telegram_id: int, kind: str) -> None:
    """Close a question of this kind, whatever its answer is about."""
    tx.run(
        "DELETE FROM dialogs WHERE telegram_id = :id AND kind = :kind", id=telegram_id, kind=kind
    )


def end(tx: Tx, telegram_id: int) -> bool:
    """Close the question; False if none was open."""
    was_open = current(tx, telegram_id) is not None
    tx.run("DELETE FROM dialogs WHERE telegram_id = :id", id=telegram_id)
    return was_open
