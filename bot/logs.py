"""Logs without secrets: whatever is written, a token never is."""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType

from bot.settings import LogFormat

HIDDEN = "<secret>"
# The Bot API carries its token in the path, so that every HTTP error names it.
TOKEN_IN_URL = re.compile(r"/bot\d*:?[A-Za-z0-9_:-]{6,}")


class ScrubbingFormatter(logging.Formatter):
    """Formats a record, its exception and its stack, and then takes the secrets out."""

    def __init__(
        self, secrets: Iterable[str], form: str = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    ) -> None:
        super().__init__(form)
        known = sorted(filter(None, secrets), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def format(self, record: logging.LogRecord) -> str:
        """Format and scrub."""
        text = super().format(record)
        if self._known:
            text = self._known.sub(HIDDEN, text)
        return TOKEN_IN_URL.sub(f"/bot{HIDDEN}", text)


class JsonFormatter(ScrubbingFormatter):
    """Writes one object a line; `message` holds the exception and its stack too."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__(secrets, "%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Format, scrub, and only then put in quotes, behind which a secret could hide."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": super().format(record),
        }
        return json.dumps(line, ensure_ascii=False)


FORMATTERS: dict[LogFormat, type[ScrubbingFormatter]] = {
    LogFormat.TEXT: ScrubbingFormatter,
    LogFormat.JSON: JsonFormatter,
}


def set_up_logs(secrets: Iterable[str], form: LogFormat = LogFormat.TEXT) -> None:
    """Send all logs to standard error, scrubbed."""
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATTERS[form](secrets))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    sys.excepthook = _log_uncaught
    # One line for each long poll says nothing.
    for noisy in ("httpx", "apscheduler"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # What Telegram answers holds what people wrote, and PTB logs it whole when it cannot read it.
    logging.getLogger("telegram.request").setLevel(logging.CRITICAL)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Log what ends the program: Python would print its text with all secrets in it."""
    logging.getLogger(__name__).critical("ended by", exc_info=(kind, error, traceback))
