"""Gives free memory back to the system, which the C library keeps after a crowd has gone.

glibc keeps what is freed: its thresholds for mappings and for trimming rise with the largest
picture freed, in a heap for each of some threads (mallopt(3)). Low thresholds would cost a crowd
seconds of page faults; giving back now and then costs it nothing.
"""

import asyncio
import ctypes
from collections.abc import Callable

EVERY_SECONDS = 10.0
_ARENA_MAX = -8  # M_ARENA_MAX in malloc.h


def share_one_heap() -> None:
    """Let no thread have a heap of its own: of those, malloc_trim(3) leaves the top."""
    _glibc("mallopt")(_ARENA_MAX, 1)


def give_back() -> None:
    """Return what is free (malloc_trim(3))."""
    _glibc("malloc_trim")(0)


async def keep_small() -> None:
    """Give back now and then, until cancelled."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await asyncio.to_thread(give_back)


def _glibc(name: str) -> Callable[..., object]:
    """Find a function of glibc; where there is another C library, what does nothing."""
    found: Callable[..., object] = getattr(ctypes.CDLL(None), name, lambda *_: None)
    return found
