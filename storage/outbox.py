"""What is to be said in Telegram: written before it is sent, and never sent twice knowingly.

`pending -> sending -> sent`; back to `pending` to try again; `unknown` if it may or may not have
arrived; `failed`; `dropped` if there is nobody or nothing to send it to any more. With that a row
is done: its payload is emptied (of a doubtful one once that is reported), so that no words about a
case outlive it here. In one chat everything goes out in the order written, one thing at a time;
only announcements, the taking out of what expired, and deletions that were tried before let the
rest pass.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from storage.clock import from_stored, from_stored_or_none
from storage.people import Person
from storage.transaction import Row, Tx

# The keys of announcements begin so: they go last.
ANNOUNCEMENT = "broadcast:"
# And so those by which what expired is taken out of chats, which is as little urgent.
EXPIRED = "expired"
# And so those of the messages that tell how far a case is.
PROGRESS = "progress:"

_OPEN = "state IN ('pending', 'sending')"
# A deletion that was tried must not hold up what else its chat waits for, nor other deletions.
_TRIED_DELETION = "(kind = 'delete' AND attempts > 0)"
_GOES_LAST = f"(key GLOB '{ANNOUNCEMENT}*' OR key GLOB '{EXPIRED}:*' OR {_TRIED_DELETION})"
# The next row of each chat, which is the oldest that is open, but for those that go last.
_FIRST = f"""(SELECT id, count(*) AS rows, min(CASE
        WHEN state = 'sending' THEN 0 WHEN {_TRIED_DELETION} THEN next_try_at + (1 << 61)
        WHEN {_GOES_LAST} THEN id + (1 << 60) ELSE id END)
    FROM outbox WHERE {_OPEN} GROUP BY chat_id)"""


class OutKind(StrEnum):
    """What is done in a chat."""

    MESSAGE = "message"
    PHOTO = "photo"
    DOCUMENT = "document"
    ALBUM = "album"
    COPY = "copy"
    EDIT = "edit"
    DELETE = "delete"


# Among chats, answers go before words, words before edits, and announcements last.
_URGENCY = f"""CASE WHEN {_GOES_LAST} THEN 3
    WHEN o.kind = 'photo' THEN 0 WHEN o.kind = 'edit' THEN 2 ELSE 1 END"""

# The last word on how a case went comes after its answer, and may wait so long for others' answers.
LONGEST_AFTERWORD = timedelta(minutes=1)
_AFTERWORD = f"coalesce(o.target GLOB '{PROGRESS}*', FALSE) AND first.rows = 1"

# Doing these twice does no more than doing them once.
REPEATABLE = frozenset({OutKind.EDIT, OutKind.DELETE})


class OutState(StrEnum):
    """Where a row of the outbox stands."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Something to be sent.

    `key` names it once and for all: the same key is never written twice. `payload` is JSON without
    the bytes of an image, which is named by `image_id`. `target` is the key of the message that
    this one edits. A `fleeting` row is deleted as soon as it is done: for the last words to someone
    who asked to be forgotten.
    """

    key: str
    chat_id: int = field(repr=False)
    kind: OutKind
    payload: Mapping[str, object] = field(default_factory=dict, repr=False)
    case_id: int | None = None
    image_id: str | None = None
    target: str | None = None
    fleeting: bool = False


@dataclass(frozen=True, slots=True)
class OutRow:
    """A row of the outbox; `target_message_id` is where the message named by `target` went."""

    id: int
    key: str
    chat_id: int = field(repr=False)
    case_id: int | None
    kind: OutKind
    payload: Mapping[str, object] = field(repr=False)
    image_id: str | None
    target: str | None
    target_message_id: int | None
    state: OutState
    reason: str | None
    attempts: int
    message_id: int | None
    fleeting: bool
    written_at: datetime
    next_try_at: datetime
    changed_at: datetime
    reported_at: datetime | None


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a stopped process left in flight: now in doubt, or to be done again."""

    unknown: int
    again: int


