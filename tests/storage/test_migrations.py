from pathlib import Path

import pytest
from sqlite_utils import Database as Plain
from sqlite_utils import Migrations

from storage import history
from storage.backups import verify
from storage.database import BACKUPS, Database
from storage.errors import StorageTooNew
from storage.migrations import MIGRATIONS
from storage.transaction import Tx

TODAY = [step.name for step in MIGRATIONS.pending(Plain(memory=True))]


def later(broken: bool = False) -> Migrations:
    """Today's history and one step more."""
    steps = Migrations("storage")
    for step in MIGRATIONS.pending(Plain(memory=True)):
        steps(name=step.name)(step.fn)

    @steps()
    def m900_colour(db: Plain) -> None:
        db.execute("ALTER TABLE people ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'")
        if broken:
            raise KeyError

    return steps


def add_person(tx: Tx) -> None:
    tx.insert("people", telegram_id=1, first_seen_at=tx.time, last_seen_at=tx.time)


def names(tx: Tx) -> list[str]:
    return [row["name"] for row in tx.rows("SELECT name FROM _sqlite_migrations ORDER BY id")]


async def test_a_new_database_needs_no_backup_and_a_second_start_no_step(folder: Path) -> None:
    for _ in range(2):
        async with await Database.open(folder / "db") as database:
            assert await database.read(names) == TODAY
    assert not (folder / BACKUPS).exists()


async def test_every_earlier_version_comes_up_to_date_with_its_rows_and_a_backup(
    folder: Path,
) -> None:
    async with await Database.open(folder / "db") as database:
        await database.write(add_person)
    async with await Database.open(folder / "db", migrations=later()) as database:
        assert await database.read(names) == [*TODAY, "m900_colour"]
        assert await database.read(lambda tx: tx.value("SELECT colour FROM people")) == "grey"
    [copy] = (folder / BACKUPS).iterdir()
    assert copy.name.startswith("before-m900_colour-")
    verify(copy)
    async with await Database.open(copy) as before:
        assert await before.read(names) == TODAY
        assert await before.read(lambda tx: tx.value("SELECT count(*) FROM people")) == 1


async def test_findings_of_before_pneumonia_without_its_kind_are_none_of_it(
    folder: Path,
) -> None:
    before = Migrations("storage")
    for step in MIGRATIONS.pending(Plain(memory=True)):
        if step.name < "m008":
            before(name=step.name)(step.fn)

    def add_finding(tx: Tx) -> None:
        times = {"received_at": tx.time, "changed_at": tx.time, "next_try_at": tx.time}
        case = tx.insert("cases", number="00000000", **times)
        shares = {"normal": 0.1, "bacterial": 0.5, "viral": 0.4}
        about = {"model": "m", "modality": "xray", "doubts": "[]", "slices": 1, "seconds": 0.1}
        tx.insert("findings", case_id=case, **shares, **about, made_at=tx.time)

    async with await Database.open(folder / "db", migrations=before) as database:
        await database.write(add_finding)
    async with await Database.open(folder / "db") as database:
        (found,) = await database.read(history.findings, 1)
        assert (found.label, found.is_pneumonia, found.bacterial) == (None, False, 0.5)
    [copy] = (folder / BACKUPS).iterdir()
    assert copy.name.startswith("before-m008_pneumonia-")


async def test_a_step_that_fails_leaves_the_tables_as_they_were(folder: Path) -> None:
    async with await Database.open(folder / "db") as database:
        await database.write(add_person)
    with pytest.raises(KeyError):
        await Database.open(folder / "db", migrations=later(broken=True))
    async with await Database.open(folder / "db") as database:
        assert await database.read(names) == TODAY
        row = await database.read(lambda tx: tx.row("SELECT * FROM people"))
        assert row is not None and "colour" not in row


async def test_a_database_of_a_newer_version_is_refused_untouched(folder: Path) -> None:
    async with await Database.open(folder / "db", migrations=later()):
        pass
    content = (folder / "db").read_bytes()
    with pytest.raises(StorageTooNew, match="m900_colour"):
        await Database.open(folder / "db")
    assert (folder / "db").read_bytes() == content


def test_steps_are_numbered_in_order() -> None:
    steps = [step.name for step in MIGRATIONS.pending(Plain(memory=True))]
    assert [name[:5] for name in steps] == [f"m{n:03}_" for n in range(1, len(steps) + 1)]
