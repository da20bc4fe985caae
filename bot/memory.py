"""Gives free memory back to the system, which the C library keeps after a crowd has gone.

glibc keeps what is freed: its thresholds for mappings and for trimming rise with the largest
picture freed, in a heap for each of some threads (mallopt(3)). Low thresholds would cost a crowd
seconds of page faults. So they are high, and all is given back now and then.
"""

import asyncio
import ctypes
from collections.abc import Callable

MEGABYTE = 1 << 20
EVERY_SECONDS = 10.0
# As malloc.h has them; the largest threshold for mappings that glibc takes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST_IN_HEAP, _KEPT = 32 * MEGABYTE, 128 * MEGABYTE


def share_one_heap() -> None:
    """Use one heap for all threads, as malloc_trim(3) trims no other to the top; keep pages."""
    mallopt = _glibc("mallopt")
    mallopt(_ARENA_MAX, 1)
    mallopt(_MMAP_THRESHOLD, _LARGEST_IN_HEAP)
    mallopt(_TRIM_THRESHOLD, _KEPT)


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
