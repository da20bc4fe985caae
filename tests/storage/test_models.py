import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from storage import Storage, erasure, history, models, staff
from storage.cases import StoredFinding
from storage.errors import CaseGone
from storage.models import Alike, Part
from storage.staff import Member, Role
from storage.transaction import Tx

A, B = "a" * 64, "b" * 64


@pytest.fixture
async def admin(storage: Storage) -> Member:
    return await storage.write(staff.add, 1, Role.ADMIN, "Ada")


def choose(tx: Tx, name: str, digest: str, by: Member | None, part: Part = Part.ACTIVE) -> None:
    models.choose(tx, part, "xray", name, digest, by)


async def reviewed(
    hands: Any, person: Any, verdict: str, active: StoredFinding, shadow: StoredFinding | None
) -> int:
    """A case with a doctor's last word, what the active model found, and what a candidate did."""
    case = await hands.answered(person)

    def add(tx: Tx) -> None:
        tx.run(
            """UPDATE findings SET model = 'old', normal = :n, bacterial = :b, viral = :v
               WHERE case_id = :id""",
            n=active.normal,
            b=active.bacterial,
            v=active.viral,
            id=case.id,
        )
        if shadow:
            models.add_shadow_finding(tx, case.id, shadow)
        tx.insert("reviews", case_id=case.id, verdict=verdict, how="one", decided_at=tx.time)

    await hands.storage.write(add)
    return int(case.id)


def finding(label: str) -> StoredFinding:
    shares = dict.fromkeys(("normal", "bacterial", "viral"), 0.1) | {label: 0.8}
    return StoredFinding(model="new", modality="xray", label=None, **shares)


async def test_the_latest_choice_counts_and_the_earlier_ones_stay(
    storage: Storage, admin: Member
) -> None:
    assert await storage.read(models.current, Part.ACTIVE) == {}
    await storage.write(choose, "a", A, None)
    await storage.write(choose, "b", B, admin)
    now = (await storage.read(models.current, Part.ACTIVE))["xray"]
    assert (now.name, now.digest, now.by_id) == ("b", B, admin.id)
    history_of = await storage.read(lambda tx: tx.rows("SELECT name, by_id FROM model_choices"))
    assert history_of == [{"name": "a", "by_id": None}, {"name": "b", "by_id": admin.id}]


@pytest.mark.parametrize(
    "change", ["UPDATE model_choices SET name = 'c'", "DELETE FROM model_choices"]
)
async def test_what_was_chosen_cannot_be_rewritten(
    storage: Storage, admin: Member, change: str
) -> None:
    await storage.write(choose, "a", A, admin)
    with pytest.raises(sqlite3.IntegrityError, match="not changed"):
        await storage.write(lambda tx: tx.run(change))


async def test_the_former_model_is_the_last_other_one(storage: Storage, admin: Member) -> None:
    for name, digest in (("a", A), ("b", B), ("b", B)):
        assert await storage.read(models.former, "xray") is None or digest == B
        await storage.write(choose, name, digest, admin)
    former = await storage.read(models.former, "xray")
    assert former is not None
    assert former.name == "a"
    assert await storage.read(models.former, "ct") is None


async def test_a_shadow_ends_and_begins_again(storage: Storage, admin: Member) -> None:
    assert not await storage.write(models.end_shadow, "xray", admin)
    await storage.write(choose, "a", A, admin, Part.SHADOW)
    assert (await storage.read(models.current, Part.SHADOW))["xray"].name == "a"
    assert await storage.write(models.end_shadow, "xray", admin)
    assert await storage.read(models.current, Part.SHADOW) == {}
    assert not await storage.write(models.end_shadow, "xray", admin)
    assert await storage.read(models.current, Part.ACTIVE) == {}


async def test_a_shadow_finding_is_no_answer_but_its_persons_data(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    case = await hands.answered(person)
    await storage.write(models.add_shadow_finding, case.id, finding("viral"))
    record = await storage.read(history.export, person.id)
    assert record is not None
    (kept,) = record.cases
    assert [each.model for each in kept.findings] == ["xray-1"]
    assert [(each.model, each.viral) for each in kept.unseen] == [("new", 0.8)]


async def test_deleting_a_case_takes_the_shadow_finding_too(hands: Any, storage: Storage) -> None:
    case = await hands.answered(await hands.person())
    await storage.write(models.add_shadow_finding, case.id, finding("viral"))
    await storage.erase(erasure.delete_case, case.id)
    left = await storage.read(lambda tx: tx.value("SELECT count(*) FROM shadow_findings"))
    assert left == 0
    with pytest.raises(CaseGone):
        await storage.write(models.add_shadow_finding, case.id, finding("viral"))


async def test_both_are_held_against_the_doctors_patient_by_patient(
    hands: Any, storage: Storage
) -> None:
    ann, bob = await hands.person(1), await hands.person(2)
    normal, viral = finding("normal"), finding("viral")
    await reviewed(hands, ann, "normal", normal, normal)
    await reviewed(hands, ann, "viral", normal, viral)
    await reviewed(hands, bob, "bacterial", finding("bacterial"), viral)
    await reviewed(hands, bob, "bacterial", viral, viral)
    # These count for nothing: no class, and no look by both.
    await reviewed(hands, bob, "other", normal, normal)
    await reviewed(hands, bob, "normal", normal, None)
    found = await storage.read(models.compare, "old", "new")
    alike = {"patients": 1, "cases": 2}
    assert sorted(found, key=repr) == sorted(
        [
            Alike(**alike, both=1, only_active=0, only_shadow=1),
            Alike(**alike, both=0, only_active=1, only_shadow=0),
        ],
        key=repr,
    )
    assert await storage.read(models.compare, "old", "another") == []


async def test_patients_who_count_alike_come_together(hands: Any, storage: Storage) -> None:
    for number in range(3):
        person = await hands.person(number + 1)
        await reviewed(hands, person, "viral", finding("normal"), finding("viral"))
    found = await storage.read(models.compare, "old", "new")
    assert found == [Alike(patients=3, cases=1, both=0, only_active=0, only_shadow=1)]


async def test_who_was_forgotten_still_counts_and_is_nobody(hands: Any, storage: Storage) -> None:
    person = await hands.person()
    for _ in range(2):
        await reviewed(hands, person, "viral", finding("viral"), finding("viral"))
    await storage.erase(erasure.forget, person.id)
    found = await storage.read(models.compare, "old", "new")
    assert found == [Alike(patients=2, cases=1, both=1, only_active=0, only_shadow=0)]


async def test_cases_the_candidate_did_not_look_at_are_counted(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    await reviewed(hands, person, "viral", finding("viral"), None)
    hands.wait(hands.time - hands.time.replace(hour=0))
    since = hands.now()
    await reviewed(hands, person, "viral", finding("viral"), None)
    await reviewed(hands, person, "viral", finding("viral"), finding("viral"))
    await reviewed(hands, person, "viral", finding("viral"), replace(finding("viral"), model="x"))
    assert await storage.read(models.missed, "old", "new", since) == 2
