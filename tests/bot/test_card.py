import re
from types import SimpleNamespace
from typing import Any

import pytest

from bot.doctor.card import _draft, given, units
from bot.texts.catalogue import Texts
from classifier.report_texts import Language
from storage.opinions import LONGEST_COMMENT, Verdict

CASE: Any = SimpleNamespace(number="ABCD2345")


@pytest.mark.parametrize(
    ("seconds", "second", "english", "chinese"),
    [
        (0, False, "</b>: <b>Normal</b>", "<b>正常</b>"),
        (1, False, "This counts in 1 second.", "1秒钟后生效"),
        (60, False, "This counts in 60 seconds.", "60秒钟后生效"),
        (1, True, "In 1 second another doctor is asked.", "1秒钟后会请另一位医生看"),
    ],
)
def test_how_long_a_verdict_can_be_taken_back_is_told_as_people_say_it(
    seconds: int, second: bool, english: str, chinese: str
) -> None:
    opinion: Any = SimpleNamespace(verdict="normal", second=second)
    for language, expected in ((Language.ENGLISH, english), (Language.CHINESE, chinese)):
        told = given(Texts(language), CASE, opinion, seconds)
        assert expected in told
        assert ("\n" in told) == bool(seconds)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("verdict", Verdict)
def test_the_longest_draft_fits_under_a_picture(
    language: Language, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.reviews.wants_another", lambda tx, case: False)
    long_: Any = SimpleNamespace(verdict=verdict, comment="x" * LONGEST_COMMENT)
    case: Any = SimpleNamespace(id=1, number="ABCD2345", note="y" * 4000)
    nothing: Any = None
    text, _ = _draft(nothing, Texts(language), case, long_)
    assert units(re.sub("<[^>]+>", "", text)) <= 1024
