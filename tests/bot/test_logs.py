import io
import logging

import httpx
import pytest

from bot.logs import ScrubbingFormatter

TOKEN = "123456:AAbbCCddEEffGGhhIIjjKKll"


@pytest.fixture
def log() -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ScrubbingFormatter([TOKEN, "hook-secret"]))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger, stream


def test_a_message_never_shows_a_secret(log: tuple[logging.Logger, io.StringIO]) -> None:
    log[0].warning("token %s and %s", TOKEN, "hook-secret")
    assert TOKEN not in log[1].getvalue()
    assert "hook-secret" not in log[1].getvalue()
    assert log[1].getvalue().count("<secret>") == 2


async def test_an_http_error_with_the_token_in_its_url_is_scrubbed(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    try:
        async with httpx.AsyncClient() as client:
            response = await client.get(f"http://127.0.0.1:9/bot{TOKEN}/getMe")
            response.raise_for_status()
    except httpx.HTTPError:
        log[0].exception("could not reach http://127.0.0.1:9/bot%s/getMe", TOKEN)
    shown = log[1].getvalue()
    assert "Traceback" in shown
    assert TOKEN not in shown


def test_another_bots_token_in_a_url_is_scrubbed_too(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    log[0].warning("https://api.telegram.org/bot999:ZZZZZZZZZZ/sendPhoto")
    assert "ZZZZ" not in log[1].getvalue()
