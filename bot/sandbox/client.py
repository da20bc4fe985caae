"""What a test says: people who send, tap and hear, told as a story.

async with Sandbox() as sandbox, Sim(sandbox.url) as sim:
    ann = sim.user(1, language="en")
    await ann.starts()
    await ann.taps("I agree")
    await ann.sends_photo(picture)
    answer = await ann.hears_photo()
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from bot.sandbox.errors import Json
from bot.sandbox.heard import Button, Called, Heard, Toast
from bot.sandbox.person import PATIENCE, User
from bot.sandbox.wire import Refused, Wire

__all__ = ["Button", "Called", "Heard", "Refused", "Sim", "Toast", "User"]


class Sim:
    """The control interface."""

    def __init__(self, url: str) -> None:
        """Talk to the sandbox at its `url`."""
        self._wire = Wire(url)
        self._people: dict[int, User] = {}

    async def __aenter__(self) -> Self:
        """Open the connections."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._wire.close()

    def user(self, number: int, *, name: str = "", language: str = "") -> User:
        """Return a person, the same object for the same number; made up at the first act."""
        person = self._people.setdefault(number, User(self._wire, number))
        person.introduce(name, language)
        return person

    async def add_users(
        self, numbers: Iterable[int], *, language: str = "en", started: bool = True
    ) -> None:
        """Make many people up at once; the bot may write to those who `started`."""
        fields = {"language_code": language, "started": started}
        await self._wire.post("/sim/users", {"users": [{"id": n} | fields for n in numbers]})

    async def add_group(self, number: int, members: Sequence[int], title: str = "Group") -> None:
        """Make a group (a negative number) with people and the bot in it."""
        await self._wire.post(
            "/sim/groups", {"id": number, "members": list(members), "title": title}
        )

    async def fault(
        self,
        method: str = "*",
        *,
        code: int = 0,
        description: str = "",
        retry_after: int = 0,
        drop: bool = False,
        after: bool = False,
        delay: float = 0.0,
        times: int = 1,
        share: float = 1.0,
        chat_id: int | None = None,
    ) -> None:
        """Let calls go wrong; see `faults.Fault`. The method `download` is the file itself."""
        fields = {
            "method": method,
            "code": code,
            "description": description,
            "retry_after": retry_after,
            "drop": drop,
            "after": after,
            "delay": delay,
            "times": times,
            "share": share,
            "chat_id": chat_id,
        }
        await self._wire.post("/sim/faults", fields)

    async def clear_faults(self) -> None:
        """Let everything work again."""
        await self._wire.ask("DELETE", "/sim/faults")

    async def release(self) -> None:
        """Let go on what a fault delays, now or from its next call."""
        await self._wire.post("/sim/faults/release", {})

    async def keep_pace(self, overall: float = 30, per_chat: float = 1, burst: float = 3) -> None:
        """Answer 429 to what comes faster (messages a second), as Telegram does; until a reset."""
        fields = {"overall": overall, "per_chat": per_chat, "burst": burst}
        await self._wire.post("/sim/flood", fields)

    async def advance(self, seconds: float) -> None:
        """Let time pass for Telegram."""
        await self._wire.post("/sim/clock", {"advance": seconds})

    async def reset(self) -> None:
        """Forget everything, a moved clock too, but what the bot set up for itself."""
        await self._wire.post("/sim/reset", {})
        self._people.clear()

    async def state(self) -> Json:
        """Return the bot, and counts: users, pending_updates, calls."""
        state: Json = await self._wire.get("/sim/state")
        return state

    async def calls(self, method: str = "", after: int = 0) -> list[Called]:
        """Return what the bot called, oldest first (getUpdates is not kept)."""
        calls = await self._wire.get("/sim/outbox", {"method": method, "after": after})
        return [Called(**call) for call in calls]

    async def until(
        self, happened: Callable[[list[Called]], bool], method: str = "", within: float = PATIENCE
    ) -> list[Called]:
        """Wait until the calls of a method are as wanted, and return them."""
        deadline = time.monotonic() + within
        while not happened(calls := await self.calls(method)):
            if time.monotonic() > deadline:
                raise AssertionError(f"did not happen: {[(c.method, c.outcome) for c in calls]}")
            await asyncio.sleep(0.02)
        return calls

    async def quiet(self, seconds: float = 0.3) -> None:
        """Wait until no update waits and the bot made no call for so long."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < seconds:
            state = await self.state()
            if state["calls"] != seen or state["pending_updates"]:
                seen, since = state["calls"], time.monotonic()
            await asyncio.sleep(0.02)

    async def file(self, file_id: str) -> bytes:
        """Return a file's bytes."""
        return await self._wire.file(file_id)
