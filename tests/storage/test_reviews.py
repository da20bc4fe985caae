import re
import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from sqlite_utils import Database as Plain
from sqlite_utils import Migrations

from storage import (
    Storage,
    audit,
    cases,
    doctors,
    erasure,
    history,
    opinions,
    people,
    reviews,
    staff,
)
from storage.cases import Case, CaseState, StoredFinding
from storage.database import Database
from storage.migrations import MIGRATIONS
from storage.opinions import How, Opinion, OpinionState, Outcome, Settled, Verdict
from storage.reviews import NotYours, Why
from storage.staff import Member, Role
from storage.transaction import Tx

from .conftest import Explaining

LEASE = timedelta(minutes=15)
UNDO = timedelta(minutes=1)
NORMAL, BACTERIAL, VIRAL = Verdict.NORMAL, Verdict.BACTERIAL, Verdict.VIRAL


class Room:
    """Doctors at work on the cases of patients."""

    def __init__(self, hands: Any, storage: Storage) -> None:
        self.hands = hands
        self.storage = storage
        self.patients = 100

    async def doctor(self, telegram_id: int) -> Member:
        await self.hands.person(telegram_id)
        return await self.storage.write(staff.add, telegram_id, Role.DOCTOR, f"Dr. {telegram_id}")

    async def admin(self) -> Member:
        return await self.storage.write(staff.add, 99, Role.ADMIN, "Admin")

    async def case(self, normal: float = 0.1, patient: int | None = None) -> Case:
        """A case that was answered and waits."""
        self.patients += 1
        person = await self.hands.person(patient or self.patients)
        await self.storage.write(people.consent, person.id, "1")
        case = await self.hands.bring(await self.hands.send(person, "cough"), CaseState.READ)
        finding = StoredFinding(
            model="m", modality="xray", normal=normal, bacterial=1 - normal, viral=0.0, label=None
        )
        await self.storage.write(cases.add_finding, case.id, finding)
        for state in (CaseState.CLASSIFIED, CaseState.ANSWERED):
            case = await self.storage.write(cases.advance, case.id, state)
        await self.storage.write(reviews.enter, case.id)
        return case

    async def next(self, doctor: Member) -> Case | None:
        return await self.storage.write(reviews.take_next, doctor, LEASE)

    async def take(self, doctor: Member, case: Case) -> Case:
        return await self.storage.write(reviews.take, doctor, case.number, LEASE)

    async def give(
        self, doctor: Member, case: Case, verdict: Verdict, comment: str = "", second: bool = False
    ) -> None:
        def work(tx: Tx) -> None:
            held = reviews.take(tx, doctor, case.number, LEASE)
            opinions.draft(tx, doctor, held, verdict)
            opinion = opinions.open_of(tx, case.id)
            assert opinion is not None
            if comment:
                opinions.comment(tx, opinion, comment)
            opinions.give(tx, doctor, opinion, UNDO, second=second)

        await self.storage.write(work)

    async def open(self, case: Case) -> Opinion:
        opinion = await self.storage.read(opinions.open_of, case.id)
        assert opinion is not None
        return opinion

    async def settle(self) -> list[Settled]:
        self.hands.wait(UNDO)
        return await self.storage.write(opinions.settle_due)

    async def says(
        self, doctor: Member, case: Case, verdict: Verdict, second: bool = False
    ) -> Outcome:
        """Give an opinion and let it get final."""
        await self.give(doctor, case, verdict, second=second)
        [settled] = await self.settle()
        return settled.outcome

    async def state(self, case: Case) -> CaseState:
        return (await self.storage.read(cases.get, case.id)).state


@pytest.fixture
def room(hands: Any, storage: Storage) -> Room:
    return Room(hands, storage)


async def refusal(work: Any) -> Why:
    with pytest.raises(NotYours) as said:
        await work
    return said.value.why


