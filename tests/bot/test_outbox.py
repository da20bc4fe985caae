import httpx
import pytest
from telegram.error import InvalidToken, NetworkError, RetryAfter, TelegramError, TimedOut

from bot.outbox import surely_not_sent


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
