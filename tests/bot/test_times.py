from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.settings import load_settings
from bot.times import told
from classifier.report_texts import Language

AT = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "english", "chinese"),
    [
        ("Asia/Shanghai", "2 Mar 2026, 00:30", "2026年3月2日 00:30"),
        ("Europe/Vienna", "1 Mar 2026, 17:30", "2026年3月1日 17:30"),
        ("UTC", "1 Mar 2026, 16:30 UTC", "2026年3月1日 16:30 UTC"),
    ],
)
def test_times_are_told_on_the_clinics_clock(
    zone: str, english: str, chinese: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(token="1:a", time_zone=zone)
    assert told(settings, AT, Language.ENGLISH) == english
    assert told(settings, AT, Language.CHINESE) == chinese