async def test_the_most_urgent_case_comes_first(room: Room, storage: Storage) -> None:
    old_healthy = await room.case(normal=0.9)
    room.hands.wait(timedelta(hours=1))
    sick = await room.case(normal=0.1)
    asked = await room.case(normal=0.5)
    await storage.write(cases.ask_doctor, asked.id)
    await storage.write(reviews.enter, asked.id)
    assert await storage.read(reviews.ahead, old_healthy.id) == 2
    doctor, order = await room.doctor(1), []
    while (case := await room.next(doctor)) is not None:
        order.append(case.id)
        await storage.write(reviews.skip, doctor, case)
    assert order == [asked.id, sick.id, old_healthy.id]


async def test_age_outweighs_everything_in_the_end(room: Room) -> None:
    healthy = await room.case(normal=1.0)
    room.hands.wait(timedelta(hours=25))
    await room.case(normal=0.0)
    taken = await room.next(await room.doctor(1))
    assert taken is not None and taken.id == healthy.id


async def test_only_an_answered_case_with_a_finding_waits(room: Room, storage: Storage) -> None:
    for state in (CaseState.RECEIVED, CaseState.ANSWERED, CaseState.REFUSED):
        case = await room.hands.bring(await room.hands.send(await room.hands.person(5)), state)
        await storage.write(reviews.enter, case.id)
    assert await room.next(await room.doctor(1)) is None
    assert await refusal(room.take(await room.doctor(1), case)) == Why.UNFINISHED


async def test_two_doctors_never_hold_the_same_case(room: Room, storage: Storage) -> None:
    case, (first, second) = await room.case(), [await room.doctor(n) for n in (1, 2)]
    assert await room.next(first) is not None
    assert await room.next(second) is None
    assert await refusal(room.take(second, case)) == Why.TAKEN
    assert await refusal(storage.read(reviews.mine, second, case.number)) == Why.TAKEN
    with pytest.raises(sqlite3.IntegrityError, match="only who holds"):
        await storage.write(opinions.draft, second, case, NORMAL)


async def test_a_doctor_holds_one_case_at_a_time(room: Room, storage: Storage) -> None:
    case, other, doctor = await room.case(), await room.case(), await room.doctor(1)
    await room.take(doctor, case)
    assert (await room.take(doctor, case)).id == case.id
    assert await refusal(room.take(doctor, other)) == Why.BUSY
    held = await storage.read(reviews.held, doctor)
    assert held is not None and held.id == case.id


async def test_a_doctor_never_gets_their_own_case(room: Room) -> None:
    case, doctor = await room.case(patient=1), await room.doctor(1)
    assert await room.next(doctor) is None
    assert await refusal(room.take(doctor, case)) == Why.OWN
    assert await room.next(await room.doctor(2)) is not None


async def test_a_lease_that_runs_out_returns_the_case_and_forgets_the_draft(
    room: Room, storage: Storage
) -> None:
    case, (first, second) = await room.case(), [await room.doctor(n) for n in (1, 2)]
    await storage.write(opinions.draft, first, await room.take(first, case), NORMAL)
    assert await storage.write(reviews.expire_leases) == []
    room.hands.wait(LEASE)
    [expired] = await storage.write(reviews.expire_leases)
    assert (expired.id, expired.lease_worker) == (case.id, first.actor)
    assert await storage.read(opinions.open_of, case.id) is None
    assert await refusal(storage.read(reviews.mine, first, case.number)) == Why.EXPIRED
    await room.take(second, case)
    assert await refusal(storage.read(reviews.mine, first, case.number)) == Why.TAKEN


async def test_a_verdict_outlives_the_lease_until_it_is_final(room: Room, storage: Storage) -> None:
    case, doctor = await room.case(), await room.doctor(1)
    await room.give(doctor, case, BACTERIAL)
    room.hands.wait(LEASE)
    assert await storage.write(reviews.expire_leases) == []
    [settled] = await storage.write(opinions.settle_due)
    assert (settled.outcome, settled.case.state) == (Outcome.DECIDED, CaseState.REVIEWED)


async def test_skipped_is_for_others_and_only_for_a_while(room: Room, storage: Storage) -> None:
    case, (first, second) = await room.case(), [await room.doctor(n) for n in (1, 2)]
    await storage.write(reviews.skip, first, await room.take(first, case))
    assert await room.next(first) is None
    taken = await room.next(second)
    assert taken is not None
    await storage.write(reviews.release, second, taken)
    room.hands.wait(reviews.SKIPPED_FOR)
    assert await room.next(first) is not None


