import asyncio
import sqlite3
import stat
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage import Storage
from storage.clock import from_stored, to_stored
from storage.database import Database
from storage.errors import StorageBroken, StorageBusy, StorageClosed, StorageFull
from storage.transaction import Tx


def count(tx: Tx) -> int:
    return int(tx.value("SELECT count(*) FROM updates"))


def add(tx: Tx, update_id: int) -> None:
    tx.insert("updates", update_id=update_id, seen_at=tx.time)


def file_modes(folder: Path) -> dict[str, int]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}


@pytest.fixture
def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def test_a_write_that_raises_leaves_nothing(storage: Storage) -> None:
    def half(tx: Tx) -> None:
        add(tx, 1)
        raise KeyError

    with pytest.raises(KeyError):
        await storage.write(half)
    assert await storage.read(count) == 0


async def test_writers_and_readers_at_once_lose_nothing_and_see_whole_transactions(
    storage: Storage,
) -> None:
    def pair(tx: Tx, n: int) -> None:
        before = count(tx)
        add(tx, 2 * n)
        add(tx, 2 * n + 1)
        assert count(tx) == before + 2

    tasks = [storage.write(pair, n) for n in range(200)]
    reads = [storage.read(count) for _ in range(200)]
    answers = await asyncio.gather(
        *(task for two in zip(tasks, reads, strict=True) for task in two)
    )
    assert all(seen % 2 == 0 for seen in answers if seen is not None)
    assert await storage.read(count) == 400


async def test_one_read_sees_one_state_however_long_it_takes(storage: Storage) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def twice(tx: Tx) -> tuple[int, int]:
        first = count(tx)
        begun.set()
        go_on.wait(5)
        return first, count(tx)

    reading = asyncio.create_task(storage.read(twice))
    await asyncio.to_thread(begun.wait, 5)
    await storage.write(add, 1)
    go_on.set()
    assert await reading == (0, 0)


async def test_a_long_read_hinders_scrubbing_but_no_writer(storage: Storage) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def long(tx: Tx) -> None:
        count(tx)
        begun.set()
        go_on.wait(5)

    await storage.write(add, 1)
    reading = asyncio.create_task(storage.read(long))
    await asyncio.to_thread(begun.wait, 5)
    await storage.write(add, 2)
    scrubbing = asyncio.create_task(storage.database.scrub())
    async with asyncio.timeout(0.9):
        await storage.write(add, 3)
    assert not await scrubbing
    go_on.set()
    await reading
    assert await storage.database.scrub()
    assert await storage.read(count) == 3


async def test_a_reader_cannot_write(storage: Storage) -> None:
    with pytest.raises(StorageBroken, match="READONLY"):
        await storage.read(add, 1)


async def test_a_write_given_up_before_it_began_does_not_happen(storage: Storage) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        begun.set()
        go_on.wait(5)
        add(tx, 1)

    running = asyncio.create_task(storage.write(slow))
    await asyncio.to_thread(begun.wait, 5)
    waiting = asyncio.create_task(storage.write(add, 2))
    await asyncio.sleep(0)
    waiting.cancel()
    running.cancel()
    go_on.set()
    await asyncio.wait([running, waiting])
    ids = await storage.write(lambda tx: tx.rows("SELECT update_id FROM updates"))
    assert ids == [{"update_id": 1}]


async def test_closing_finishes_what_was_asked_for(folder: Path) -> None:
    storage = await Storage.open(folder)
    writes = [asyncio.create_task(storage.write(add, n)) for n in range(50)]
    await asyncio.sleep(0)
    await storage.close()
    await asyncio.gather(*writes)
    with pytest.raises(StorageClosed):
        await storage.write(add, 99)
    with pytest.raises(StorageClosed):
        await storage.read(count)
    async with await Storage.open(folder) as again:
        assert await again.read(count) == 50


async def test_the_safe_settings_are_on(storage: Storage) -> None:
    settings = {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "secure_delete": 1,
        "synchronous": 2,
        "recursive_triggers": 1,
    }
    for name, value in settings.items():
        assert await storage.write(lambda tx, name=name: tx.value(f"PRAGMA {name}")) == value


async def test_every_table_of_ours_is_strict(storage: Storage) -> None:
    rows = await storage.read(lambda tx: tx.rows("PRAGMA table_list"))
    ours = {
        row["name"]: row["strict"] for row in rows if not row["name"].startswith(("sqlite", "_"))
    }
    assert {"people", "consents", "sources", "updates", "cases", "case_events", "scans"} <= set(
        ours
    )
    assert {"findings", "outbox", "audit", "images"} <= set(ours)
    assert all(ours.values())


async def test_nobody_else_on_the_machine_may_read_the_files(
    storage: Storage, folder: Path
) -> None:
    await storage.write(add, 1)
    await storage.images.seal(b"pixels")
    modes = file_modes(folder)
    assert len(modes) >= 5
    assert set(modes.values()) == {0o600}


async def test_a_database_locked_by_another_process_is_busy_and_then_usable(folder: Path) -> None:
    path = folder / "bot.sqlite3"
    async with await Database.open(path, patience=timedelta(milliseconds=50)) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageBusy):
                await database.write(add, 1)
            assert await database.read(count) == 0
        await database.write(add, 1)
        assert await database.read(count) == 1


async def test_a_database_locked_at_the_start_is_busy(made: Path) -> None:
    path = made / "bot.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageBusy):
            await Database.open(path, patience=timedelta(milliseconds=50))


async def test_a_full_disk_is_said_and_the_rest_stays_whole(storage: Storage) -> None:
    def fill(tx: Tx) -> None:
        tx.insert("sources", token="full", name="x" * 500_000, created_at=tx.time)

    pages = await storage.write(lambda tx: tx.value("PRAGMA page_count"))
    await storage.write(lambda tx: tx.value(f"PRAGMA max_page_count={pages + 2}"))
    await storage.write(add, 1)
    with pytest.raises(StorageFull):
        await storage.write(fill)
    assert await storage.read(count) == 1
    await storage.write(lambda tx: tx.value("PRAGMA max_page_count=1000000"))
    await storage.write(fill)
    assert await storage.read(lambda tx: tx.value("PRAGMA integrity_check")) == "ok"


@pytest.mark.parametrize("content", [b"this is no database" * 100, bytes(4096) + b"x"])
async def test_a_file_that_is_no_database_is_refused_untouched(made: Path, content: bytes) -> None:
    await asyncio.to_thread((made / "bot.sqlite3").write_bytes, content)
    with pytest.raises(StorageBroken):
        await Storage.open(made)
    assert await asyncio.to_thread((made / "bot.sqlite3").read_bytes) == content


async def test_a_folder_in_the_way_is_a_typed_error(made: Path) -> None:
    await asyncio.to_thread((made / "bot.sqlite3").mkdir)
    with pytest.raises(StorageBroken):
        await Storage.open(made)


def test_a_time_comes_back_exactly_and_needs_a_zone() -> None:
    time = datetime(2026, 7, 4, 12, 0, 0, 123457, tzinfo=UTC)
    assert from_stored(to_stored(time)) == time
    with pytest.raises(ValueError, match="zone"):
        to_stored(time.replace(tzinfo=None))
