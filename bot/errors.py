"""Errors nobody expected: logged under an id, and told to the admins once of each kind."""

import logging
import secrets
import traceback
from pathlib import Path

from bot.context import Services
from bot.notices import tell
from storage import troubles
from storage.errors import StorageError
from storage.staff import Role
from storage.transaction import Tx

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[1]
OURS = ("bot/", "classifier/", "storage/")


async def report(services: Services, error: BaseException, doing: str) -> None:
    """Log an error and tell the admins of its kind, unless they were told of it today.

    Its text may hold what a person sent: only its type and the lines it went through are written.
    """
    code, kind, lines = secrets.token_hex(4), type(error).__name__, way(error)
    log.error("[%s] %s: %s at %s", code, doing, kind, " < ".join(lines))
    try:
        await services.storage.write(_tell, services, code, kind, place(lines))
    except StorageError as failure:
        log.error("the admins could not be told of %s: %s", code, type(failure).__name__)
    services.wake.outbox.set()


def way(error: BaseException) -> list[str]:
    """Give the line of code where an error broke out, and those of our own that led there."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{_file(frame.filename)}:{frame.lineno}" for frame in reversed(frames)]
    return lines[:1] + [line for line in lines[1:] if line.startswith(OURS)]


def place(lines: list[str]) -> str:
    """Name the innermost line that asked for something; `storage` only does as it is told."""
    asking = (line for line in lines if line.startswith(OURS) and not line.startswith("storage/"))
    return next(asking, next(iter(lines), "?"))


def _file(name: str) -> str:
    path = Path(name)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def _tell(tx: Tx, services: Services, code: str, kind: str, where: str) -> None:
    count = troubles.note(tx, kind, where)
    if count:
        tell(
            tx,
            services,
            Role.ADMIN,
            f"trouble:{code}",
            "trouble.told",
            code=code,
            kind=kind,
            place=where,
            count=count,
        )