async def test_one_opinion_decides(room: Room, storage: Storage) -> None:
    case, doctor = await room.case(), await room.doctor(1)
    await room.give(doctor, case, BACTERIAL, comment="left <lower> lobe")
    assert await storage.write(opinions.settle_due) == []
    assert await storage.read(opinions.next_due) == room.hands.time + UNDO
    [settled] = await room.settle()
    assert settled.outcome is Outcome.DECIDED
    record = await storage.read(history.record, case.id)
    assert record.case.state is CaseState.REVIEWED and record.case.lease_worker is None
    assert record.review is not None
    assert (record.review.verdict, record.review.how) == (BACTERIAL, How.ONE)
    assert [(each.verdict, each.comment) for each in record.said] == [
        (BACTERIAL, "left <lower> lobe")
    ]
    assert [event.step for event in record.events][-2:] == ["under_review", "reviewed"]
    assert await storage.write(opinions.settle_due) == []
    assert await storage.read(lambda tx: tx.value("SELECT count(*) FROM review_queue")) == 0
    assert await refusal(room.take(await room.doctor(2), case)) == Why.REVIEWED


async def test_a_verdict_is_taken_back_in_time_and_not_later(room: Room, storage: Storage) -> None:
    case, doctor = await room.case(), await room.doctor(1)
    await room.give(doctor, case, BACTERIAL, comment="hm")
    assert await storage.write(opinions.undo, doctor, await room.open(case), LEASE)
    again = await room.open(case)
    assert (again.state, again.comment, again.given_at) == (OpinionState.DRAFT, "hm", None)
    assert await room.settle() == []
    await room.says(doctor, case, NORMAL)
    assert await refusal(storage.read(reviews.mine, doctor, case.number)) == Why.REVIEWED


async def test_a_verdict_taken_back_by_a_busy_doctor_returns_the_case(
    room: Room, storage: Storage
) -> None:
    case, doctor = await room.case(), await room.doctor(1)
    await room.give(doctor, case, BACTERIAL)
    other = await room.case()
    assert await room.next(doctor) is not None
    assert not await storage.write(opinions.undo, doctor, await room.open(case), LEASE)
    assert await room.state(case) is CaseState.ANSWERED
    held = await storage.read(reviews.held, doctor)
    assert held is not None and held.id == other.id


async def test_a_second_opinion_that_agrees_decides(room: Room, storage: Storage) -> None:
    case, (first, second) = await room.case(), [await room.doctor(n) for n in (1, 2)]
    assert await room.says(first, case, VIRAL, second=True) is Outcome.ANOTHER
    assert await storage.read(reviews.wants_another, case.id)
    assert await room.next(first) is None
    assert await refusal(room.take(first, case)) == Why.SEEN
    assert await refusal(storage.read(reviews.mine, first, case.number)) == Why.SEEN
    assert await room.says(second, case, VIRAL) is Outcome.DECIDED
    review = await storage.read(opinions.review_of, case.id)
    assert review is not None and (review.verdict, review.how) == (VIRAL, How.AGREEMENT)


async def test_a_third_doctor_makes_the_majority(room: Room, storage: Storage) -> None:
    case, doctors = await room.case(), [await room.doctor(n) for n in (1, 2, 3)]
    assert await room.says(doctors[0], case, VIRAL, second=True) is Outcome.ANOTHER
    assert await room.says(doctors[1], case, NORMAL) is Outcome.ANOTHER
    assert await room.says(doctors[2], case, VIRAL) is Outcome.DECIDED
    review = await storage.read(opinions.review_of, case.id)
    assert review is not None and (review.verdict, review.how) == (VIRAL, How.MAJORITY)


