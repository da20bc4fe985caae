"""The connection to Telegram, or to what stands in for it."""

import json
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
from telegram.error import BadRequest, RetryAfter, TimedOut
from telegram.ext import ExtBot
from telegram.request import HTTPXRequest

from bot.settings import Settings

# We wait for the server so much longer than it may wait for updates.
SPARE_SECONDS = 5
# The Bot API hands out files of at most so many MB.
LARGEST_FETCHED = 20
# A refusal is a few words.
LONGEST_REFUSAL = 4096


class Request(HTTPXRequest):
    """Tells a gateway that gave up waiting from a server that says no."""

    async def do_request(
        self, url: str, method: str, *args: Any, **kwargs: Any
    ) -> tuple[int, bytes]:
        """Ask; raises TimedOut on a 504, behind which the server may have done it all the same.

        And BadRequest on a 413, to which sending the same again gets the same answer.
        """
        code, payload = await super().do_request(url, method, *args, **kwargs)
        # What is fetched by GET is a file of somebody's.
        if code == HTTPStatus.OK and method == "POST":
            code = _refusal(payload) or code
        if code == HTTPStatus.GATEWAY_TIMEOUT:
            raise TimedOut
        if code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise BadRequest("too large")
        return code, payload


def _refusal(payload: bytes) -> int | None:
    """Give the code of a refusal that some server on the way sent on as a success."""
    if len(payload) > LONGEST_REFUSAL:
        return None
    try:
        said = json.loads(payload)
        return None if said["ok"] else int(said["error_code"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


async def updates_from(
    bot: ExtBot[None], offset: int | None, seconds: int, wanted: Sequence[str]
) -> list[dict[str, Any]]:
    """Fetch updates as they come: one that cannot be read must not cost the others.

    `get_updates` reads all or none, and logs what it could not read, patients' words among it.
    """
    asked = {"offset": offset, "timeout": seconds, "allowed_updates": wanted}
    found: list[dict[str, Any]] = await bot._post(
        "getUpdates", asked, read_timeout=seconds + SPARE_SECONDS
    )
    return found


def pause_asked(error: RetryAfter) -> timedelta:
    """Tell how long Telegram wants to be left alone."""
    pause = error.retry_after
    return pause if isinstance(pause, timedelta) else timedelta(seconds=pause)


def make_bot(settings: Settings) -> ExtBot[None]:
    """Make the connection; it is opened by `initialize` or `async with`."""
    base = settings.api_url.rstrip("/")
    # Reading all certificates takes a while: once for both.
    trusted = httpx.create_ssl_context()
    # Each call looks at every idle connection.
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
    return ExtBot(
        settings.token.get_secret_value(),
        base_url=f"{base}/bot",
        base_file_url=f"{base}/file/bot",
        local_mode=settings.local_mode,
        request=Request(
            connection_pool_size=64,
            pool_timeout=30,
            media_write_timeout=60,
            httpx_kwargs={"verify": trusted, "limits": limits},
        ),
        get_updates_request=Request(connection_pool_size=1, httpx_kwargs={"verify": trusted}),
    )
