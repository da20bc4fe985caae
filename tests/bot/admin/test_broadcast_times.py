from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.admin.broadcast.times import Past, Unreadable, read_time

SHANGHAI = ZoneInfo("Asia/Shanghai")
# 18:00 in Shanghai.
NOW = datetime(2026, 12, 30, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("18:30", "2026-12-30T18:30+08:00"),
        ("18\uff1a30", "2026-12-30T18:30+08:00"),
        ("9:00", "2026-12-31T09:00+08:00"),
        ("tomorrow 9:00", "2026-12-31T09:00+08:00"),
        ("Tomorrow at 9:00", "2026-12-31T09:00+08:00"),
        ("明天9点", "2026-12-31T09:00+08:00"),
        ("后天 9点30分", "2027-01-01T09:30+08:00"),
        ("2027-01-31 09:00", "2027-01-31T09:00+08:00"),
        ("2027/1/31, 9:00 UTC+1", "2027-01-31T09:00+01:00"),
        ("2027-01-31 09:00 -05:30", "2027-01-31T09:00-05:30"),
        ("2027-01-31 09:00Z", "2027-01-31T09:00+00:00"),
        ("1月5日 9:30", "2027-01-05T09:30+08:00"),
        ("12-31 19:00", "2026-12-31T19:00+08:00"),
        ("1 Dec 2027, 05:00", "2027-12-01T05:00+08:00"),
        ("31 December 2026 at 19:00 UTC", "2026-12-31T19:00+00:00"),
        ("2027年1月31日 09:00 UTC", "2027-01-31T09:00+00:00"),
    ],
)
def test_a_time_is_read_kindly(words: str, at: str) -> None:
    assert read_time(words, NOW, SHANGHAI) == datetime.fromisoformat(at)


@pytest.mark.parametrize(
    ("now", "words", "at"),
    [
        # Left out by the clocks, which go from 2 to 3.
        ("2027-03-27T12:00+00:00", "2027-03-28 02:30", "2027-03-28T01:30+00:00"),
        # Shown by them twice: it is the second time that is still to come.
        ("2027-10-31T01:15+00:00", "02:45", "2027-10-31T01:45+00:00"),
        ("2027-10-31T00:15+00:00", "02:45", "2027-10-31T00:45+00:00"),
    ],
)
def test_a_time_near_a_change_of_clocks_is_told_as_what_it_will_be(
    now: str, words: str, at: str
) -> None:
    found = read_time(words, datetime.fromisoformat(now), ZoneInfo("Europe/Berlin"))
    assert found.isoformat(timespec="minutes") == at


@pytest.mark.parametrize(
    ("words", "span"),
    [
        ("in 2 hours", timedelta(hours=2)),
        ("30 min", timedelta(minutes=30)),
        ("2小时后", timedelta(hours=2)),
        ("3 days", timedelta(days=3)),
    ],
)
def test_a_span_is_counted_from_now(words: str, span: timedelta) -> None:
    assert read_time(words, NOW, SHANGHAI) == NOW + span


@pytest.mark.parametrize(
    "words", ["today 17:00", "2026-12-30 17:59", "in 0 minutes", "2029-01-01 9:00"]
)
def test_the_past_and_the_far_future_are_refused(words: str) -> None:
    with pytest.raises(Past):
        read_time(words, NOW, SHANGHAI)


@pytest.mark.parametrize(
    "words", ["", "soon", "25:00", "2027-13-01 9:00", "9", "9:00 pm", "9:00 +99"]
)
def test_what_cannot_be_read_is_not_guessed_at(words: str) -> None:
    with pytest.raises(Unreadable):
        read_time(words, NOW, SHANGHAI)
