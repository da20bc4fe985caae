"""The parent's hold on one child: started, asked, timed, ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from struct import pack
from typing import BinaryIO

from classifier.reading.limits import (
    CROWDED,
    MAX_SLICES,
    MAX_STUDY_BYTES,
    MIB,
    SECONDS_PER_FILE,
    SECONDS_PER_FRAME,
    START_SECONDS,
    seconds_for,
)
from classifier.reading.scan import Scan
from classifier.reading.wire import BrokenChild, End, Message, receive
from classifier.refusals import Refusal, RefusalReason

_ENVIRONMENT = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Pages that the kernel need not zero anew for each slice (mallopt(3)).
    "MALLOC_MMAP_THRESHOLD_": str(32 * MIB),
    "MALLOC_TRIM_THRESHOLD_": str(32 * MIB),
}
# -P keeps the working folder, which anyone may have filled, off the import path.
_COMMAND = (sys.executable, "-P", "-B", "-m", "classifier.reading.worker")

_COSTLY_ENDS = (signal.SIGKILL, signal.SIGABRT, signal.SIGPROF)

Reply = list[Message]


class Child:
    """One child process, started at once and not waited for; used by one thread at a time."""

    def __init__(self, salt: bytes) -> None:
        """Start it; `salt` keys the hash of patient numbers."""
        self._salt = salt
        self._ready = self._loaded = False
        self._idle = True
        self._connection, far = socket.socketpair()
        with far:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                _COMMAND,
                stdin=far.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it waits for a request: not dead, not over a limit, not left in mid-answer."""
        return self._idle and self._process.poll() is None

    def ask(
        self, do: str, stream: BinaryIO, members: Sequence[int] | None = None
    ) -> Iterator[Reply]:
        """Have a file, or some entries of a zip, listed, looked at or read.

        Yields one answer for the file or for each entry: some messages, the last of them an `End`
        or a `Refusal`. Raises `Refusal` with TOO_COSTLY past the limits and BROKEN after a crash.
        A child ends itself when its time on the processor is over; should it not, the clock tells.
        """
        self._idle = False
        seconds = SECONDS_PER_FILE
        if members is None:
            seconds = seconds_for(os.fstat(stream.fileno()).st_size)
        try:
            self._request(do, stream, members, seconds)
            over_limit = False
            for _ in range(1 if members is None else len(members)):
                answer = self._answer(CROWDED * seconds)
                over_limit |= _is_over_limit(answer)
                yield answer
            self._idle = not over_limit
        except TimeoutError:
            detail = f"more than {CROWDED * seconds:.0f} seconds"
            raise Refusal(RefusalReason.TOO_COSTLY, detail) from None
        except (BrokenChild, OSError):
            raise self._cause_of_death() from None

    def prepare(self, *, dicom: bool) -> None:
        """Wait for the start and, once, for the import of the DICOM decoders.

        Both have time of their own, so that a file pays only for itself. Raises RuntimeError.
        """
        self._idle = False
        try:
            if not self._ready:
                self._answer(START_SECONDS)
                self._ready = True
            if dicom and not self._loaded:
                with Path(os.devnull).open("rb") as nothing:
                    self._request("load", nothing, None, START_SECONDS)
                if isinstance(refusal := self._answer(START_SECONDS)[-1], Refusal):
                    raise RuntimeError(f"the DICOM decoders cannot be imported: {refusal.detail}")
                self._loaded = True
        except (BrokenChild, OSError):
            raise RuntimeError("the reading process does not start") from None
        self._idle = True

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._connection.close()

    def _request(
        self, do: str, stream: BinaryIO, members: Sequence[int] | None, seconds: float
    ) -> None:
        request = {"do": do, "members": members, "salt": self._salt.hex(), "seconds": seconds}
        body = json.dumps(request).encode()
        self._connection.settimeout(START_SECONDS)
        socket.send_fds(self._connection, [pack("<I", len(body))], [stream.fileno()])
        self._connection.sendall(body)

    def _answer(self, seconds: float) -> Reply:
        messages: Reply = []
        deadline = time.monotonic() + seconds
        room = MAX_STUDY_BYTES
        while not messages or not isinstance(messages[-1], End | Refusal):
            messages.append(receive(self._connection, deadline))
            deadline += CROWDED * SECONDS_PER_FRAME
            room -= messages[-1].pixels.nbytes if isinstance(messages[-1], Scan) else 0
            if room < 0 or len(messages) > MAX_SLICES + 1:
                raise BrokenChild
        return messages

    def _cause_of_death(self) -> Refusal:
        """Guess from the signal: out of memory it is SIGKILL or abort(3), out of time SIGPROF."""
        with suppress(subprocess.TimeoutExpired):
            if -self._process.wait(timeout=0.5) in _COSTLY_ENDS:
                return Refusal(RefusalReason.TOO_COSTLY, "the decoder was stopped")
        return Refusal(RefusalReason.BROKEN, "the decoder crashed")


def _is_over_limit(answer: Reply) -> bool:
    """Tell whether memory ran out, after which a process had better not go on."""
    last = answer[-1]
    return isinstance(last, Refusal) and last.reason is RefusalReason.TOO_COSTLY