def enqueue(tx: Tx, out: Outgoing) -> bool:
    """Write something to be sent; False if its key was written before."""
    return (
        tx.run(
            """INSERT INTO outbox (key, chat_id, case_id, kind, payload, image_id, target,
                   fleeting, written_at, next_try_at, changed_at)
               VALUES (:key, :chat, :case, :kind, :payload, :image, :target,
                   :fleeting, :now, :now, :now)
               ON CONFLICT (key) DO NOTHING""",
            key=out.key,
            chat=out.chat_id,
            case=out.case_id,
            kind=out.kind,
            payload=json.dumps(out.payload, ensure_ascii=False),
            image=out.image_id,
            target=out.target,
            fleeting=out.fleeting,
        )
        == 1
    )


def drop_edits(tx: Tx, target: str) -> int:
    """Drop the edits of a message that still wait: a later word makes them pointless."""
    return tx.run(
        """UPDATE outbox SET state = 'dropped', reason = 'superseded', changed_at = :now,
               payload = '{}'
           WHERE target = :target AND kind = 'edit' AND state = 'pending'""",
        target=target,
    )


def drop(tx: Tx, key: str) -> bool:
    """Drop a message that still waits, because what follows makes it pointless."""
    return (
        tx.run(
            """UPDATE outbox SET state = 'dropped', reason = 'superseded', changed_at = :now,
                   payload = '{}'
               WHERE key = :key AND state = 'pending'""",
            key=key,
        )
        == 1
    )


def lease_due(
    tx: Tx,
    limit: int = 20,
    resting: Collection[int] = (),
    announcements: bool = True,
    afterwords: bool = True,
) -> list[OutRow]:
    """Take what is due, at most one for each chat and none for those `resting`.

    Without `afterwords` a case's progress message is not changed yet, unless it has waited for
    `LONGEST_AFTERWORD` or something else in its chat waits behind it.
    """
    due = tx.rows(
        f"""SELECT o.id FROM outbox AS o
            JOIN {_FIRST} AS first ON first.id = o.id
            WHERE o.state = 'pending' AND o.next_try_at <= :now
              AND o.chat_id NOT IN (SELECT value FROM json_each(:resting))
              AND (:announcements OR NOT {_GOES_LAST})
              AND (:afterwords OR o.written_at <= :long_ago OR NOT ({_AFTERWORD}))
            ORDER BY {_URGENCY}, o.id LIMIT :limit""",
        now=tx.time,
        resting=json.dumps(sorted(resting)),
        announcements=announcements,
        afterwords=afterwords,
        long_ago=tx.time - LONGEST_AFTERWORD,
        limit=limit,
    )
    ids = json.dumps([row["id"] for row in due])
    tx.run(
        """UPDATE outbox SET state = 'sending', attempts = attempts + 1, changed_at = :now
           WHERE id IN (SELECT value FROM json_each(:ids))""",
        ids=ids,
    )
    return _rows(tx, "o.id IN (SELECT value FROM json_each(:ids))", ids=ids)


def sent(tx: Tx, row_id: int, message_id: int | None = None) -> bool:
    """Note that it arrived; False if the row is not in flight (any more)."""
    return _finish(tx, row_id, OutState.SENT, None, message_id)


def sent_with(tx: Tx, row: OutRow, message_id: int) -> None:
    """Note a further message that came of a row: what erases the first has to find all."""
    tx.insert(
        "outbox",
        key=f"{row.key}:{message_id}",
        chat_id=row.chat_id,
        case_id=row.case_id,
        kind=OutKind.PHOTO,
        payload="{}",
        state=OutState.SENT,
        message_id=message_id,
        fleeting=False,
        written_at=tx.time,
        next_try_at=tx.time,
        changed_at=tx.time,
    )


def unknown(tx: Tx, row_id: int, reason: str | None = None) -> bool:
    """Note that it may or may not have arrived; False if the row is not in flight."""
    return _finish(tx, row_id, OutState.UNKNOWN, reason)


def failed(tx: Tx, row_id: int, reason: str) -> bool:
    """Note that it cannot be sent; False if the row is not in flight."""
    return _finish(tx, row_id, OutState.FAILED, reason)


def retry(tx: Tx, row_id: int, at: datetime) -> bool:
    """Put it back for later; False if the row is not in flight."""
    sql = """UPDATE outbox SET state = 'pending', next_try_at = :at, changed_at = :now
             WHERE id = :id AND state = 'sending'"""
    return tx.run(sql, id=row_id, at=at) == 1


