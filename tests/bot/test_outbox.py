import asyncio
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from telegram import Bot
from telegram.error import InvalidToken, NetworkError, RetryAfter, TelegramError, TimedOut

from bot import outbox, pace
from bot.context import Services
from bot.models import Models
from bot.outbox import Outbox, surely_not_sent
from bot.pace import Pace
from bot.say import say
from bot.sending import Messenger
from bot.settings import load_settings
from bot.wake import Wake
from storage import Storage


def caused(error: TelegramError, cause: Exception | None) -> TelegramError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        NetworkError("Bad Gateway"),
        InvalidToken("Not Found"),
        caused(NetworkError("Bad Gateway (502). Parsing failed"), TelegramError("unreadable")),
        caused(NetworkError("no way"), httpx.ConnectError("refused")),
        caused(TimedOut(), httpx.ConnectTimeout("late")),
        caused(TimedOut(), httpx.PoolTimeout("busy")),
    ],
)
def test_what_never_reached_telegram_or_was_refused_is_sent_again(error: TelegramError) -> None:
    assert surely_not_sent(error)


@pytest.mark.parametrize(
    "error",
    [
        # A gateway that gave up waiting; see `Request`.
        TimedOut(),
        caused(TimedOut(), httpx.ReadTimeout("late")),
        caused(NetworkError("cut"), httpx.RemoteProtocolError("cut")),
        caused(NetworkError("cut"), httpx.ReadError("cut")),
        # An answer that says yes, perhaps, if it could be read.
        caused(TelegramError("Invalid server response"), ValueError("no JSON")),
        caused(NetworkError("Unknown error in HTTP implementation"), RuntimeError("?")),
    ],
)
def test_what_may_have_arrived_is_not_sent_again(error: TelegramError) -> None:
    assert not surely_not_sent(error)


def test_telegrams_wish_for_a_pause_is_no_doubt() -> None:
    assert surely_not_sent(RetryAfter(3))


class Telegram:
    """Takes a message at once."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    async def send_message(self, **_: Any) -> SimpleNamespace:
        self.heard.set()
        return SimpleNamespace(message_id=1)


async def test_room_that_comes_between_two_looks_is_not_slept_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody was just told that there is none when it comes."""
    clock = SimpleNamespace(now=1000.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(outbox, "LONGEST_REST", 60.0)

    class Full(Pace):
        def room(self) -> int:
            room = super().room()
            clock.now += 0 if room else 1
            return room

    keeper, telegram = Full(), Telegram()
    for chat in range(pace.TOGETHER):
        keeper.count(chat)
        keeper.land()
    settings = load_settings(token="1:t", data_dir=tmp_path)
    async with await Storage.open(tmp_path) as storage:
        await storage.write(say, "greeting", 9, "Hello")
        services = Services(settings, storage, Wake(), cast(Models, None))
        box = Outbox(Messenger(cast(Bot, telegram), services, {}), services, keeper)
        sending = asyncio.create_task(box.run())
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                await telegram.heard.wait()
        sending.cancel()
        await asyncio.wait([sending])
    assert telegram.heard.is_set()
