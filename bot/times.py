"""Times as people read them: on the clocks of the place the bot serves, `TIME_ZONE`."""

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from bot.settings import Settings
from classifier.report_texts import Language, moment


def local(settings: Settings, when: datetime) -> datetime:
    """Move a time to `TIME_ZONE`; its name is left out where it is printed, except UTC."""
    there = when.astimezone(ZoneInfo(settings.time_zone))
    offset = there.utcoffset()
    assert offset is not None
    return there if there.tzname() == "UTC" else there.astimezone(timezone(offset, ""))


def told(settings: Settings, when: datetime, language: Language) -> str:
    """Write a time for somebody who reads this language."""
    return moment(local(settings, when), language)
