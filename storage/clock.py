"""Time: UTC-aware `datetime` outside, whole microseconds since 1970 in the database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

_START = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def utc_now() -> datetime:
    """Read the machine's clock."""
    return datetime.now(UTC)


def to_stored(time: datetime) -> int:
    """Give microseconds; a time without a zone is a mistake and raises ValueError."""
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return (time - _START) // _TICK


def from_stored(microseconds: int) -> datetime:
    """Give the time back, exactly."""
    return _START + microseconds * _TICK


def from_stored_or_none(microseconds: int | None) -> datetime | None:
    """Give the time back where there is one."""
    return None if microseconds is None else from_stored(microseconds)
