"""The history of the tables, one numbered function for each change; never edited, only added to."""

from collections.abc import Callable

from sqlite_utils import Database, Migrations

from storage.errors import StorageTooNew
from storage.tables.m001 import M001
from storage.tables.m002 import M002
from storage.tables.m003 import M003
from storage.tables.m004 import M004
from storage.tables.m005 import M005
from storage.tables.m006 import M006
from storage.tables.m007 import M007
from storage.tables.m008 import M008

MIGRATIONS = Migrations("storage")


@MIGRATIONS()
def m001_initial(db: Database) -> None:
    """People, sources, updates, cases, images, outbox, audit."""
    db.executescript(M001)


@MIGRATIONS()
def m002_staff(db: Database) -> None:
    """Staff, invitations, dialogs; albums and copies in the outbox."""
    db.executescript(M002)


@MIGRATIONS()
def m003_reviews(db: Database) -> None:
    """What doctors say of cases, and which case is next."""
    db.executescript(M003)


@MIGRATIONS()
def m004_broadcasts(db: Database) -> None:
    """Announcements and who is to get them."""
    db.executescript(M004)


@MIGRATIONS()
def m005_models(db: Database) -> None:
    """Which models run, and what candidates say unseen."""
    db.executescript(M005)


@MIGRATIONS()
def m006_operations(db: Database) -> None:
    """The clock's memory, pauses, errors told."""
    db.executescript(M006)


@MIGRATIONS()
def m007_places(db: Database) -> None:
    """Where in a CT series a finding comes from."""
    db.executescript(M007)


@MIGRATIONS()
def m008_pneumonia(db: Database) -> None:
    """That it surely looks like pneumonia, of whatever kind."""
    db.executescript(M008)


def upgrade(db: Database, migrations: Migrations, keep_copy: Callable[[str], None]) -> list[str]:
    """Bring a database to today's tables; gives the names of the steps taken.

    `keep_copy` is called with the first step's name before anything changes, unless the database
    is new. Each step is a transaction of its own: a crash leaves it done or not begun.
    """
    applied = refuse_newer(db, migrations)
    pending = [step.name for step in migrations.pending(db)]
    if applied and pending:
        keep_copy(pending[0])
    if pending:
        migrations.apply(db)
    return pending


def refuse_newer(db: Database, migrations: Migrations) -> set[str]:
    """Give the names of the steps a database has taken; raises StorageTooNew for one not ours."""
    known = {step.name for step in migrations.pending(Database(memory=True))}
    applied = {step.name for step in migrations.applied(db)}
    if unknown := sorted(applied - known):
        raise StorageTooNew(", ".join(unknown))
    return applied
