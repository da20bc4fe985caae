"""Gives free memory back to the system, which the C library keeps after a crowd has gone.

glibc has a heap for each of some threads and keeps what was freed in them: its thresholds for
mappings and for trimming rise with the largest picture freed (mallopt(3)). Lower thresholds would
cost a crowd seconds of page faults; giving back now and then costs it nothing.
"""

import asyncio
import ctypes

EVERY_SECONDS = 10.0


def give_back() -> None:
    """Return the free pages of all heaps (malloc_trim(3)); nothing where there is no glibc."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def keep_small() -> None:
    """Give back now and then, until cancelled."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await asyncio.to_thread(give_back)
