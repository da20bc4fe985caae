"""Telegram's pace: how many messages a bot may send, overall and to one chat."""

import math
from dataclasses import dataclass, field

from bot.sandbox.clock import Clock
from bot.sandbox.errors import too_many

_COUNTED = ("send", "copy", "forward", "edit")
_FREE = "sendchataction"


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float

    def refill(self, now: float, rate: float, most: float) -> None:
        self.left = min(most, self.left + (now - self.at) * rate)
        self.at = now


@dataclass(slots=True)
class Flood:
    """Refuses what comes faster than `overall` a second or `per_chat` a second to one chat.

    Telegram publishes about 30 and 1, and lets short bursts pass.
    """

    clock: Clock
    overall: float = 30.0
    per_chat: float = 1.0
    burst: float = 3.0
    _all: _Bucket = field(init=False)
    _chats: dict[int, _Bucket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._all = _Bucket(self.overall, self.clock.now())

    def check(self, method: str, chat_id: int | None) -> None:
        """Count a call; ApiError 429 if it came too soon."""
        if chat_id is None or method == _FREE or not method.startswith(_COUNTED):
            return
        now = self.clock.now()
        chat = self._chats.setdefault(chat_id, _Bucket(self.burst, now))
        chat.refill(now, self.per_chat, self.burst)
        self._all.refill(now, self.overall, self.overall)
        for bucket, rate in ((chat, self.per_chat), (self._all, self.overall)):
            if bucket.left < 1:
                raise too_many(max(1, math.ceil((1 - bucket.left) / rate)))
        chat.left -= 1
        self._all.left -= 1
