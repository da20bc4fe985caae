import io
import json
import logging
import sys
from collections.abc import Iterator

import httpx
import pytest
from telegram.error import TelegramError

from bot.connection import Request
from bot.logs import JsonFormatter, ScrubbingFormatter, set_up_logs

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


def test_json_is_one_scrubbed_object_a_line() -> None:
    stream, secret = io.StringIO(), 'a"quoted\\secret'
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter([secret]))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError(f"about {secret}")
    except ValueError:
        logger.exception("图片 %s\nsecond line", secret)
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"]) == ("ERROR", "test")
    assert told["time"].endswith("+00:00")
    assert told["message"].startswith("图片 <secret>\nsecond line\nTraceback")
    assert "quoted" not in line


@pytest.fixture
def all_logs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Set up all logs, and afterwards as they were."""
    root, request = logging.getLogger(), logging.getLogger("telegram.request")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    handlers, level, others = root.handlers[:], root.level, request.level
    set_up_logs([TOKEN])
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    request.setLevel(others)


def test_what_telegram_answers_is_in_no_log_even_if_it_cannot_be_read(
    all_logs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TelegramError):
        Request.parse_json_payload(b'{"text": "word-of-a-patient"')
    logging.getLogger("bot").warning("something else")
    said = capsys.readouterr().err
    assert "something else" in said and "word-of-a-patient" not in said
