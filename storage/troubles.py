"""Errors nobody expected: counted by type and place, so that each kind is told once a day."""

from datetime import datetime, timedelta

from storage.transaction import Tx

QUIET = timedelta(days=1)


def note(tx: Tx, kind: str, place: str) -> int:
    """Count an error; gives how often it came since it was told last, 0 if it is not to be told."""
    key = {"kind": kind, "place": place}
    row = tx.row(
        """INSERT INTO troubles (kind, place, untold, last_at) VALUES (:kind, :place, 1, :now)
           ON CONFLICT (kind, place) DO UPDATE SET untold = untold + 1, last_at = excluded.last_at
           RETURNING untold""",
        now=tx.time,
        **key,
    )
    assert row is not None
    told = tx.run(
        """UPDATE troubles SET untold = 0, told_at = :now
           WHERE kind = :kind AND place = :place AND (told_at IS NULL OR told_at <= :before)""",
        before=tx.time - QUIET,
        **key,
    )
    return int(row["untold"]) if told else 0


def prune(tx: Tx, before: datetime) -> None:
    """Forget errors that did not come since a time."""
    tx.run("DELETE FROM troubles WHERE last_at < :before", before=before)