def recover(tx: Tx) -> Recovered:
    """Sort out what a stopped process left in flight; for the start, before anything is leased."""
    kinds = json.dumps(sorted(REPEATABLE))
    again = tx.run(
        """UPDATE outbox SET state = 'pending', next_try_at = :now, changed_at = :now
           WHERE state = 'sending' AND kind IN (SELECT value FROM json_each(:kinds))""",
        kinds=kinds,
    )
    doubtful = tx.run(
        """UPDATE outbox SET state = 'unknown', reason = 'restart', changed_at = :now
           WHERE state = 'sending'"""
    )
    # Last words leave no trace; of a file whoever asked for it is told first.
    tx.run(
        """DELETE FROM outbox WHERE state = 'unknown' AND reported_at IS NULL AND fleeting
           AND kind NOT IN ('document', 'photo', 'album')"""
    )
    return Recovered(doubtful, again)


def unreported(tx: Tx, limit: int = 50) -> list[OutRow]:
    """Give the doubtful rows that no admin was told of."""
    return _rows(tx, "o.state = 'unknown' AND o.reported_at IS NULL", limit=limit)


def mark_reported(tx: Tx, row_ids: Collection[int]) -> None:
    """Note that who has to know is told; belongs into the transaction that writes to them."""
    these = "id IN (SELECT value FROM json_each(:ids)) AND reported_at IS NULL"
    ids = json.dumps(list(row_ids))
    tx.run(f"DELETE FROM outbox WHERE {these} AND fleeting", ids=ids)
    tx.run(f"UPDATE outbox SET reported_at = :now, payload = '{{}}' WHERE {these}", ids=ids)


def by_key(tx: Tx, key: str) -> OutRow | None:
    """Find a row by its key."""
    return next(iter(_rows(tx, "o.key = :key", key=key)), None)


def of_case(tx: Tx, case_id: int) -> list[OutRow]:
    """Give all that was written about a case."""
    return _rows(tx, "o.case_id = :case", case=case_id)


def kept_back(tx: Tx, person: Person, begin: str) -> list[int]:
    """Name a person's cases whose newest message, of those with such keys, they had blocked."""
    sql = """SELECT case_id FROM outbox WHERE reason = 'blocked' AND id IN (
                 SELECT max(o.id) FROM cases AS c CROSS JOIN outbox AS o ON o.case_id = c.id
                 WHERE c.person_id = :person AND o.chat_id = :chat AND o.key GLOB :begin || '*'
                 GROUP BY c.id)"""
    rows = tx.rows(sql, person=person.id, chat=person.telegram_id, begin=begin)
    return [row["case_id"] for row in rows]


def elsewhere(tx: Tx, person: Person) -> list[tuple[int, int]]:
    """Name the messages about a person's cases in the chats of others, by chat and message."""
    sql = """SELECT chat_id, message_id FROM outbox
             WHERE case_id IN (SELECT id FROM cases WHERE person_id = :person)
               AND chat_id <> :chat AND message_id IS NOT NULL"""
    rows = tx.rows(sql, person=person.id, chat=person.telegram_id)
    return [(row["chat_id"], row["message_id"]) for row in rows]


def take_out(tx: Tx, key: str, chat: int, message_id: int) -> None:
    """Have a message taken out of its chat; its own number comes to the key."""
    key, payload = f"{key}:{chat}:{message_id}", {"message_id": message_id}
    going = Outgoing(key=key, chat_id=chat, kind=OutKind.DELETE, payload=payload, fleeting=True)
    enqueue(tx, going)


