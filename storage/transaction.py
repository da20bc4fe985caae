"""One transaction: what the functions of this package get to work with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from storage.clock import Clock, to_stored

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tx:
    """An open transaction; all that happens in it happens at one `time`.

    Values are given by name (`:name`). A `datetime` is stored as microseconds. Not to be kept
    after the function it was handed to returns.
    """

    db: Database
    time: datetime

    def rows(self, sql: str, /, **values: object) -> list[Row]:
        """Give all rows of a query."""
        # Not `db.query`, which wraps each query in a savepoint: three statements instead of one.
        found = self.db.execute(sql, _plain(values))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def row(self, sql: str, /, **values: object) -> Row | None:
        """Give the first row, or None."""
        return next(iter(self.rows(sql, **values)), None)

    def value(self, sql: str, /, **values: object) -> Any:
        """Give the first column of the first row, or None."""
        row = self.row(sql, **values)
        return None if row is None else next(iter(row.values()))

    def run(self, sql: str, /, **values: object) -> int:
        """Run a statement; gives the number of rows it changed."""
        return self.db.execute(sql, _plain({"now": self.time} | values)).rowcount

    def insert(self, table: str, /, **values: object) -> int:
        """Add one row; gives its id."""
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        return int(self.db.execute(sql, _plain(values)).lastrowid or 0)


def _plain(values: dict[str, object]) -> dict[str, object]:
    return {
        name: to_stored(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }


@contextmanager
def transaction(db: Database, begin: str, clock: Clock) -> Iterator[Tx]:
    """Commit what the block did, or nothing of it."""
    db.execute(begin)
    try:
        yield Tx(db, clock())
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise
