"""What can go wrong with what must not be lost, as types; no message holds a person's data."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


class StorageError(Exception):
    """Something failed and nothing was changed: every write is whole or not there."""


class StorageDown(StorageError):
    """Nothing can be read or written now, whatever it is; later it may."""


class StorageBusy(StorageDown):
    """Another process holds the database; trying again later can help."""


class StorageFull(StorageDown):
    """The disk, or the room given to the database, is full."""


class StorageBroken(StorageDown):
    """The file is damaged, is no database of ours, or cannot be opened."""


class StorageTooNew(StorageError):
    """The database was written by a newer version of this program."""


class StorageClosed(StorageDown):
    """Asked after `close`."""


class BackupFailed(StorageError):
    """No backup was made: the target exists, or the copy did not pass its check."""


class ImageLost(StorageError):
    """One image cannot be had; all else can."""


class ImageKeyWrong(ImageLost):
    """The key is malformed, missing beside existing images, or not the one an image needs."""


class ImageDamaged(ImageLost):
    """An image file cannot be read, or was cut, altered or swapped for another."""


class ImageGone(ImageLost):
    """There is no such image, or no longer."""


class CaseGone(StorageError):
    """There is no such case, or its contents were erased."""


class LeaseLost(StorageError):
    """The case is held by another worker, or by nobody."""


class IllegalStep(StorageError):
    """A case cannot go from `before` to `after`."""

    def __init__(self, before: str, after: str) -> None:
        super().__init__(f"{before} -> {after}")
        self.before = before
        self.after = after


_KINDS: dict[int, type[StorageError]] = {
    sqlite3.SQLITE_BUSY: StorageBusy,
    sqlite3.SQLITE_LOCKED: StorageBusy,
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_CORRUPT: StorageBroken,
    sqlite3.SQLITE_NOTADB: StorageBroken,
    sqlite3.SQLITE_CANTOPEN: StorageBroken,
    sqlite3.SQLITE_READONLY: StorageBroken,
    sqlite3.SQLITE_IOERR: StorageBroken,
}
# The shared-memory file beside the WAL could not grow: SQLite calls a full disk an I/O error here.
_FULL = {sqlite3.SQLITE_IOERR_SHMSIZE}


@contextmanager
def typed_errors() -> Iterator[None]:
    """Turn what SQLite says of locks, room and damage into our types."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        # The lower byte of an extended code is the primary one (sqlite.org/rescode.html).
        kind = StorageFull if code in _FULL else _KINDS.get((code or 0) & 0xFF)
        if kind is None:
            raise
        raise kind(getattr(error, "sqlite_errorname", "")) from error


@contextmanager
def typed_file_errors() -> Iterator[None]:
    """Turn what the file system says of room and rights into our types."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (StorageFull if full else StorageBroken)(error.strerror) from error