def expire(tx: Tx, case_ids: Collection[int]) -> None:
    """Let go of what was said about cases, and have it taken out of the chats of others.

    Where it stands in the chat of its person is kept for the button that deletes a case: only they
    decide what goes there. What was refused has none.
    """
    ids = json.dumps(list(case_ids))
    these = "case_id IN (SELECT value FROM json_each(:ids))"
    own = """chat_id IS (SELECT p.telegram_id FROM people AS p JOIN cases AS c
        ON c.person_id = p.id WHERE c.id = outbox.case_id)"""
    has_button = """EXISTS (SELECT 1 FROM cases AS c WHERE c.id = outbox.case_id
        AND (c.state <> 'refused' OR c.reason = 'no_ct_model'))"""
    sent = f"SELECT chat_id, message_id FROM outbox WHERE {these} AND message_id IS NOT NULL"
    for row in tx.rows(f"{sent} AND NOT {own}", ids=ids):
        take_out(tx, EXPIRED, row["chat_id"], row["message_id"])
    stays = f"{own} AND message_id IS NOT NULL AND {has_button}"
    tx.run(f"DELETE FROM outbox WHERE {these} AND NOT ({stays})", ids=ids)
    tx.run(f"UPDATE outbox SET payload = '{{}}' WHERE {these}", ids=ids)


def take_back(tx: Tx, person: Person) -> None:
    """Delete the rows of those messages, and of those still to be sent.

    One that is being sent finds its row gone when it arrives, and is taken out of the chat again.
    """
    sql = """DELETE FROM outbox WHERE chat_id <> :chat
             AND case_id IN (SELECT id FROM cases WHERE person_id = :person)"""
    tx.run(sql, person=person.id, chat=person.telegram_id)


def next_due(tx: Tx, afterwords: bool = True) -> datetime | None:
    """Give the time at which there may be something for `lease_due`, or None."""
    return from_stored_or_none(
        tx.value(
            f"""SELECT min(CASE WHEN :afterwords OR NOT ({_AFTERWORD}) THEN o.next_try_at
                                ELSE o.written_at + :longest END)
                FROM outbox AS o JOIN {_FIRST} AS first ON first.id = o.id
                WHERE o.state = 'pending'""",
            afterwords=afterwords,
            longest=LONGEST_AFTERWORD // timedelta(microseconds=1),
        )
    )


def waiting(tx: Tx) -> int:
    """Count the chats in which something is not done yet.

    Each gets one at a time, however much waits in it. What goes last makes nobody wait.
    """
    count = "SELECT count(DISTINCT chat_id) FROM outbox"
    return int(tx.value(f"{count} WHERE {_OPEN} AND NOT {_GOES_LAST}"))


def prune(tx: Tx, before: datetime) -> int:
    """Delete what was done with before a time.

    Doubts the admins do not know of stay, and where something stands that a person may delete.
    """
    return tx.run(
        """DELETE FROM outbox WHERE changed_at < :before AND state NOT IN ('pending', 'sending')
           AND (state <> 'unknown' OR reported_at IS NOT NULL)
           AND (case_id IS NULL OR message_id IS NULL)""",
        before=before,
    )


def _finish(
    tx: Tx, row_id: int, state: OutState, reason: str | None, message_id: int | None = None
) -> bool:
    done = tx.run(
        """UPDATE outbox SET state = :state, reason = :reason, changed_at = :now,
               message_id = :message, payload = iif(:state = 'unknown', payload, '{}')
           WHERE id = :id AND state = 'sending'""",
        id=row_id,
        state=state,
        reason=reason,
        message=message_id,
    )
    tx.run("DELETE FROM outbox WHERE id = :id AND fleeting AND state <> 'sending'", id=row_id)
    return done == 1


def _rows(tx: Tx, where: str, limit: int = -1, **values: object) -> list[OutRow]:
    found = tx.rows(
        f"""SELECT o.*, t.message_id AS target_message_id
            FROM outbox AS o LEFT JOIN outbox AS t ON t.key = o.target
            WHERE {where} ORDER BY o.id LIMIT :limit""",
        limit=limit,
        **values,
    )
    return [_row(row) for row in found]


def _row(row: Row) -> OutRow:
    return OutRow(
        **{
            **row,
            "kind": OutKind(row["kind"]),
            "payload": json.loads(row["payload"]),
            "state": OutState(row["state"]),
            "fleeting": bool(row["fleeting"]),
            "written_at": from_stored(row["written_at"]),
            "next_try_at": from_stored(row["next_try_at"]),
            "changed_at": from_stored(row["changed_at"]),
            "reported_at": from_stored_or_none(row["reported_at"]),
        }
    )
