"""Copies of the database, and how erasing reaches them.

A backup holds what the database held when it was made: people, texts, cases, findings. It holds no
image: those are files beside the database, so erasing an image erases it everywhere at once.
What `/forget`, "delete this" or retention erased later is still in a backup, and therefore **no
backup may become older than the retention period**: `prune_backups` deletes those that are. So
what a person erased is gone from all backups after at most `RETENTION_DAYS`. Copies carried
elsewhere by hand, and copies of the image folder, follow the same rule, by hand. After restoring a
backup, people who asked to be forgotten since it was made have to be forgotten again.
"""

import os
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from storage.clock import utc_now
from storage.errors import BackupFailed, typed_errors, typed_file_errors
from storage.sync import sync

SUFFIX = ".sqlite3"


def back_up(source: Path, target: Path) -> None:
    """Copy a database that may be in use to a new, checked file; raises BackupFailed."""
    if target.exists():
        raise BackupFailed("the target exists")
    partial = target.with_name(target.name + ".part")
    try:
        with typed_errors(), typed_file_errors():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            # VACUUM INTO takes an empty file as well as none: this way nobody else may read it.
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with closing(sqlite3.connect(read_only(source), uri=True)) as connection:
                connection.execute("PRAGMA busy_timeout=5000")
                connection.execute("VACUUM INTO ?", (str(partial),))
            verify(partial)
            sync(partial)
            partial.rename(target)
            sync(target.parent)
    finally:
        # Where nothing may be written nothing can be deleted, and that is no news.
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def verify(path: Path) -> None:
    """Open a backup and look through all of it; raises BackupFailed."""
    try:
        with closing(sqlite3.connect(read_only(path), uri=True)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            strays = connection.execute("PRAGMA foreign_key_check").fetchall()
            known = connection.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupFailed(getattr(error, "sqlite_errorname", "unreadable")) from error
    if found != ["ok"] or strays or not known:
        raise BackupFailed("the copy is damaged")


def prune_backups(folder: Path, before: datetime) -> int:
    """Delete the backups of `folder` written before a time; gives how many there were."""
    old = [
        path
        for pattern in (f"*{SUFFIX}", f"*{SUFFIX}.part")
        for path in folder.glob(pattern)
        if _written(path) < before.timestamp()
    ]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def keep_newest(folder: Path, pattern: str, count: int) -> None:
    """Delete all but the newest `count` of the backups that fit a pattern."""
    for path in sorted(folder.glob(pattern), key=lambda each: (_written(each), each.name))[:-count]:
        path.unlink(missing_ok=True)


def _written(path: Path) -> float:
    """Tell when a backup was written; one dated by a clock that was ahead ages from now on."""
    written, now = path.stat().st_mtime, utc_now().timestamp()
    if written > now:
        # One that somebody else owns stays as it is, and keeps nothing else from being deleted.
        with suppress(OSError):
            os.utime(path, (now, now))
    return min(written, now)


def read_only(path: Path) -> str:
    """Give the address under which SQLite opens a file without writing to it."""
    return f"{path.resolve().as_uri()}?mode=ro"
