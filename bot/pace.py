"""Telegram's limits: 30 messages a second in all, one a second in a chat with a short burst."""

import time
from collections import deque
from datetime import UTC, datetime, timedelta

A_SECOND = 30
# So many may go out at the same moment, the next ones later for it.
TOGETHER = 3
# A progress message, its edit and the answer may follow each other at once.
BURST = 3


class Pace:
    """Says what may go out now; nothing is taken in hand before it may."""

    def __init__(self) -> None:
        # When the last place given away would be due at an even pace.
        self._last = 0.0
        # When a chat's burst would be whole again.
        self._whole: dict[int, float] = {}
        self._flying = 0
        # When those that landed within the last second did.
        self._landed: deque[float] = deque()

    def room(self) -> int:
        """Tell how many may go out now."""
        ahead = max(self._last - time.monotonic(), 0.0)
        return max(0, int(TOGETHER - ahead * A_SECOND))

    def count(self, chat: int) -> None:
        """Count one that goes out now, in all and for its chat."""
        now = time.monotonic()
        self._last = max(self._last, now) + 1 / A_SECOND
        self._whole[chat] = max(self._whole.get(chat, now), now) + 1
        self._flying += 1

    def land(self) -> None:
        """Note that one is over, whatever became of it."""
        self._flying -= 1
        self._landed.append(time.monotonic())

    def spare(self) -> bool:
        """Tell whether what can wait may go out too.

        What is under way may arrive this moment, and what landed within a second may have arrived
        just before: with those counted, no second of Telegram's has more than its limit, however
        unevenly messages travel.
        """
        since = time.monotonic() - 1
        while self._landed and self._landed[0] <= since:
            self._landed.popleft()
        return self._flying + len(self._landed) + TOGETHER <= A_SECOND

    def stop_all(self, wait: timedelta) -> None:
        """Send nothing for a while, because Telegram says so."""
        until = time.monotonic() + wait.total_seconds()
        self._last = max(self._last, until + TOGETHER / A_SECOND)

    def resting(self) -> tuple[int, ...]:
        """Name the chats that have used up their burst, and forget those that are whole again."""
        now = time.monotonic()
        self._whole = {chat: whole for chat, whole in self._whole.items() if whole > now}
        return tuple(chat for chat, whole in self._whole.items() if whole - now > BURST - 1)

    def earliest(self) -> datetime | None:
        """Tell when there is room again, or else when more may go out than now."""
        now = time.monotonic()
        if not self.room():
            return _after(self._last - now - (TOGETHER - 1) / A_SECOND)
        waits = [whole - now - (BURST - 1) for whole in self._whole.values()]
        if not self.spare() and self._landed:
            waits.append(self._landed[0] + 1 - now)
        return _after(min(later)) if (later := [wait for wait in waits if wait > 0]) else None


def _after(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
