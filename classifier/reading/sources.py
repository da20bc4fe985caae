"""What the user named, as things to read: files and folders to sources."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from classifier.reading.archive import PICTURE_SUFFIXES, is_junk
from classifier.reading.detect import HEAD_BYTES, detect
from classifier.reading.limits import MAX_ARCHIVE_BYTES, MAX_FILE_BYTES
from classifier.reading.scan import FileKind
from classifier.refusals import Refusal, RefusalReason

_SUFFIXES = PICTURE_SUFFIXES | {".zip"}


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to read: a file, or the files of one CT series.

    `name` is for the files written about it and is different for each source of one call.
    """

    name: str
    paths: tuple[Path, ...]

    @property
    def path(self) -> Path:
        """The file, or the folder that holds the series."""
        return self.paths[0] if len(self.paths) == 1 else self.paths[0].parent


def expand(paths: Iterable[Path]) -> list[Path]:
    """List files, those of folders in order of their names and without junk.

    Raises `FileNotFoundError`.
    """
    files: list[Path] = []
    for path in paths:
        files.extend(_inside(path) if path.is_dir() else [path])
    for path in files:
        if not path.exists():
            raise FileNotFoundError(path)
    return list(dict.fromkeys(files))


def _inside(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if not is_junk(PurePosixPath(path.relative_to(folder))) and path.is_file()
    )


def name_apart(groups: Sequence[tuple[Path, ...]]) -> list[Source]:
    """Name each source after its file, or after its folder if it is a series."""
    used: Counter[str] = Counter()
    sources = []
    for paths in groups:
        name = _name(paths)
        used[name] += 1
        while used[name] > 1:
            name = f"{_name(paths)}-{used[name]}"
            used[name] += 1
        sources.append(Source(name, paths))
    return sources


def _name(paths: tuple[Path, ...]) -> str:
    if len(paths) > 1:
        return paths[0].resolve().parent.name or "series"
    # A UID as a name is full of dots, so only a known ending is one.
    path = paths[0]
    return path.stem if path.suffix.lower() in _SUFFIXES else path.name


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, FileKind]]:
    """Open a file whose size and first bytes are those of something that is read.

    Raises `Refusal`: BROKEN if it cannot be opened, EMPTY, TOO_LARGE, UNKNOWN_TYPE.
    """
    try:
        # Without O_NONBLOCK a named pipe would wait for its writer for ever.
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise Refusal(RefusalReason.BROKEN, type(error).__name__) from None
    with stream:
        yield stream, _kind(stream)


def kind_of(path: Path) -> FileKind | None:
    """Name the kind of a file, None if it is none we read."""
    with suppress(Refusal), opened(path) as (_, kind):
        return kind
    return None


def _kind(stream: BinaryIO) -> FileKind:
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise Refusal(RefusalReason.UNKNOWN_TYPE, "not a file")
    if status.st_size == 0:
        raise Refusal(RefusalReason.EMPTY)
    kind = detect(os.pread(stream.fileno(), HEAD_BYTES, 0))
    if kind is None:
        raise Refusal(RefusalReason.UNKNOWN_TYPE)
    limit = MAX_ARCHIVE_BYTES if kind is FileKind.ZIP else MAX_FILE_BYTES
    if status.st_size > limit:
        raise Refusal(RefusalReason.TOO_LARGE, f"more than {limit} bytes")
    return kind
