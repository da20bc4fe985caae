"""The history of the tables, one numbered function for each change; never edited, only added to."""

from collections.abc import Callable

from sqlite_utils import Database, Migrations

from storage.errors import StorageTooNew
from storage.tables import M001

MIGRATIONS = Migrations("storage")


@MIGRATIONS()
def m001_initial(db: Database) -> None:
    """People, sources, updates, cases, images, outbox, audit."""
    db.executescript(M001)


def upgrade(db: Database, migrations: Migrations, keep_copy: Callable[[str], None]) -> list[str]:
    """Bring a database to today's tables; gives the names of the steps taken.

    `keep_copy` is called with the first step's name before anything changes, unless the database
    is new. Each step is a transaction of its own: a crash leaves it done or not begun.
    """
    known = {step.name for step in migrations.pending(Database(memory=True))}
    applied = {step.name for step in migrations.applied(db)}
    if unknown := sorted(applied - known):
        raise StorageTooNew(", ".join(unknown))
    pending = [step.name for step in migrations.pending(db)]
    if applied and pending:
        keep_copy(pending[0])
    if pending:
        migrations.apply(db)
    return pending
