"""Whether new pictures are taken in just now."""

from dataclasses import dataclass
from datetime import datetime

from storage.clock import from_stored
from storage.transaction import Tx


@dataclass(frozen=True, slots=True)
class Pause:
    """Intake rests; `message` is what an admin wants to say to patients, in their own words."""

    message: str | None
    since_at: datetime


def begin(tx: Tx, message: str | None) -> None:
    """Take nothing in from now on; a message given later replaces the earlier one."""
    tx.run(
        """INSERT INTO pause (one, message, since_at) VALUES (1, :message, :now)
           ON CONFLICT DO UPDATE SET message = excluded.message""",
        message=message,
    )


def current(tx: Tx) -> Pause | None:
    """Give the pause that goes on, if there is one."""
    row = tx.row("SELECT message, since_at FROM pause")
    return None if row is None else Pause(row["message"], from_stored(row["since_at"]))


def end(tx: Tx) -> bool:
    """Take pictures in again; False if there was no pause."""
    return tx.run("DELETE FROM pause") == 1