async def test_without_a_majority_an_admin_decides(room: Room, storage: Storage) -> None:
    case, doctors = await room.case(), [await room.doctor(n) for n in (1, 2, 3, 4)]
    for doctor, verdict in zip(doctors, (VIRAL, NORMAL, BACTERIAL), strict=False):
        outcome = await room.says(doctor, case, verdict, second=doctor is doctors[0])
    assert outcome is Outcome.DISPUTED
    assert [each.id for each in await storage.read(reviews.disputed)] == [case.id]
    assert await room.next(doctors[3]) is None
    assert await refusal(room.take(doctors[3], case)) == Why.DISPUTED
    closed = await storage.write(opinions.decide, await room.admin(), case.number, NORMAL)
    assert closed.state is CaseState.REVIEWED
    review = await storage.read(opinions.review_of, case.id)
    assert review is not None and (review.verdict, review.how) == (NORMAL, How.ADMIN)
    again = storage.write(opinions.decide, await room.admin(), case.number, VIRAL)
    assert await refusal(again) == Why.GONE


async def test_without_a_third_doctor_an_admin_decides_or_asks_a_new_one(
    room: Room, storage: Storage
) -> None:
    case, (first, second) = await room.case(), [await room.doctor(n) for n in (1, 2)]
    await room.says(first, case, VIRAL, second=True)
    assert await room.says(second, case, NORMAL) is Outcome.DISPUTED
    assert not await storage.read(reviews.another, case.id)
    third = await room.doctor(3)
    await storage.write(opinions.send_back, await room.admin(), case.number)
    assert await room.says(third, case, NORMAL) is Outcome.DECIDED


async def test_an_admin_does_not_decide_their_own_case(room: Room, storage: Storage) -> None:
    case, (first, second) = await room.case(patient=99), [await room.doctor(n) for n in (1, 2)]
    await room.says(first, case, VIRAL, second=True)
    await room.says(second, case, NORMAL)
    deciding = storage.write(opinions.decide, await room.admin(), case.number, VIRAL)
    assert await refusal(deciding) == Why.OWN


@pytest.mark.parametrize("forgotten", [False, True], ids=["revoked", "forgotten"])
async def test_a_second_opinion_nobody_is_left_for_goes_to_the_admins(
    room: Room, storage: Storage, forgotten: bool
) -> None:
    case, (first, second) = await room.case(), [await room.doctor(n) for n in (1, 2)]
    await room.says(first, case, VIRAL, second=True)
    assert await storage.write(opinions.strand) == []
    if forgotten:
        person = await room.hands.person(second.telegram_id)
        await storage.write(erasure.forget, person.id)
    else:
        await storage.write(staff.revoke, second.id)
    assert [each.id for each in await storage.write(opinions.strand)] == [case.id]
    assert await storage.write(opinions.strand) == []


async def test_who_comes_back_in_the_same_role_does_not_judge_twice(
    room: Room, storage: Storage
) -> None:
    case, (first, second) = await room.case(), [await room.doctor(n) for n in (1, 2)]
    await room.says(first, case, VIRAL, second=True)
    await storage.write(staff.revoke, first.id)
    anew = await room.doctor(1)
    assert anew.id != first.id and await room.next(anew) is None
    assert await room.next(second) is not None


async def test_a_revoked_doctor_loses_case_and_verdict(room: Room, storage: Storage) -> None:
    case, doctor = await room.case(), await room.doctor(1)
    await room.give(doctor, case, BACTERIAL)
    await storage.write(staff.revoke, doctor.id)
    assert await room.state(case) is CaseState.ANSWERED
    assert await room.settle() == []
    assert await room.next(await room.doctor(2)) is not None


async def test_a_final_opinion_stands(room: Room, storage: Storage) -> None:
    case, doctor = await room.case(), await room.doctor(1)
    await room.says(doctor, case, NORMAL)
    for change in ("verdict = 'viral'", "state = 'given'", "state = 'draft'"):
        sql = f"UPDATE opinions SET {change}"
        with pytest.raises(sqlite3.IntegrityError):
            await storage.write(lambda tx, sql=sql: tx.run(sql))


