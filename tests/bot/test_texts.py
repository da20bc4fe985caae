import re
from string import Formatter

import pytest

from bot.texts.catalogue import FOLDER, Texts, language_of
from classifier.refusals import RefusalReason
from classifier.report_texts import Language, every_text
from storage.cases import DUPLICATE

KEYS = sorted(Texts(Language.ENGLISH)._sentences)
CHINESE = re.compile("[\u4e00-\u9fff]")
LESION = re.compile(
    "lesion|opacit|nodule|infiltrat|consolidat|where (the|an) (illness|disease|pneumonia)"
    "|mark an illness"
    "|病灶|病变|阴影|结节|实变|浸润|患处"
)


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_say_the_same_things() -> None:
    assert sorted(Texts(Language.CHINESE)._sentences) == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_a_sentence_has_the_same_blanks_and_tags_in_both(key: str) -> None:
    english, chinese = (
        Texts(language)._sentences[key] for language in Language.__members__.values()
    )
    assert blanks(english) == blanks(chinese)
    assert sorted(re.findall("</?b>", english)) == sorted(re.findall("</?b>", chinese))


@pytest.mark.parametrize("key", [key for key in KEYS if key != "command.language"])
def test_no_sentence_mixes_the_languages(key: str) -> None:
    assert not CHINESE.search(Texts(Language.ENGLISH)._sentences[key])
    chinese = re.sub(r"{\w+}", "", Texts(Language.CHINESE)._sentences[key])
    assert CHINESE.search(chinese) or not re.search("[a-z]", chinese)


def test_every_key_in_the_code_has_a_sentence() -> None:
    used = set()
    for path in FOLDER.parent.rglob("*.py"):
        used |= set(re.findall(r'texts\(\s*"([a-z_.]+)"', path.read_text(encoding="utf-8")))
    assert used <= set(KEYS)


def test_no_sentence_is_left_over() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.parent.rglob("*.py"))
    whole = set(re.findall(r"""["']([a-z_0-9.]+)["']""", code))
    begun = tuple(re.findall(r"""f["']([a-z_]+\.[a-z_.]*){""", code))
    assert [key for key in KEYS if key not in whole and not key.startswith(begun)] == []


@pytest.mark.parametrize(
    "key", ["refusal.limit_hour", "refusal.limit_day", "refusal.queue_full", "cancel.done"]
)
def test_a_patient_is_not_told_of_one_in_the_plural(key: str) -> None:
    assert not re.search(r"\b1 \w+s\b", Texts(Language.ENGLISH)(key, count=1, minutes=1, hours=1))


@pytest.mark.parametrize(
    "key", ["compare.cases", "model.more", "alarm.cases", "alarm.sending", "stats.waiting"]
)
def test_staff_are_not_told_of_one_in_the_plural(key: str) -> None:
    sentence = Texts(Language.ENGLISH)._sentences[key]
    said = sentence.format(**dict.fromkeys(blanks(sentence), 1) | {"minutes": 20})
    assert not re.search(r"\b1 ((\w+ )?\w+s|wait|are)\b", said)


@pytest.mark.parametrize("reason", [*RefusalReason, DUPLICATE, "unreachable"])
def test_every_reason_for_no_estimate_has_a_name(reason: str) -> None:
    assert f"refused.{reason}" in KEYS


@pytest.mark.parametrize(
    ("code", "language"),
    [("zh-hans", "zh"), ("zh", "zh"), ("en-GB", "en"), ("de", "zh"), (None, "zh"), ("", "zh")],
)
def test_telegrams_language_code_chooses_the_language(code: str | None, language: str) -> None:
    assert language_of(code, Language.CHINESE) == language


@pytest.mark.parametrize("language", Language)
def test_no_text_claims_a_lesion(language: Language) -> None:
    page = Texts(language)._sentences.values()
    sentences = re.split("[.。\n]", "\n".join([*page, *every_text(language)]))
    named = [each for each in sentences if LESION.search(each)]
    # The map is explained, each time by what it is not.
    assert named and all(re.search(r"\bnot\b|并不", each) for each in named)
