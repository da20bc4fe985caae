"""Mend times written by a clock that ran ahead: nothing shall wait, or be kept, too long."""

from datetime import timedelta

from storage.cases import IS_UNFINISHED
from storage.reviews import SKIPPED_FOR
from storage.transaction import Tx

# The longest that words and cases are put off, unless Telegram asks for more: then it asks again.
LONGEST_BACKOFF = timedelta(minutes=10)
# Until a member of staff who blocked the bot is tried again; to unblock it is quicker.
BLOCKED_FOR = timedelta(days=1)
# The longest that a question stays open, except those that do so for as long as a lease.
LONGEST_QUESTION = timedelta(hours=1)
_HOUR = timedelta(hours=1) // timedelta(microseconds=1)


def put_right(tx: Tx, lease: timedelta, undo: timedelta) -> int:
    """Cap the times still to come, for the start; gives how many were too far away."""
    capped = (
        ("outbox", "next_try_at", "state = 'pending' AND kind <> 'delete'", LONGEST_BACKOFF),
        ("outbox", "next_try_at", "state = 'pending' AND kind = 'delete'", BLOCKED_FOR),
        ("outbox", "changed_at", "TRUE", timedelta(0)),
        ("cases", "next_try_at", IS_UNFINISHED, LONGEST_BACKOFF),
        ("cases", "lease_until_at", "state = 'under_review'", max(lease, undo)),
        ("opinions", "final_at", "state = 'given'", undo),
        ("dialogs", "until_at", "TRUE", lease + LONGEST_QUESTION),
        ("review_skips", "until_at", "TRUE", SKIPPED_FOR),
        ("doctor_preferences", "reminded_at", "TRUE", timedelta(0)),
        ("broadcasts", "told_at", "state IN ('running', 'paused')", timedelta(0)),
        ("troubles", "told_at", "TRUE", timedelta(0)),
    )
    moved = _put_right_queue(tx) + _put_right_invitations(tx) + _put_back(tx)
    return moved + sum(_cap(tx, *each) for each in capped)


def _cap(tx: Tx, table: str, column: str, where: str, longest: timedelta) -> int:
    sql = f"UPDATE {table} SET {column} = :latest WHERE {where} AND {column} > :latest"
    return tx.run(sql, latest=tx.time + longest)


def _put_right_queue(tx: Tx) -> int:
    """Let cases of the future wait since now, and give back the urgency that their date cost."""
    return tx.run(
        """UPDATE review_queue SET urgency = urgency + (since_at - :now) / :hour, since_at = :now
           WHERE since_at > :now""",
        hour=float(_HOUR),
    )


def _put_right_invitations(tx: Tx) -> int:
    """Let invitations last from now on for as long as they were meant to; no setting says that."""
    return tx.run(
        """UPDATE invitations SET expires_at = :now + expires_at - made_at, made_at = :now
           WHERE made_at > :now"""
    )


def _put_back(tx: Tx) -> int:
    """Date finished cases of the future a day back: they age, and limits do not count them."""
    return tx.run(
        f"""UPDATE cases SET received_at = :before
            WHERE received_at > :now AND NOT {IS_UNFINISHED}""",
        before=tx.time - timedelta(days=1),
    )
