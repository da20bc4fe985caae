"""What can be made to go wrong between the bot and Telegram."""

import asyncio
import random
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass, fields

from bot.sandbox.errors import BLOCKED, ApiError, bad_request, too_many
from bot.sandbox.given import Given

ANY = "*"
# The file itself, which no method brings.
DOWNLOAD = "download"
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

    `delay` seconds pass first, or a release comes before. Then a `code` is answered, or the
    connection is dropped; with `after` the call is carried out all the same, only its answer is
    lost. `share` is the probability that a fitting call is hit.
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


def read_fault(given: Given, methods: Container[str]) -> Fault:
    """Return what is asked for; ApiError if it could not happen, or nothing would."""
    given.only(*(field.name for field in fields(Fault)))
    fault = Fault(
        method=given.text("method", ANY),
        chat_id=given.integer("chat_id", 0) or None,
        code=given.integer("code", 0),
        description=given.text("description", ""),
        retry_after=given.integer("retry_after", 0, least=0),
        drop=given.flag("drop", False),
        delay=given.number("delay", 0.0, least=0),
        after=given.flag("after", False),
        times=given.integer("times", 1, least=1),
        share=given.number("share", 1.0, least=0),
    )
    if fault.method not in (ANY, DOWNLOAD) and fault.method.lower() not in methods:
        raise bad_request(f"there is no method {fault.method!r} that could fail")
    if fault.code and not 400 <= fault.code <= 599:
        raise bad_request("code is not from 400 to 599")
    if not 0 < fault.share <= 1:
        raise bad_request("share is not above 0 and at most 1")
    if not (fault.code or fault.retry_after or fault.drop or fault.delay):
        raise bad_request("a fault has a code, retry_after, drop or delay")
    return fault


class Faults:
    """The faults in wait, first come first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        # The same faults hit the same calls in every run.
        self._chance = random.Random(0)
        self._released = asyncio.Event()

    def add(self, fault: Fault) -> None:
        """Let one wait for its calls."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Let everything work again."""
        self._waiting.clear()

    def release(self) -> None:
        """Let no call be delayed any longer, neither those that wait nor those to come."""
        for fault in self._waiting:
            fault.delay = 0.0
        self._released.set()
        self._released = asyncio.Event()

    async def delay(self, fault: Fault) -> None:
        """Wait as long as a fault says, or until a release."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._released.wait(), fault.delay)

    def take(self, method: str, chat_id: int | None) -> Fault | None:
        """Return what hits this call."""
        for fault in self._waiting:
            if fault.fits(method, chat_id) and self._chance.random() < fault.share:
                fault.times -= 1
                if not fault.times:
                    self._waiting.remove(fault)
                return fault
        return None
