"""What can be made to go wrong between the bot and Telegram."""

import random
from dataclasses import dataclass

from bot.sandbox.errors import BLOCKED, ApiError, Json, too_many

ANY = "*"
_DESCRIPTIONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: BLOCKED,
    409: "Conflict",
    500: "Internal Server Error",
    502: "Bad Gateway",
    504: "Gateway Timeout",
}


@dataclass(slots=True, kw_only=True)
class Fault:
    """Goes off `times` times for calls that fit (`*`: any method but getUpdates).

    `delay` seconds pass first. Then a `code` is answered, or the connection is dropped; with
    `after` the call is carried out all the same, only its answer is lost. `share` is the
    probability that a fitting call is hit.
    """

    method: str = ANY
    chat_id: int | None = None
    code: int = 0
    description: str = ""
    retry_after: int = 0
    drop: bool = False
    delay: float = 0.0
    after: bool = False
    times: int = 1
    share: float = 1.0

    def fits(self, method: str, chat_id: int | None) -> bool:
        """Tell whether a call can be hit."""
        named = self.method.lower() == method or (self.method == ANY and method != "getupdates")
        return named and self.times > 0 and self.chat_id in (None, chat_id)

    def error(self) -> ApiError | None:
        """Return the answer to give, if it is one."""
        if self.retry_after or self.code == 429:
            return too_many(self.retry_after or 1)
        if not self.code:
            return None
        text = self.description or _DESCRIPTIONS.get(self.code, "Internal Server Error")
        return ApiError(self.code, text)


class Faults:
    """The faults in wait, first come first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        # The same faults hit the same calls in every run.
        self._chance = random.Random(0)

    def add(self, fields: Json) -> None:
        """Set one up; an unknown field raises TypeError."""
        self._waiting.append(Fault(**fields))

    def clear(self) -> None:
        """Let everything work again."""
        self._waiting.clear()

    def take(self, method: str, chat_id: int | None) -> Fault | None:
        """Return what hits this call."""
        for fault in self._waiting:
            if fault.fits(method, chat_id) and self._chance.random() < fault.share:
                fault.times -= 1
                if not fault.times:
                    self._waiting.remove(fault)
                return fault
        return None
