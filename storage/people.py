"""People as far as the product needs to know them: no name, no phone number, no picture."""

from dataclasses import dataclass, field
from datetime import datetime

from storage import sources
from storage.clock import from_stored, from_stored_or_none
from storage.transaction import Row, Tx

# Rows of the outbox that take something, as an erased scan, out of the chat of a member of staff.
TAKEN_FROM_STAFF = "kind = 'delete' AND chat_id IN (SELECT telegram_id FROM staff)"


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who wrote to the bot.

    `language_code` is what Telegram says, `language` what the person chose instead. Who has opted
    out gets no announcements.
    """

    id: int
    telegram_id: int = field(repr=False)
    language_code: str | None
    language: str | None
    source_id: int | None
    first_seen_at: datetime
    last_seen_at: datetime
    blocked_at: datetime | None
    opted_out_at: datetime | None


@dataclass(frozen=True, slots=True)
class Consent:
    """A version of the consent text, and when it was agreed to."""

    version: str
    given_at: datetime


def seen(
    tx: Tx, telegram_id: int, language_code: str | None, source_token: str | None = None
) -> Person:
    """Take note of someone who writes; whoever writes has not blocked the bot.

    An unknown or retired token changes nothing; of several known ones the last counts.
    """
    source = sources.by_token(tx, source_token) if source_token else None
    row = tx.row(
        """INSERT INTO people
               (telegram_id, language_code, source_id, first_seen_at, last_seen_at)
           VALUES (:telegram_id, :code, :source, :now, :now)
           ON CONFLICT (telegram_id) DO UPDATE SET
               language_code = coalesce(excluded.language_code, language_code),
               source_id = coalesce(excluded.source_id, source_id),
               last_seen_at = excluded.last_seen_at,
               blocked_at = NULL
           RETURNING *""",
        telegram_id=telegram_id,
        code=language_code,
        source=source.id if source else None,
        now=tx.time,
    )
    assert row is not None
    return _person(row)


def get(tx: Tx, person_id: int) -> Person | None:
    """Find a person by our id."""
    row = tx.row("SELECT * FROM people WHERE id = :id", id=person_id)
    return None if row is None else _person(row)


def by_telegram_id(tx: Tx, telegram_id: int) -> Person | None:
    """Find a person by Telegram's id, which is also the id of the private chat."""
    row = tx.row("SELECT * FROM people WHERE telegram_id = :id", id=telegram_id)
    return None if row is None else _person(row)


def set_language(tx: Tx, person_id: int, language: str | None) -> None:
    """Keep the language chosen; None goes back to Telegram's."""
    sql = "UPDATE people SET language = :language WHERE id = :id"
    tx.run(sql, language=language, id=person_id)


def who_chose_a_language(tx: Tx) -> set[int]:
    """Name those who want another language than Telegram says, by Telegram's ids."""
    sql = "SELECT telegram_id FROM people WHERE language IS NOT NULL AND blocked_at IS NULL"
    return {row["telegram_id"] for row in tx.rows(sql)}


def is_blocked(tx: Tx, telegram_id: int) -> bool:
    """Tell whether somebody blocked the bot, as far as we know."""
    person = by_telegram_id(tx, telegram_id)
    return person is not None and person.blocked_at is not None


def opt_out(tx: Tx, person_id: int, out: bool) -> None:
    """Keep that somebody wants no announcements, or wants them again."""
    sql = """UPDATE people SET opted_out_at = CASE WHEN :out THEN coalesce(opted_out_at, :now) END
             WHERE id = :id"""
    tx.run(sql, out=out, id=person_id)


def consent(tx: Tx, person_id: int, version: str) -> bool:
    """Keep the agreement to a version of the text; False if it was given before."""
    sql = """INSERT INTO consents (person_id, version, given_at) VALUES (:id, :version, :now)
             ON CONFLICT DO NOTHING"""
    return tx.run(sql, id=person_id, version=version) == 1


def withdraw_consent(tx: Tx, person_id: int) -> None:
    """Take all agreements back."""
    tx.run("DELETE FROM consents WHERE person_id = :id", id=person_id)


def has_consent(tx: Tx, person_id: int, version: str) -> bool:
    """Tell whether this version was agreed to."""
    sql = "SELECT 1 FROM consents WHERE person_id = :id AND version = :version"
    return tx.row(sql, id=person_id, version=version) is not None


def consents(tx: Tx, person_id: int) -> tuple[Consent, ...]:
    """Give all agreements, oldest first."""
    sql = "SELECT version, given_at FROM consents WHERE person_id = :id ORDER BY given_at, id"
    rows = tx.rows(sql, id=person_id)
    return tuple(Consent(row["version"], from_stored(row["given_at"])) for row in rows)


def block(tx: Tx, telegram_id: int) -> int:
    """Mark someone who blocked the bot and drop what still waits for them; gives how much.

    What is to be taken out of a member's chat, as an erased scan, waits until they are back.
    """
    sql = """UPDATE people SET blocked_at = :now
             WHERE telegram_id = :chat AND blocked_at IS NULL"""
    tx.run(sql, chat=telegram_id)
    # The first condition is the index's own.
    pending = f"""state IN ('pending', 'sending') AND state = 'pending' AND chat_id = :chat
                  AND NOT ({TAKEN_FROM_STAFF})"""
    gone = tx.run(f"DELETE FROM outbox WHERE {pending} AND fleeting", chat=telegram_id)
    return gone + tx.run(
        f"""UPDATE outbox SET state = 'dropped', reason = 'blocked', changed_at = :now,
                payload = '{{}}'
            WHERE {pending}""",
        chat=telegram_id,
    )


def unblock(tx: Tx, telegram_id: int) -> None:
    """Mark someone who let the bot in again; what was to be taken out of their chat may go."""
    tx.run("UPDATE people SET blocked_at = NULL WHERE telegram_id = :chat", chat=telegram_id)
    tx.run(
        """UPDATE outbox SET next_try_at = :now
           WHERE state IN ('pending', 'sending') AND chat_id = :chat AND kind = 'delete'""",
        chat=telegram_id,
    )


def _person(row: Row) -> Person:
    times = {
        "first_seen_at": from_stored(row["first_seen_at"]),
        "last_seen_at": from_stored(row["last_seen_at"]),
        "blocked_at": from_stored_or_none(row["blocked_at"]),
        "opted_out_at": from_stored_or_none(row["opted_out_at"]),
    }
    return Person(**{**row, **times})
