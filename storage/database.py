"""One writer thread, many readers: the only place that holds a connection.

After datasette's `database.py`. Every write is one `BEGIN IMMEDIATE` transaction, run by one thread
in the order asked for; readers see whole transactions only. `synchronous=FULL`: what was committed
survives a power cut, at about a millisecond a write.
"""

import asyncio
import os
import queue
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import sqlite_utils
from sqlite_utils import Migrations

from storage.backups import SUFFIX, back_up, read_only
from storage.clock import Clock, utc_now
from storage.errors import StorageBusy, StorageClosed, StorageFull, typed_errors, typed_file_errors
from storage.migrations import MIGRATIONS, refuse_newer, upgrade
from storage.transaction import Tx, transaction

P = ParamSpec("P")
T = TypeVar("T")

BACKUPS = "backups"
# Seconds to wait for the writes already asked for.
_LONGEST_STOP = 10.0
# Free, in sizes of the file, before it is written anew: that goes through the log.
_ROOM_TO_COMPACT = 1.5


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Tx], Any]
    answer: "Future[Any]"


class Database:
    """The file and its threads; made by `open`."""

    def __init__(
        self, path: Path, writer: sqlite_utils.Database, clock: Clock, patience: timedelta
    ) -> None:
        self.path = path
        self._clock = clock
        self._patience = patience
        self._writer = writer
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._readers: list[sqlite_utils.Database] = []
        self._mine = threading.local()
        self._thread = threading.Thread(target=self._write_all, name="storage", daemon=True)
        self._pool = ThreadPoolExecutor(3, thread_name_prefix="storage-read")
        self._thread.start()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Clock = utc_now,
        patience: timedelta = timedelta(seconds=5),
        migrations: Migrations = MIGRATIONS,
    ) -> Self:
        """Open or make the database and bring its tables up to date, after a backup.

        `patience` is how long to wait for another process before StorageBusy.
        """
        writer = await asyncio.to_thread(_open_writer, path, clock, patience, migrations)
        return cls(path, writer, clock, patience)

    async def write(
        self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(tx, ...)` in a transaction of its own and give its answer; all or nothing.

        Cancelling the caller undoes a write that has not begun, and none that has.
        """
        if self._closed:
            raise StorageClosed
        answer: Future[T] = Future()
        self._jobs.put(_Job(lambda tx: work(tx, *args, **kwargs), answer))
        return await asyncio.wrap_future(answer)

    async def read(
        self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(tx, ...)` on one unchanging view of the database; it cannot write."""
        if self._closed:
            raise StorageClosed
        return await asyncio.wrap_future(
            self._pool.submit(self._read, lambda tx: work(tx, *args, **kwargs))
        )

    async def backup(self, target: Path) -> None:
        """Write a checked copy; writers go on meanwhile."""
        if self._closed:
            raise StorageClosed
        await asyncio.to_thread(back_up, self.path, target)

    async def scrub(self) -> bool:
        """Take what was erased out of the write-ahead log too; False if a reader hindered it."""
        for _ in range(20):
            if not await self.write(self._empty_log):
                return True
            await asyncio.sleep(0.05)
        return False

    async def compact(self) -> bool:
        """Write the whole file anew, and scrub; False if something hindered it.

        Takes about 10 ms for each MB, during which writers wait, and as much memory. Raises
        StorageFull, before anything is written, unless the log has room for the whole file.
        """
        await asyncio.to_thread(_need_room, self.path)
        try:
            await self.write(_vacuum)
        except StorageBusy:
            return False
        except StorageFull:
            # Otherwise what it wrote stays in the log, and nothing else finds room either.
            await self.scrub()
            raise
        return await self.scrub()

    async def close(self) -> None:
        """Finish the writes already asked for and let go of the file."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, _LONGEST_STOP)
        await asyncio.to_thread(self._pool.shutdown)
        for reader in self._readers:
            reader.close()
        if self._thread.is_alive():
            raise StorageBusy("a write is still running")
        self._writer.close()

    async def __aenter__(self) -> Self:
        """Give itself: it is open already."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    def _write_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.answer.set_running_or_notify_cancel():
                continue
            try:
                with (
                    typed_errors(),
                    transaction(self._writer, "BEGIN IMMEDIATE", self._clock) as tx,
                ):
                    result = job.work(tx)
            except BaseException as error:
                job.answer.set_exception(error)
            else:
                job.answer.set_result(result)

    def _read(self, work: Callable[[Tx], T]) -> T:
        with typed_errors():
            reader = getattr(self._mine, "reader", None)
            if reader is None:
                reader = _connect(read_only(self.path), self._patience)
                self._mine.reader = reader
                self._readers.append(reader)
            with transaction(reader, "BEGIN", self._clock) as tx:
                return work(tx)

    def _empty_log(self, tx: Tx) -> bool:
        """Write the log back into the file; True if a reader hindered it.

        Never waits for a reader, which may be a backup: writers would wait too.
        """
        patience = int(self._patience.total_seconds() * 1000)
        with _between_transactions(tx):
            tx.value("PRAGMA busy_timeout=0")
            try:
                return bool(tx.value("PRAGMA wal_checkpoint(TRUNCATE)"))
            finally:
                tx.value(f"PRAGMA busy_timeout={patience}")


def examine(path: Path) -> None:
    """Look whether a database can be used, in use or not, without changing it; StorageError."""
    look(path, lambda tx: None)


def look(path: Path, work: Callable[[Tx], T]) -> T:
    """Run `work(tx)` on a database, in use or not, without changing it; raises StorageError."""
    # Without a log nobody uses it, and as "immutable" it gets none by being read.
    used = path.with_name(f"{path.name}-wal").exists()
    address = read_only(path) + ("" if used else "&immutable=1")
    with typed_errors(), closing(_connect(address, timedelta(seconds=5))) as reader:
        refuse_newer(reader, MIGRATIONS)
        with transaction(reader, "BEGIN", utc_now) as tx:
            return work(tx)


def _need_room(path: Path) -> None:
    with typed_file_errors():
        if shutil.disk_usage(path.parent).free < _ROOM_TO_COMPACT * path.stat().st_size:
            raise StorageFull("no room to write the database anew")


def _vacuum(tx: Tx) -> None:
    with _between_transactions(tx):
        tx.db.execute("VACUUM")


@contextmanager
def _between_transactions(tx: Tx) -> Iterator[None]:
    """End the writer's transaction for what SQLite does in none, and begin another after it."""
    tx.db.execute("COMMIT")
    try:
        yield
    finally:
        tx.db.execute("BEGIN")


def _open_writer(
    path: Path, clock: Clock, patience: timedelta, migrations: Migrations
) -> sqlite_utils.Database:
    with typed_errors(), typed_file_errors():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives the -wal and -shm files the rights of the file itself.
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        writer = _connect(path.resolve().as_uri(), patience)
        try:
            for setting in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "secure_delete=ON",
                "temp_store=MEMORY",
            ):
                writer.execute(f"PRAGMA {setting}")
            upgrade(writer, migrations, lambda step: _keep_copy(path, step, clock))
        except BaseException:
            writer.close()
            raise
    return writer


def _connect(address: str, patience: timedelta) -> sqlite_utils.Database:
    connection = sqlite3.connect(
        address,
        uri=True,
        timeout=patience.total_seconds(),
        # Transactions are begun and ended here and nowhere else.
        isolation_level=None,
        check_same_thread=False,
    )
    database = sqlite_utils.Database(connection, execute_plugins=False)
    database.execute("PRAGMA foreign_keys=ON")
    return database


def _keep_copy(path: Path, step: str, clock: Clock) -> None:
    name = f"before-{step}-{clock():%Y%m%dT%H%M%SZ}{SUFFIX}"
    back_up(path, path.parent / BACKUPS / name)
