"""Tells the loops that there is work, so that nobody has to wait for the clock."""

import asyncio
from datetime import datetime


class Wake:
    """A bell for each loop: the cases, announcements, the outbox, the doctors' verdicts."""

    def __init__(self) -> None:
        self.cases = asyncio.Event()
        self.broadcasts = asyncio.Event()
        self.outbox = asyncio.Event()
        self.verdicts = asyncio.Event()

    def answers(self) -> None:
        """Ring for what patients wait for: the cases and the outbox."""
        self.cases.set()
        self.outbox.set()

    def all(self) -> None:
        """Ring all of them."""
        self.answers()
        self.broadcasts.set()
        self.verdicts.set()


async def rest(bell: asyncio.Event, until: datetime | None, now: datetime, longest: float) -> None:
    """Wait for the bell, for a time, or for `longest` seconds, whatever comes first."""
    seconds = longest if until is None else min(longest, max(0.0, (until - now).total_seconds()))
    try:
        # Not `wait_for`, which may swallow that its caller is cancelled (Python 3.11).
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return
    finally:
        bell.clear()
