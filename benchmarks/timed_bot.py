"""`run_bot.py` with a stopwatch round every transaction; the sums survive `kill -9`.

Run as a program by `broadcast.py`, which names the file for the sums in `DATABASE_TIMES`.
"""

import mmap
import os
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

sys.path.insert(0, str(Path(__file__).parents[1]))

import run_bot
from storage import database
from storage.clock import Clock
from storage.transaction import Tx, transaction

# Seconds, of these on the processor, and number of the transactions that write and that only read.
SUMS = struct.Struct("ddqddq")
VARIABLE = "DATABASE_TIMES"


class Stopwatch:
    """Adds up in a file that the kernel keeps when the process is killed."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(SUMS.size))
        with path.open("r+b") as file:
            self._sums = mmap.mmap(file.fileno(), SUMS.size)
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self, db: Database, begin: str, clock: Clock) -> Iterator[Tx]:
        """Time a transaction from its begin to its commit."""
        started, worked = time.perf_counter(), time.thread_time()
        try:
            with transaction(db, begin, clock) as tx:
                yield tx
        finally:
            took = (time.perf_counter() - started, time.thread_time() - worked, 1)
            self._add(took, 0 if "IMMEDIATE" in begin else len(took))

    def _add(self, took: tuple[float, float, int], first: int) -> None:
        with self._lock:
            sums = list(SUMS.unpack(self._sums[:]))
            for index, each in enumerate(took, first):
                sums[index] += each
            self._sums[:] = SUMS.pack(*sums)


if __name__ == "__main__":
    stopwatch = Stopwatch(Path(os.environ[VARIABLE]))
    database.transaction = stopwatch.transaction  # type: ignore[attr-defined] # a stopwatch
    run_bot.app()
