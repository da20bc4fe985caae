"""Reviewed pictures as a labelled folder that `training.dataset` reads, without saying whose."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from storage.lessons import Lesson

# Telegram takes 50 MB from a bot; the names in the archive take some of it.
LARGEST_PART = 48 * 1024 * 1024
# A name has three digits for the pictures of a patient.
MOST_OF_ONE = 999

# The file of each case, in the order of the cases.
Plan = dict[int, str]
# Modality, label, pictures, patients.
Count = tuple[str, str, int, int]


def plan(lessons: Sequence[Lesson]) -> Plan:
    """Name the files `<modality>/<label>/<patient>_<number>.png`.

    Patients get numbers drawn anew for each export: they keep a patient's pictures together on one
    side of a split, and tell nothing else.
    """
    people = sorted({lesson.person_id for lesson in lessons})
    drawn = random.SystemRandom().sample(range(10**8), len(people))
    numbers, pictures = dict(zip(people, drawn, strict=True)), Counter[int]()
    files: Plan = {}
    for lesson in lessons:
        pictures[lesson.person_id] += 1
        if pictures[lesson.person_id] <= MOST_OF_ONE:
            name = f"{numbers[lesson.person_id]:08}_{pictures[lesson.person_id]:03}.png"
            files[lesson.case_id] = f"{lesson.modality}/{lesson.label}/{name}"
    return files


def parts(lessons: Iterable[Lesson], files: Mapping[int, str]) -> list[Plan]:
    """Divide the files into archives that Telegram takes; pictures too large for it stay out."""
    divided: list[Plan] = []
    room = 0
    for lesson in lessons:
        if lesson.case_id not in files or lesson.size > LARGEST_PART:
            continue
        if lesson.size > room:
            divided.append({})
            room = LARGEST_PART
        divided[-1][lesson.case_id] = files[lesson.case_id]
        room -= lesson.size
    return divided


def counts(files: Iterable[str]) -> Iterator[Count]:
    """Count by modality and label."""
    patients: dict[tuple[str, str], list[str]] = {}
    for file in files:
        modality, label, name = PurePosixPath(file).parts
        patients.setdefault((modality, label), []).append(name.partition("_")[0])
    for (modality, label), theirs in sorted(patients.items()):
        yield modality, label, len(theirs), len(set(theirs))
