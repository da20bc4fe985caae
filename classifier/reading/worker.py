"""The child that decodes: `python -m classifier.reading.worker`, a socket as its standard input.

A request is a length, a JSON object and an open file; it is answered by one or more items, each of
them some messages and how it ended.
"""

import json
import os
import resource
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

from classifier.reading.archive import list_zip, open_zip, read_entry
from classifier.reading.detect import HEAD_BYTES, detect
from classifier.reading.limits import (
    CROWDED,
    MAX_FILE_BYTES,
    MEMORY_BYTES,
    SECONDS_PER_FRAME,
)
from classifier.reading.picture import read_picture
from classifier.reading.scan import FileKind, Scan
from classifier.reading.series import FileLook
from classifier.reading.wire import End, Message, send
from classifier.refusals import Refusal, RefusalReason

# A header longer than this is inflated a second time, with its pixels.
_HEADER_BYTES = 32 * 1024
_OPEN_FILES = 64

Item = Iterator[Message]


def main() -> None:
    """Serve requests until the parent is gone."""
    # An interrupt from the keyboard is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_self()
    with suppress(OSError), socket.socket(fileno=0) as connection:
        send(connection, End())
        while request := _receive(connection):
            serve(connection, *request)


def limit_self() -> None:
    """Give up, for good, what decoding does not need (setrlimit(2))."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    space = pages * resource.getpagesize() + MEMORY_BYTES
    for kind, limit in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (limit, limit))


def _receive(connection: socket.socket) -> tuple[dict[str, Any], BinaryIO] | None:
    _limit_time(0)
    length, descriptors, _, _ = socket.recv_fds(connection, 4, 1)
    if len(length) < 4 or not descriptors:
        return None
    (size,) = struct.unpack("<I", length)
    request = json.loads(connection.recv(size, socket.MSG_WAITALL))
    return request, os.fdopen(descriptors[0], "rb")


def serve(connection: socket.socket, request: dict[str, Any], stream: BinaryIO) -> None:
    """Answer one request about one open file."""
    with stream:
        for item in _items(request, stream):
            _limit_time(request["seconds"])
            _answer(connection, item)


def _limit_time(seconds: float) -> None:
    """Have the kernel end this process after so long on the processor; 0 for no limit.

    And if a decoder hangs and no parent is left to kill it; PR_SET_PDEATHSIG is no help: it fires
    when the thread that started the child ends.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 2 * CROWDED * seconds)


def _answer(connection: socket.socket, item: Item) -> None:
    try:
        for message in item:
            send(connection, message)
            left, _ = signal.getitimer(signal.ITIMER_PROF)
            _limit_time(left + SECONDS_PER_FRAME)
        last: Message = End()
    except Refusal as refusal:
        last = refusal
    except OSError:
        raise
    # A decoder written in Rust panics with a BaseException, and that must not end the child.
    except BaseException as error:
        last = Refusal(RefusalReason.BROKEN, type(error).__name__)
    send(connection, last)


def _items(request: dict[str, Any], stream: BinaryIO) -> Iterator[Item]:
    salt = bytes.fromhex(request["salt"])
    opened = cache(partial(open_zip, stream))
    members = request["members"]
    match request["do"]:
        case "load":
            yield _load()
        case "list":
            yield _list(opened)
        case "look" if members is None:
            yield _look_alone(stream, salt)
        case "look":
            yield from (_look_inside(opened, member, salt) for member in members)
        case "read" if members is None:
            yield _read(stream, salt)
        case "read":
            yield from (_read_inside(opened, member, salt) for member in members)


def _load() -> Item:
    """Import pydicom and its decoders before the clock of a file runs; most pictures never do."""
    import classifier.reading.dicom  # noqa: F401  # imported for its time

    yield from ()


def _list(opened: Callable[[], ZipFile]) -> Item:
    yield list_zip(opened())


def _look(stream: BinaryIO, salt: bytes) -> FileLook:
    from classifier.reading.dicom import look_at_dicom

    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    kind = detect(head)
    if kind is None:
        raise Refusal(RefusalReason.UNKNOWN_TYPE)
    return look_at_dicom(stream, salt) if kind is FileKind.DICOM else FileLook(kind)


def _look_alone(stream: BinaryIO, salt: bytes) -> Item:
    yield _look(stream, salt)


def _look_inside(opened: Callable[[], ZipFile], member: int, salt: bytes) -> Item:
    head = read_entry(opened(), member, _HEADER_BYTES)
    is_all = len(head) < _HEADER_BYTES
    try:
        said = _look(BytesIO(head), salt)
    except Refusal:
        if is_all:
            raise
    else:
        if is_all or said.frames:
            yield said
            return
    yield _look(BytesIO(read_entry(opened(), member)), salt)


def _read(stream: BinaryIO, salt: bytes) -> Item:
    data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise Refusal(RefusalReason.TOO_LARGE, f"more than {MAX_FILE_BYTES} bytes")
    yield from _scans(data, salt)


def _read_inside(opened: Callable[[], ZipFile], member: int, salt: bytes) -> Item:
    yield from _scans(read_entry(opened(), member), salt)


def _scans(data: bytes, salt: bytes) -> Iterator[Scan]:
    if detect(data[:HEAD_BYTES]) is not FileKind.DICOM:
        yield read_picture(data)
        return
    from classifier.reading.dicom import iterate_dicom

    yield from iterate_dicom(data, salt)


if __name__ == "__main__":
    main()
