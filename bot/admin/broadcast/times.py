"""Reading a time that somebody wrote, in English or Chinese."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

from classifier.report_texts import MONTHS

DAYS = {"today": 0, "今天": 0, "tomorrow": 1, "明天": 1, "后天": 2}
SPAN = re.compile(
    r"(?:in )?(?P<number>\d{1,4}) ?"
    r"(?:(?P<minutes>min(?:ute)?s?|分钟)|(?P<hours>h(?:our)?s?|个?小时)|(?P<days>days?|天))"
    r"(?:后|以后|之后)?"
)
CLOCK = re.compile(
    rf"(?:(?P<day>{'|'.join(DAYS)}|(?:(?P<year>\d{{4}})[-/.年])?(?P<month>\d{{1,2}})[-/.月]"
    r"(?P<monthday>\d{1,2})日?)[ ,]*(?:at )?)?"
    r"(?P<hour>\d{1,2})(?:[:点](?P<minute>\d{2})?分?)"
    r"(?: ?(?:utc|gmt)?(?P<offset>[+-]\d{1,2}(?::?\d{2})?)| ?(?P<utc>utc|gmt|z))?"
)
# As the bot itself writes a day in English.
SPELLED = re.compile(
    rf"(?P<day>\d{{1,2}}) (?P<month>{'|'.join(MONTHS).casefold()})[a-z]* (?P<year>\d{{4}})"
)
CHINESE_COLON = "\uff1a"
FURTHEST = timedelta(days=366)


class Unreadable(Exception):
    """No time that can be understood."""


class Past(Exception):
    """A time that is over, or too far away to be meant."""


def read_time(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Read a span from now, or a date and time; a time alone is the next one.

    Without an offset from UTC it is a time in the zone. Raises Unreadable, Past.
    """
    words = " ".join(text.replace(CHINESE_COLON, ":").casefold().split())
    words = SPELLED.sub(_in_digits, words)
    try:
        found = _span(words, now) or _clock(words, now, zone)
    except (ValueError, OverflowError):
        # The thirteenth month, or the 25th hour.
        raise Unreadable from None
    if not now < found <= now + FURTHEST:
        raise Past
    # An hour that the clocks leave out is told as what it will be.
    return found.astimezone(UTC)


def _in_digits(day: re.Match[str]) -> str:
    month = 1 + MONTHS.index(day["month"].capitalize())
    return f"{day['year']}-{month}-{day['day']}"


def _span(words: str, now: datetime) -> datetime | None:
    read = SPAN.fullmatch(words)
    if read is None:
        return None
    unit = next(unit for unit in ("minutes", "hours", "days") if read[unit])
    return now + timedelta(**{unit: int(read["number"])})


def _clock(words: str, now: datetime, zone: tzinfo) -> datetime:
    read = CLOCK.fullmatch(words)
    if read is None:
        raise Unreadable
    zone = _zone(read, zone)
    at = time(int(read["hour"]), int(read["minute"] or 0), tzinfo=zone)
    today = now.astimezone(zone).date()
    found = datetime.combine(_day(read, today), at)
    if found <= now:
        # The hour that the clocks show twice.
        found = found.replace(fold=1)
    if found <= now and read["day"] is None:
        found = datetime.combine(today + timedelta(days=1), at)
    return found


def _zone(read: re.Match[str], zone: tzinfo) -> tzinfo:
    if read["utc"]:
        return UTC
    if not read["offset"]:
        return zone
    sign, digits = read["offset"][0], read["offset"][1:].replace(":", "")
    hours, minutes = (digits, "0") if len(digits) < 3 else (digits[:-2], digits[-2:])
    shift = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-shift if sign == "-" else shift)


def _day(read: re.Match[str], today: date) -> date:
    if read["day"] is None:
        return today
    if read["day"] in DAYS:
        return today + timedelta(days=DAYS[read["day"]])
    found = date(int(read["year"] or today.year), int(read["month"]), int(read["monthday"]))
    if found < today and not read["year"]:
        return found.replace(year=today.year + 1)
    return found
