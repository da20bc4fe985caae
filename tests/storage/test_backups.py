import asyncio
import errno
import os
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage import Storage, history
from storage.backups import back_up, keep_newest, prune_backups, verify
from storage.database import Database
from storage.errors import BackupFailed, StorageBroken
from storage.transaction import Tx


def add(tx: Tx, update_id: int) -> None:
    tx.insert("updates", update_id=update_id, seen_at=tx.time)


def count(tx: Tx) -> int:
    return int(tx.value("SELECT count(*) FROM updates"))


async def test_a_backup_opens_and_holds_everything(
    hands: Any, storage: Storage, tmp_path: Path
) -> None:
    person = await hands.person()
    await hands.answered(person, note="note")
    await storage.backup(tmp_path / "deep" / "copy.sqlite3")
    async with await Database.open(tmp_path / "deep" / "copy.sqlite3") as copy:
        assert await copy.read(history.export, person.id) == await storage.read(
            history.export, person.id
        )


async def test_a_backup_made_while_writing_is_one_moment(storage: Storage, tmp_path: Path) -> None:
    def pair(tx: Tx, n: int) -> None:
        add(tx, 2 * n)
        add(tx, 2 * n + 1)

    writes = [asyncio.create_task(storage.write(pair, n)) for n in range(300)]
    await asyncio.sleep(0.05)
    await storage.backup(tmp_path / "copy")
    await asyncio.gather(*writes)
    async with await Database.open(tmp_path / "copy") as copy:
        assert await copy.read(count) % 2 == 0


async def test_a_backup_holds_no_image_and_is_for_its_owner_only(
    hands: Any, storage: Storage, tmp_path: Path, traces: Callable[[bytes], list[str]]
) -> None:
    case = await hands.send(await hands.person())
    await hands.image(case)
    target = tmp_path / "data" / "copy"
    await storage.backup(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert traces(b"pixels") == []


async def test_a_backup_never_overwrites(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("precious")
    with pytest.raises(BackupFailed):
        await storage.backup(tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "precious"


def test_a_backup_of_a_damaged_database_is_not_made(tmp_path: Path) -> None:
    source = tmp_path / "db"
    source.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageBroken):
        back_up(source, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == [source]


def test_where_nothing_may_be_written_that_is_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    # On a read-only disk even what is not there cannot be deleted.
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StorageBroken, match="Read-only file system"):
        back_up(tmp_path / "db", tmp_path / "copy")


async def test_a_damaged_copy_does_not_pass_for_a_backup(
    hands: Any, storage: Storage, tmp_path: Path
) -> None:
    for n in range(30):
        await hands.send(await hands.person(n), note="x" * 2000)
    target = tmp_path / "copy"
    await storage.backup(target)
    verify(target)
    raw = bytearray(target.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 4096] = os.urandom(4096)
    target.write_bytes(raw)
    with pytest.raises(BackupFailed):
        verify(target)


def test_backups_do_not_outlive_the_retention_period(tmp_path: Path) -> None:
    for name, days in (("old.sqlite3", 31), ("half.sqlite3.part", 31), ("new.sqlite3", 29)):
        path = tmp_path / name
        path.touch()
        os.utime(path, (0, time.time() - days * 86400))
    (tmp_path / "notes.txt").touch()
    os.utime(tmp_path / "notes.txt", (0, 0))
    assert prune_backups(tmp_path, datetime.now(UTC) - timedelta(days=30)) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"new.sqlite3", "notes.txt"}
    assert prune_backups(tmp_path / "none", datetime.now(UTC)) == 0


def test_a_backup_dated_ahead_ages_from_when_it_is_seen(tmp_path: Path) -> None:
    copy = tmp_path / "daily-20990101.sqlite3"
    copy.touch()
    os.utime(copy, (0, time.time() + 365 * 86400))
    assert prune_backups(tmp_path, datetime.now(UTC) - timedelta(days=30)) == 0
    assert copy.stat().st_mtime <= time.time()


def test_a_backup_of_somebody_else_dated_ahead_hinders_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, days in (("theirs", 365), ("old", -31)):
        (tmp_path / f"{name}.sqlite3").touch()
        os.utime(tmp_path / f"{name}.sqlite3", (0, time.time() + days * 86400))

    def denied(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "utime", denied)
    assert prune_backups(tmp_path, datetime.now(UTC) - timedelta(days=30)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.sqlite3"]


def test_backups_dated_ahead_do_not_push_the_newest_out(tmp_path: Path) -> None:
    for name, days in (("daily-1", 2), ("daily-2", 1), ("daily-9", -365)):
        path = tmp_path / f"{name}.sqlite3"
        path.touch()
        os.utime(path, (0, time.time() - days * 86400))
    keep_newest(tmp_path, "daily-*.sqlite3", 2)
    (tmp_path / "daily-3.sqlite3").touch()
    os.utime(tmp_path / "daily-3.sqlite3", (0, time.time()))
    keep_newest(tmp_path, "daily-*.sqlite3", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["daily-3.sqlite3"]
