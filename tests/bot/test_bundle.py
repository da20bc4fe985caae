import random
from pathlib import Path

import pytest

from bot import bundle
from storage.lessons import Lesson

SIZE = 1000


def lesson(case: int, person: int, label: str = "viral", size: int = SIZE) -> Lesson:
    return Lesson(case, person, "xray", label, f"image-{case}", size)


def patient(file: str) -> str:
    return Path(file).name.partition("_")[0]


def test_a_patient_has_one_number_within_an_export_and_another_in_the_next() -> None:
    lessons = [lesson(1, 7, "viral"), lesson(2, 7, "normal"), lesson(3, 8, "viral")]
    first, second = bundle.plan(lessons), bundle.plan(lessons)
    for files in (first, second):
        assert patient(files[1]) == patient(files[2]) != patient(files[3])
        assert len(set(files.values())) == 3
    assert patient(first[1]) != patient(second[1])
    assert first[2].startswith("xray/normal/")


def test_no_number_of_ours_is_in_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "SystemRandom", lambda: random.Random(5))
    files = bundle.plan([lesson(123456, 654321)])
    assert "123456" not in files[123456] and "654321" not in files[123456]


def test_archives_hold_what_telegram_takes_and_each_picture_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundle, "LARGEST_PART", 3 * SIZE)
    lessons = [lesson(case, case) for case in range(1, 8)] + [lesson(8, 8, size=4 * SIZE)]
    files = bundle.plan(lessons)
    divided = bundle.parts(lessons, files)
    assert [len(part) for part in divided] == [3, 3, 1]
    assert {case: file for part in divided for case, file in part.items()} == {
        case: files[case] for case in range(1, 8)
    }


def test_somebody_with_more_pictures_than_a_name_can_count_is_cut() -> None:
    files = bundle.plan([lesson(case, 1) for case in range(1, 1006)])
    assert len(files) == 999
    assert all(len(Path(file).stem) == 12 for file in files.values())


def test_pictures_and_patients_are_counted_by_label() -> None:
    files = ["xray/viral/00000001_001.png", "xray/viral/00000001_002.png", "ct/normal/2_001.png"]
    assert list(bundle.counts(files)) == [("ct", "normal", 1, 1), ("xray", "viral", 2, 1)]
