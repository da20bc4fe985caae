from typing import Any

import pytest

from storage import Storage, cases, erasure, lessons, people
from storage.images import ImageKind
from storage.lessons import LeftOut
from storage.people import Person
from storage.transaction import Tx


@pytest.fixture
async def ann(hands: Any, storage: Storage) -> Person:
    """Somebody who agreed that others learn from their pictures."""
    person: Person = await hands.person(1)
    await storage.write(people.consent, person.id, "new")
    return person


async def judged(
    hands: Any, person: Person, verdict: str, content: str | None = None, pictures: int = 1
) -> int:
    case = await hands.answered(person)
    for number in range(pictures):
        await hands.image(case, pixels=bytes(100 + number))
    await hands.image(case, ImageKind.REPORT)
    if content:
        await hands.storage.write(cases.set_content, case.id, content * 64)

    def review(tx: Tx) -> None:
        tx.insert("reviews", case_id=case.id, verdict=verdict, how="one", decided_at=tx.time)

    await hands.storage.write(review)
    return int(case.id)


async def test_a_lesson_is_the_picture_with_the_doctors_class(
    hands: Any, storage: Storage, ann: Person
) -> None:
    case = await judged(hands, ann, "viral")
    await hands.answered(ann)
    found = await storage.read(lessons.gather, ["new"])
    (lesson,) = found.usable
    assert (lesson.case_id, lesson.person_id, lesson.label) == (case, ann.id, "viral")
    assert (lesson.modality, lesson.size) == ("xray", 100)
    assert await storage.images.load(lesson.image_id) == bytes(100)
    assert found.left_out == {}


async def test_nothing_is_learned_from_who_agreed_to_another_text(
    hands: Any, storage: Storage, ann: Person
) -> None:
    bob = await hands.person(2)
    await storage.write(people.consent, bob.id, "old")
    await judged(hands, bob, "viral")
    found = await storage.read(lessons.gather, ["new", "newer"])
    assert (found.usable, found.left_out) == ((), {LeftOut.NO_CONSENT: 1})


async def test_what_has_no_class_or_no_picture_is_left_out_and_counted(
    hands: Any, storage: Storage, ann: Person
) -> None:
    await judged(hands, ann, "other")
    await judged(hands, ann, "unreadable")
    await judged(hands, ann, "viral", pictures=0)
    found = await storage.read(lessons.gather, ["new"])
    assert found.usable == ()
    assert found.left_out == {LeftOut.NO_CLASS: 2, LeftOut.NO_PICTURE: 1}


async def test_of_several_pictures_the_first_is_the_one_judged(
    hands: Any, storage: Storage, ann: Person
) -> None:
    await judged(hands, ann, "viral", pictures=3)
    (lesson,) = (await storage.read(lessons.gather, ["new"])).usable
    assert await storage.images.load(lesson.image_id) == bytes(100)


async def test_what_was_erased_is_left_out(hands: Any, storage: Storage, ann: Person) -> None:
    await storage.erase(erasure.delete_case, await judged(hands, ann, "viral"))
    bob = await hands.person(2)
    await storage.write(people.consent, bob.id, "new")
    await judged(hands, bob, "viral")
    await storage.erase(erasure.forget, bob.id)
    found = await storage.read(lessons.gather, ["new"])
    assert (found.usable, found.left_out) == ((), {LeftOut.ERASED: 1})


async def test_of_a_picture_that_came_twice_one_counts_and_none_if_judged_differently(
    hands: Any, storage: Storage, ann: Person
) -> None:
    bob = await hands.person(2)
    await judged(hands, bob, "viral", "a")
    first = await judged(hands, ann, "viral", "a")
    await judged(hands, ann, "viral", "a")
    await judged(hands, ann, "viral", "b")
    await judged(hands, ann, "normal", "b")
    found = await storage.read(lessons.gather, ["new"])
    assert [lesson.case_id for lesson in found.usable] == [first]
    assert found.left_out == {LeftOut.NO_CONSENT: 1, LeftOut.COPY: 1, LeftOut.CONTRADICTED: 2}