async def test_a_deleted_case_takes_its_verdicts_with_it(room: Room, storage: Storage) -> None:
    case, doctor = await room.case(), await room.doctor(1)
    await room.says(doctor, case, NORMAL)
    await storage.erase(erasure.delete_case, case.id)
    record = await storage.read(history.record, case.id)
    assert (record.said, record.review) == ((), None)


async def test_a_case_erased_under_review_is_nobodys(room: Room, storage: Storage) -> None:
    case, doctor = await room.case(), await room.doctor(1)
    await room.give(doctor, case, NORMAL)
    await storage.erase(erasure.delete_case, case.id)
    assert await room.settle() == []
    assert await refusal(storage.read(reviews.mine, doctor, case.number)) == Why.GONE
    assert await refusal(room.take(doctor, case)) == Why.GONE
    assert await room.next(doctor) is None


async def test_a_case_whose_person_took_the_agreement_back_is_nobodys_until_they_agree(
    room: Room, storage: Storage
) -> None:
    case, (first, second) = await room.case(), [await room.doctor(n) for n in (1, 2)]
    await room.says(first, case, BACTERIAL, second=True)
    await room.give(second, case, VIRAL)
    await storage.write(people.withdraw_consent, case.person_id)
    assert await storage.write(reviews.leave, case.person_id) == 1
    await storage.write(reviews.enter, case.id)
    assert await room.settle() == [] and await room.next(second) is None
    assert await refusal(room.take(second, case)) is Why.UNFINISHED
    await storage.write(people.consent, case.person_id, "2")
    assert await storage.write(reviews.come_back, case.person_id) == 1
    assert await storage.write(reviews.come_back, case.person_id) == 0
    assert await storage.read(reviews.wants_another, case.id)
    assert await room.says(second, case, BACTERIAL) is Outcome.DECIDED


async def test_forget_erases_comments_and_keeps_the_verdict(
    room: Room, storage: Storage, traces: Any
) -> None:
    case, doctor = await room.case(), await room.doctor(1)
    await room.give(doctor, case, VIRAL, comment="Wilhelmina should rest")
    await room.settle()
    person_id = (await storage.read(cases.get, case.id)).person_id
    assert person_id is not None
    exported = await storage.read(history.export, person_id)
    assert exported is not None
    assert exported.cases[0].said[0].comment == "Wilhelmina should rest"
    assert traces(b"Wilhelmina")
    await storage.erase(erasure.forget, person_id)
    await storage.compact()
    assert not traces(b"Wilhelmina")
    record = await storage.read(history.record, case.id)
    assert [(each.verdict, each.comment) for each in record.said] == [(VIRAL, None)]
    assert record.review is not None


async def test_every_act_is_an_audit_line(room: Room, storage: Storage) -> None:
    case, doctor = await room.case(), await room.doctor(1)
    await storage.write(reviews.release, doctor, await room.take(doctor, case))
    await room.give(doctor, case, VIRAL)
    await storage.write(opinions.undo, doctor, await room.open(case), LEASE)
    await room.says(doctor, case, NORMAL)
    lines = await storage.read(audit.of_case, case.id)
    assert [(line.actor, line.action, line.detail) for line in lines] == [
        (doctor.actor, "case_taken", None),
        (doctor.actor, "case_released", None),
        (doctor.actor, "case_taken", None),
        (doctor.actor, "verdict_given", None),
        (doctor.actor, "verdict_undone", None),
        (doctor.actor, "verdict_given", None),
        (audit.SYSTEM, "case_reviewed", "one"),
    ]


async def test_what_waits_is_counted(room: Room, storage: Storage) -> None:
    doctors = [await room.doctor(n) for n in (1, 2)]
    disputed = await room.case()
    await room.says(doctors[0], disputed, VIRAL, second=True)
    await room.says(doctors[1], disputed, NORMAL)
    first = room.hands.time
    await room.case(normal=0.0)
    room.hands.wait(timedelta(hours=2))
    await room.case(normal=0.5)
    await room.case(normal=0.5)
    waiting = await storage.read(reviews.waiting, timedelta(hours=1))
    assert waiting == reviews.Waiting(count=3, since=first, overdue=1, disputed=1)
    undecided = [await storage.read(reviews.undecided, timedelta(hours=n)) for n in (1, 2, 3)]
    assert undecided == [1, 1, 0]
    await room.next(doctors[0])
    waiting = await storage.read(reviews.waiting, timedelta(hours=1))
    assert (waiting.count, waiting.overdue) == (2, 0)


