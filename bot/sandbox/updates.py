"""Updates on their way to the bot: a queue that getUpdates reads or a webhook drains."""

import asyncio
import itertools
import time
from collections import deque

from bot.sandbox.errors import OTHER_POLL, WEBHOOK_ACTIVE, ApiError, Json

LONGEST_POLL = 50
MOST_UPDATES = 100


class Updates:
    """What happened and was not yet taken; delivered in order, at least once."""

    def __init__(self) -> None:
        self._pending: deque[Json] = deque()
        # A bot that keeps its data dir must not take today's updates for yesterday's.
        self._ids = itertools.count(int(time.time()))
        self._arrived = asyncio.Event()
        self._poll: asyncio.Event | None = None
        self._allowed: frozenset[str] = frozenset()
        self.webhook_active = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def allowed(self) -> list[str]:
        """Return the kinds the bot asked for; none: all."""
        return sorted(self._allowed)

    def allow(self, kinds: list[str] | None) -> None:
        """Keep only these kinds from now on; None changes nothing."""
        if kinds is not None:
            self._allowed = frozenset(kinds)

    def push(self, kind: str, payload: Json) -> int | None:
        """Add an update and return its id; None if the bot does not want the kind."""
        if self._allowed and kind not in self._allowed:
            return None
        number = next(self._ids)
        self._pending.append({"update_id": number, kind: payload})
        self._arrived.set()
        return number

    def drop(self) -> None:
        """Forget what waits."""
        self._pending.clear()

    def confirm(self, offset: int) -> None:
        """Forget what came before `offset`; a negative one counts from the end."""
        if offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()
        while self._pending and self._pending[0]["update_id"] < offset:
            self._pending.popleft()

    async def poll(self, offset: int, limit: int, seconds: float) -> list[Json]:
        """Answer getUpdates: the oldest updates, waiting for the first; a newer poll wins."""
        if self.webhook_active:
            raise ApiError(409, WEBHOOK_ACTIVE)
        if self._poll is not None:
            self._poll.set()
        self.confirm(offset)
        beaten = self._poll = asyncio.Event()
        try:
            await self._wait(beaten, min(seconds, LONGEST_POLL))
            if beaten.is_set() and not self._closed:
                raise ApiError(409, WEBHOOK_ACTIVE if self.webhook_active else OTHER_POLL)
            return list(itertools.islice(self._pending, limit))
        finally:
            if self._poll is beaten:
                self._poll = None

    async def first(self) -> Json:
        """Return the oldest update, waiting for one."""
        while not self._pending:
            self._arrived.clear()
            await self._arrived.wait()
        return self._pending[0]

    def stop_polls(self, closed: bool = False) -> None:
        """End a poll that waits."""
        self._closed = closed
        if self._poll is not None:
            self._poll.set()

    async def _wait(self, beaten: asyncio.Event, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not self._pending and not beaten.is_set():
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            self._arrived.clear()
            waits = {asyncio.ensure_future(e.wait()) for e in (self._arrived, beaten)}
            try:
                await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
