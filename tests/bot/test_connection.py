"""What Telegram says, whatever status it comes with."""

import json

import httpx
import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.connection import Request, make_bot
from bot.settings import load_settings

URL = "http://telegram.example/bot1:a/sendMessage"


def saying(said: object) -> Request:
    """A connection to a server that says all with the status 200."""
    answer = httpx.Response(200, content=said if isinstance(said, bytes) else json.dumps(said))
    return Request(httpx_kwargs={"transport": httpx.MockTransport(lambda _: answer)})


@pytest.mark.parametrize(
    ("code", "parameters", "kind"),
    [
        (400, {}, BadRequest),
        (400, {"migrate_to_chat_id": -100}, ChatMigrated),
        (401, {}, InvalidToken),
        (403, {}, Forbidden),
        (409, {}, Conflict),
        (413, {}, BadRequest),
        (429, {"retry_after": 3}, RetryAfter),
        (502, {}, NetworkError),
        (504, {}, TimedOut),
    ],
)
async def test_a_refusal_is_one_even_if_it_comes_as_a_success(
    code: int, parameters: dict[str, int], kind: type[TelegramError]
) -> None:
    said = {"ok": False, "error_code": code, "description": "no", "parameters": parameters}
    async with saying(said) as request:
        with pytest.raises(TelegramError) as error:
            await request.post(URL)
    assert type(error.value) is kind


async def test_what_is_no_refusal_is_handed_on() -> None:
    async with saying({"ok": True, "result": [1]}) as request:
        assert await request.post(URL) == [1]


async def test_a_file_is_handed_on_whatever_is_in_it() -> None:
    file = b'{"ok": false, "error_code": 403}'
    async with saying(file) as request:
        assert await request.retrieve(URL) == file


def test_updates_are_fetched_over_the_same_kind_of_connection() -> None:
    bot = make_bot(load_settings(token="1:a"))
    assert all(type(request) is Request for request in bot._request)
