"""Doctors and admins: who holds a role now, and who is invited to one."""

import hashlib
import secrets
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from storage import audit, dialogs, people
from storage.clock import from_stored, from_stored_or_none
from storage.errors import StorageError
from storage.transaction import Row, Tx

FIRST_ADMIN = "Admin"

# As they were made: a clock that is put right later does not open them again.
_CLOSE_INVITATIONS = """UPDATE invitations SET expires_at = min(made_at, :now)
    WHERE used_by IS NULL AND expires_at > :now"""


class Role(StrEnum):
    """What a member of staff may do."""

    DOCTOR = "doctor"
    ADMIN = "admin"


class LastAdmin(StorageError):
    """The last admin cannot be revoked."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a role; a person with two roles is two members."""

    id: int
    telegram_id: int = field(repr=False)
    role: Role
    name: str
    invited_by: int | None
    since_at: datetime
    revoked_at: datetime | None

    @property
    def actor(self) -> str:
        """Name them in the audit."""
        return f"{self.role}:{self.id}"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An open place, taken by whoever comes first with its token; `invited_by` None: operator."""

    id: int
    role: Role
    name: str
    invited_by: int | None
    made_at: datetime
    expires_at: datetime
    used_by: int | None


def seed_admins(tx: Tx, telegram_ids: Collection[int]) -> None:
    """Make admins of those the settings name, if there never was one."""
    if tx.row("SELECT 1 FROM staff WHERE role = 'admin'") is None:
        for number, telegram_id in enumerate(telegram_ids, start=1):
            first = add(tx, telegram_id, Role.ADMIN, f"{FIRST_ADMIN} {number}")
            audit.record(tx, audit.SYSTEM, "staff_seeded", detail=first.actor)


def add(tx: Tx, telegram_id: int, role: Role, name: str, invited_by: int | None = None) -> Member:
    """Put somebody into a role; gives the member they are already if they hold it."""
    existing = member(tx, telegram_id, role)
    if existing is not None:
        return existing
    member_id = tx.insert(
        "staff",
        telegram_id=telegram_id,
        role=role,
        name=name,
        invited_by=invited_by,
        since_at=tx.time,
    )
    return get(tx, member_id)


def get(tx: Tx, member_id: int) -> Member:
    """Give a member, revoked or not."""
    row = tx.row("SELECT * FROM staff WHERE id = :id", id=member_id)
    assert row is not None
    return _member(row)


def member(tx: Tx, telegram_id: int, role: Role) -> Member | None:
    """Find somebody who holds a role now."""
    row = tx.row(
        """SELECT * FROM staff WHERE telegram_id = :telegram_id AND role = :role
           AND revoked_at IS NULL""",
        telegram_id=telegram_id,
        role=role,
    )
    return None if row is None else _member(row)


def members(tx: Tx, role: Role | None = None) -> list[Member]:
    """Give those who hold a role now, oldest first."""
    sql = """SELECT * FROM staff WHERE revoked_at IS NULL AND (:role IS NULL OR role = :role)
             ORDER BY id"""
    return [_member(row) for row in tx.rows(sql, role=role)]


def ever(tx: Tx, telegram_id: int) -> bool:
    """Tell whether somebody holds or held a role."""
    sql = "SELECT 1 FROM staff WHERE telegram_id = :id"
    return tx.row(sql, id=telegram_id) is not None


def reachable(tx: Tx, role: Role) -> list[Member]:
    """Give those of them who wrote to the bot, which begins no chat, and have not blocked it."""
    known = [(each, people.by_telegram_id(tx, each.telegram_id)) for each in members(tx, role)]
    return [each for each, person in known if person and person.blocked_at is None]


def everybody(tx: Tx) -> list[Member]:
    """Give all who hold or held a role, oldest first."""
    return [_member(row) for row in tx.rows("SELECT * FROM staff ORDER BY id")]


def is_last_admin(tx: Tx, member: Member) -> bool:
    """Tell whether nobody but this member could invite others."""
    return [member.id] == [admin.id for admin in members(tx, Role.ADMIN)]


def revoke(tx: Tx, member_id: int) -> bool:
    """End somebody's role and what they hold by it; False if it was ended before.

    Raises LastAdmin.
    """
    sql = "UPDATE staff SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL"
    try:
        ended = tx.run(sql, id=member_id) == 1
    except sqlite3.IntegrityError as error:
        raise LastAdmin from error
    if ended:
        _take_back(tx, get(tx, member_id))
    return ended


def _take_back(tx: Tx, member: Member) -> None:
    """Close what a member opened: questions, invitations, cases and pictures on their way."""
    dialogs.end_of(tx, member.telegram_id, member.role)
    tx.run(f"{_CLOSE_INVITATIONS} AND invited_by = :id", id=member.id)
    tx.run(
        """UPDATE cases SET state = 'answered', changed_at = :now,
               lease_worker = NULL, lease_until_at = NULL
           WHERE state = 'under_review' AND lease_worker = :actor""",
        actor=member.actor,
    )
    if member.role is Role.DOCTOR:
        others = """state IN ('pending', 'sending') AND chat_id = :chat AND case_id IS NOT NULL
            AND (SELECT person_id FROM cases WHERE id = outbox.case_id)
                IS NOT (SELECT id FROM people WHERE telegram_id = :chat)"""
        if any(admin.telegram_id == member.telegram_id for admin in members(tx, Role.ADMIN)):
            # Notices to an admin stay.
            others += " AND NOT (kind = 'message' AND key NOT GLOB 'card:*')"
        # What arrives and has no row is taken out of the chat again.
        tx.run(f"DELETE FROM outbox WHERE {others} AND state = 'sending'", chat=member.telegram_id)
        tx.run(
            f"""UPDATE outbox SET state = 'dropped', reason = 'revoked', changed_at = :now,
                    payload = '{{}}'
                WHERE {others}""",
            chat=member.telegram_id,
        )


def invite(tx: Tx, role: Role, name: str, by: Member | None, length: timedelta) -> str:
    """Make an invitation, None by the operator; gives its token, of which only the hash is kept."""
    token = secrets.token_urlsafe(24)
    tx.insert(
        "invitations",
        token_hash=_hash(token),
        role=role,
        name=name,
        invited_by=by.id if by else None,
        made_at=tx.time,
        expires_at=tx.time + length,
    )
    return token


def accept(tx: Tx, token: str, telegram_id: int) -> Member | None:
    """Take the place an invitation keeps; None if it is unknown, used, expired or withdrawn."""
    row = tx.row(
        """SELECT * FROM invitations
           WHERE token_hash = :hash AND used_by IS NULL AND expires_at > :now""",
        hash=_hash(token),
        now=tx.time,
    )
    if row is None:
        return None
    new = add(tx, telegram_id, Role(row["role"]), row["name"], row["invited_by"])
    tx.run("UPDATE invitations SET used_by = :who WHERE id = :id", who=new.id, id=row["id"])
    return new


def invitation(tx: Tx, invitation_id: int) -> Invitation:
    """Give an invitation, open or not."""
    row = tx.row("SELECT * FROM invitations WHERE id = :id", id=invitation_id)
    assert row is not None
    return _invitation(row)


def invitation_of(tx: Tx, token: str) -> Invitation | None:
    """Find what a token invites to, open or not."""
    row = tx.row("SELECT * FROM invitations WHERE token_hash = :hash", hash=_hash(token))
    return None if row is None else _invitation(row)


def open_invitations(tx: Tx) -> list[Invitation]:
    """Give the invitations that may still be accepted, oldest first."""
    sql = "SELECT * FROM invitations WHERE used_by IS NULL AND expires_at > :now ORDER BY id"
    return [_invitation(row) for row in tx.rows(sql, now=tx.time)]


def withdraw(tx: Tx, invitation_id: int) -> bool:
    """Let an invitation expire at once; False if it was not open."""
    return tx.run(f"{_CLOSE_INVITATIONS} AND id = :id", id=invitation_id) == 1


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _member(row: Row) -> Member:
    return Member(
        **{
            **row,
            "role": Role(row["role"]),
            "since_at": from_stored(row["since_at"]),
            "revoked_at": from_stored_or_none(row["revoked_at"]),
        }
    )


def _invitation(row: Row) -> Invitation:
    return Invitation(
        id=row["id"],
        role=Role(row["role"]),
        name=row["name"],
        invited_by=row["invited_by"],
        made_at=from_stored(row["made_at"]),
        expires_at=from_stored(row["expires_at"]),
        used_by=row["used_by"],
    )
