"""Which of Telegram's updates were taken in: a repeated one does nothing twice."""

from datetime import datetime

from storage.transaction import Tx


def first_time(tx: Tx, update_id: int) -> bool:
    """Record an update; False if it was recorded before.

    Belongs into the transaction that also writes what follows from the update.
    """
    sql = "INSERT INTO updates (update_id, seen_at) VALUES (:id, :now) ON CONFLICT DO NOTHING"
    return tx.run(sql, id=update_id) == 1


def prune(tx: Tx, before: datetime) -> int:
    """Forget updates seen before a time; Telegram repeats none older than a day."""
    return tx.run("DELETE FROM updates WHERE seen_at < :before", before=before)