async def test_a_doctor_is_not_reminded_of_what_they_cannot_take(
    room: Room, storage: Storage
) -> None:
    first, second = [await room.doctor(n) for n in (1, 2)]
    await room.case(patient=2)
    assert await room.says(first, await room.case(), NORMAL, second=True) == Outcome.ANOTHER

    def remind(tx: Tx, doctor: Member) -> int:
        return doctors.remind(tx, doctor, doctors.preferences(tx, doctor.id, "UTC"), tx.time)

    assert [await storage.write(remind, each) for each in (first, second)] == [1, 1]
    await storage.write(staff.revoke, first.id)
    assert await storage.write(remind, await room.doctor(1)) == 1


async def test_no_question_of_a_doctor_looks_at_all_cases(room: Room, storage: Storage) -> None:
    doctor = await room.doctor(1)
    for _ in range(3):
        await room.case()

    def ask(tx: Tx) -> None:
        tx = Explaining(tx.db, tx.time)
        reviews.expire_leases(tx)
        opinions.strand(tx)
        reviews.held(tx, doctor)
        case = reviews.take_next(tx, doctor, LEASE)
        assert case is not None
        reviews.waiting(tx, timedelta(0))
        reviews.disputed(tx)
        reviews.undecided(tx, timedelta(0))
        reviews.out_of_reach(tx, timedelta(0))
        reviews.ahead(tx, case.id)
        reviews.mine(tx, doctor, case.number)
        opinions.next_due(tx)
        opinions.settle_due(tx)
        doctors.done(tx, doctor.id, tx.time, tx.time)
        doctors.remind(tx, doctor, doctors.preferences(tx, doctor.id, "UTC"), tx.time)

    Explaining.plans.clear()
    await storage.write(ask)
    assert len(Explaining.plans) > 20
    scans = [plan for plan in Explaining.plans if re.match(r"SCAN (?!\w+ USING)", plan)]
    # The few who work here, and the times of one doctor's own opinions.
    assert {plan.split()[1] for plan in scans} <= {"d", "(subquery-1)"}
    assert "SCAN q USING INDEX review_queue_next" in Explaining.plans


async def test_cases_answered_before_there_were_reviews_wait_too(folder: Any) -> None:
    early = Migrations("storage")
    for step in MIGRATIONS.pending(Plain(memory=True))[:2]:
        early(name=step.name)(step.fn)

    def answered(tx: Tx, telegram_id: int, *, erased: bool) -> None:
        times = {"first_seen_at": tx.time, "last_seen_at": tx.time}
        person_id = tx.insert("people", telegram_id=telegram_id, **times)
        case = cases.receive(tx, cases.Upload(person_id=person_id, files=()))
        tx.run(
            """INSERT INTO findings (case_id, model, modality, normal, bacterial, viral, doubts,
                   slices, seconds, made_at) VALUES (:id, 'm', 'xray', .2, .8, 0, '[]', 1, 1, 1)""",
            id=case.id,
        )
        for state in (CaseState.READ, CaseState.CLASSIFIED, CaseState.ANSWERED):
            cases.advance(tx, case.id, state)
        if erased:
            tx.run("UPDATE cases SET erased_at = 1, erased_why = 'retention' WHERE id = 2")

    async with await Database.open(folder / "db", migrations=early) as database:
        await database.write(answered, 1, erased=False)
        await database.write(answered, 2, erased=True)
    async with await Database.open(folder / "db") as database:
        [row] = await database.read(lambda tx: tx.rows("SELECT * FROM review_queue"))
        await database.write(reviews.enter, 1)
        [same] = await database.read(lambda tx: tx.rows("SELECT * FROM review_queue"))
        assert row["case_id"] == 1
        assert same["urgency"] == pytest.approx(row["urgency"])
