"""The storage as the rest of the product holds it: one object, opened once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from storage import erasure, outbox, work
from storage.clock import Clock, utc_now
from storage.database import Database
from storage.images import Images
from storage.keys import load_key
from storage.transaction import Tx

P = ParamSpec("P")
T = TypeVar("T")

DATABASE = "bot.sqlite3"
IMAGES = "images"


@dataclass(frozen=True, slots=True)
class Found:
    """What the process before left behind."""

    unknown: int
    again: int
    leases: int
    strays: int


class Storage:
    """Database and images of one data dir; an async context manager.

    Functions of this package whose first argument is a `Tx` run through it. Alone:
    `await storage.write(outbox.sent, row.id, message_id)`; several as one:
    `await storage.write(take_in, update)` with a function of your own that calls them.
    """

    def __init__(self, database: Database, images: Images) -> None:
        self.database = database
        self.images = images

    @classmethod
    async def open(
        cls, data_dir: Path, *, image_key: str | None = None, clock: Clock = utc_now
    ) -> Self:
        """Open or make a data dir; raises StorageError."""
        key = load_key(data_dir, image_key)
        database = await Database.open(data_dir / DATABASE, clock=clock)
        return cls(database, Images(database, data_dir / IMAGES, key))

    async def write(
        self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(tx, ...)` in a transaction of its own and give its answer; all or nothing."""
        return await self.database.write(work, *args, **kwargs)

    async def read(
        self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(tx, ...)` on one unchanging view of the database; it cannot write."""
        return await self.database.read(work, *args, **kwargs)

    async def recover(self) -> Found:
        """Sort out what the process before left; once, at the start of the one that may write."""

        def sort_out(tx: Tx) -> tuple[outbox.Recovered, int]:
            return outbox.recover(tx), work.release_all(tx)

        left, leases = await self.write(sort_out)
        strays = await self.images.sweep()
        return Found(left.unknown, left.again, leases, strays)

    async def erase(
        self, step: Callable[Concatenate[Tx, P], erasure.Erased], *args: P.args, **kwargs: P.kwargs
    ) -> erasure.Erased:
        """Run a transaction that erases, and delete the files of the images it names.

        `database.scrub` takes the bytes of it out of the log, `compact` the last out of the file.
        """
        erased = await self.database.write(step, *args, **kwargs)
        await self.images.unlink(erased.images)
        return erased

    async def expire(self, before: datetime) -> int:
        """Erase images and texts received before a time; gives the number of cases. For each hour.

        Finishes, too, what a crash or a full disk left undone of earlier erasing.
        """
        cases = 0
        while (erased := await self.erase(erasure.expire, before)).cases:
            cases += erased.cases
        await self.write(outbox.prune, before)
        await self.images.sweep()
        await self.compact()
        return cases

    async def compact(self) -> None:
        """Take the last bytes of what was erased out of the file, if anything was."""
        known = await self.read(erasure.remnants)
        if known and await self.database.compact():
            await self.write(erasure.written_anew, known)

    async def backup(self, target: Path) -> None:
        """Write a checked copy of the database; raises BackupFailed."""
        await self.database.backup(target)

    async def close(self) -> None:
        """Finish the writes already asked for and let go of the files."""
        await self.database.close()

    async def __aenter__(self) -> Self:
        """Give itself: it is open already."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()
