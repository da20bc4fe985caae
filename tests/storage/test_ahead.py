"""A clock that ran ahead by a year and was put right."""

from datetime import date, timedelta
from typing import Any

from storage import (
    Storage,
    ahead,
    broadcasts,
    cases,
    dialogs,
    doctors,
    history,
    opinions,
    outbox,
    people,
    reviews,
    staff,
    troubles,
)
from storage import work as queue
from storage.ahead import LONGEST_BACKOFF, LONGEST_QUESTION
from storage.cases import Case, CaseState, StoredFinding
from storage.doctors import Preferences
from storage.opinions import Verdict
from storage.outbox import Outgoing, OutKind
from storage.recipients import Audience, Crowd, Speech, Written
from storage.reviews import SKIPPED_FOR
from storage.staff import Member, Role
from storage.transaction import Tx

YEAR, DAY, MINUTE = timedelta(days=365), timedelta(days=1), timedelta(minutes=1)
LEASE, UNDO = timedelta(minutes=15), timedelta(minutes=1)


async def put_right(hands: Any) -> int:
    """Start again with a clock that is right."""
    hands.time -= YEAR
    return int(await hands.storage.write(ahead.put_right, LEASE, UNDO))


async def waiting(hands: Any, patient: int) -> Case:
    person = await hands.person(patient)
    await hands.storage.write(people.consent, person.id, "1")
    case: Case = await hands.answered(person)
    await hands.storage.write(reviews.enter, case.id)
    return case


async def a_doctor(storage: Storage, number: int) -> Member:
    return await storage.write(staff.add, number, Role.DOCTOR, "Dr. Li")


async def test_a_deletion_that_waits_for_a_blocked_chat_is_not_of_the_future(
    hands: Any, storage: Storage
) -> None:
    await storage.write(outbox.take_out, "x", 1, 5)
    [row] = await storage.write(outbox.lease_due)
    await storage.write(outbox.retry, row.id, hands.time + ahead.BLOCKED_FOR)
    assert await storage.write(ahead.put_right, LEASE, UNDO) == 0
    hands.time += YEAR
    await storage.write(outbox.enqueue, Outgoing(key="m", chat_id=2, kind=OutKind.MESSAGE))
    hands.time -= YEAR
    assert await storage.write(ahead.put_right, LEASE, UNDO) > 0


async def test_messages_put_off_go_out_after_the_longest_wait_there_is(
    hands: Any, storage: Storage
) -> None:
    hands.time += YEAR
    await storage.write(outbox.enqueue, Outgoing(key="m", chat_id=1, kind=OutKind.MESSAGE))
    [row] = await storage.write(outbox.lease_due)
    await storage.write(outbox.retry, row.id, hands.time + MINUTE)
    assert await put_right(hands) == 2
    hands.wait(LONGEST_BACKOFF)
    assert [row.key for row in await storage.write(outbox.lease_due)] == ["m"]


async def test_pictures_are_worked_on_and_more_are_taken_in(hands: Any, storage: Storage) -> None:
    hands.time += YEAR
    person = await hands.person()
    case = await hands.send(person)
    assert await put_right(hands) == 1
    hands.wait(LONGEST_BACKOFF)
    assert (await hands.take()).id == case.id
    assert await storage.read(history.received_since, person.id, hands.time - YEAR) == 0
    assert await storage.read(queue.unfinished) == 1


async def test_what_was_answered_only_after_the_start_is_as_urgent_as_what_came_then(
    hands: Any, storage: Storage, a_finding: StoredFinding
) -> None:
    doctor = await a_doctor(storage, 71)
    hands.time += YEAR
    person = await hands.person(1)
    await storage.write(people.consent, person.id, "1")
    early = await hands.send(person)
    await put_right(hands)
    for state in (CaseState.READ, CaseState.CLASSIFIED, CaseState.ANSWERED):
        await storage.write(cases.advance, early.id, state)
    await storage.write(cases.add_finding, early.id, a_finding)
    await storage.write(reviews.enter, early.id)
    hands.wait(DAY)
    await waiting(hands, 2)
    first = await storage.write(reviews.take_next, doctor, LEASE)
    assert first is not None and first.id == early.id


async def test_what_a_doctor_holds_or_put_aside_comes_back(hands: Any, storage: Storage) -> None:
    hands.time += YEAR
    doctor = await a_doctor(storage, 71)
    held, skipped = await waiting(hands, 1), await waiting(hands, 2)

    def look(tx: Tx) -> None:
        reviews.skip(tx, doctor, reviews.take(tx, doctor, skipped.number, LEASE))
        reviews.take(tx, doctor, held.number, LEASE)

    await storage.write(look)
    assert await put_right(hands) == 6
    hands.wait(LEASE)
    assert [case.id for case in await storage.write(reviews.expire_leases)] == [held.id]
    hands.wait(SKIPPED_FOR)
    offered = [await storage.write(reviews.take_next, doctor, LEASE)]
    other = await a_doctor(storage, 72)
    offered.append(await storage.write(reviews.take_next, other, LEASE))
    assert {case.id for case in offered if case} == {held.id, skipped.id}


async def test_a_verdict_gets_final_in_the_time_to_take_it_back(
    hands: Any, storage: Storage
) -> None:
    hands.time += YEAR
    doctor, case = await a_doctor(storage, 71), await waiting(hands, 1)

    def judge(tx: Tx) -> None:
        opinions.draft(tx, doctor, reviews.take(tx, doctor, case.number, LEASE), Verdict.NORMAL)
        opinion = opinions.open_of(tx, case.id)
        assert opinion is not None
        opinions.give(tx, doctor, opinion, UNDO, second=False)

    await storage.write(judge)
    await put_right(hands)
    hands.wait(UNDO)
    [settled] = await storage.write(opinions.settle_due)
    assert settled.case.id == case.id


async def test_what_came_in_the_wrong_time_does_not_wait_behind_all_that_comes_later(
    hands: Any, storage: Storage
) -> None:
    hands.time += YEAR
    early = await waiting(hands, 1)
    assert await put_right(hands) == 2
    hands.wait(MINUTE)
    await waiting(hands, 2)
    taken = await storage.write(reviews.take_next, await a_doctor(storage, 71), LEASE)
    assert taken is not None and taken.id == early.id


async def test_a_patient_who_asks_for_a_doctor_then_does_not_wait_longer_for_it(
    hands: Any, storage: Storage
) -> None:
    hands.time += YEAR
    early = await waiting(hands, 1)
    await put_right(hands)
    hands.wait(MINUTE)
    await waiting(hands, 2)
    await storage.write(cases.ask_doctor, early.id)
    await storage.write(reviews.enter, early.id)
    taken = await storage.write(reviews.take_next, await a_doctor(storage, 71), LEASE)
    assert taken is not None and taken.id == early.id


async def test_what_is_dated_ahead_is_kept_no_longer_than_the_rest(
    hands: Any, storage: Storage
) -> None:
    hands.time += YEAR
    case = await waiting(hands, 1)
    await storage.write(outbox.enqueue, Outgoing(key="m", chat_id=1, kind=OutKind.MESSAGE))
    [row] = await storage.write(outbox.lease_due)
    await storage.write(outbox.sent, row.id)
    await put_right(hands)
    hands.wait(MINUTE)
    assert await storage.expire(hands.time) == 1
    assert (await storage.read(cases.get, case.id)).erased_at == hands.time
    assert await storage.read(outbox.by_key, "m") is None


async def test_errors_are_told_again_a_day_later(hands: Any, storage: Storage) -> None:
    hands.time += YEAR
    assert await storage.write(troubles.note, "KeyError", "bot/answers.py:5") == 1
    await put_right(hands)
    hands.wait(troubles.QUIET)
    assert await storage.write(troubles.note, "KeyError", "bot/answers.py:5") == 1


async def test_doctors_are_reminded_again(hands: Any, storage: Storage) -> None:
    doctor = await a_doctor(storage, 71)
    told = Preferences("UTC", digested_on=date(2027, 7, 4), reminded_at=hands.time + YEAR)
    await storage.write(doctors.prefer, doctor.id, told)
    hands.time += YEAR
    await put_right(hands)
    kept = await storage.read(doctors.preferences, doctor.id, "UTC")
    assert kept.reminded_at == hands.time


async def test_an_announcement_under_way_shows_its_progress_again(
    hands: Any, storage: Storage
) -> None:
    hands.time += YEAR
    admin = await storage.write(staff.add, 9, Role.ADMIN, "Admin")

    def begin(tx: Tx) -> int:
        made = broadcasts.draft(tx, admin.id, Written({"en": "Closed"}))
        broadcasts.address(tx, made.id, Audience(Crowd.PATIENTS))
        broadcasts.weigh(tx, made.id, safety=False)
        broadcasts.start(tx, made.id, Speech(("en",), "en"))
        broadcasts.told(tx, made.id)
        return made.id

    number = await storage.write(begin)
    assert await put_right(hands) == 1
    found = await storage.read(broadcasts.get, number)
    assert found is not None and found.told_at == hands.time


async def test_an_invitation_lasts_from_then_on_for_as_long_as_it_was_meant_to(
    hands: Any, storage: Storage
) -> None:
    hands.time += YEAR
    token = await storage.write(staff.invite, Role.ADMIN, "Dr. Li", None, 2 * DAY)
    late = await storage.write(staff.invite, Role.ADMIN, "Dr. Wu", None, 2 * DAY)
    assert await put_right(hands) == 2
    hands.wait(DAY)
    assert await storage.write(staff.accept, token, 7) is not None
    hands.wait(DAY)
    assert await storage.write(staff.accept, late, 8) is None


async def test_an_invitation_that_was_withdrawn_stays_so(hands: Any, storage: Storage) -> None:
    tokens = [await storage.write(staff.invite, Role.ADMIN, "Before", None, DAY)]
    hands.time += DAY / 2
    tokens.append(await storage.write(staff.invite, Role.ADMIN, "Ahead", None, DAY))
    hands.wait(MINUTE)
    for each in await storage.read(staff.open_invitations):
        assert await storage.write(staff.withdraw, each.id)
    hands.time -= DAY / 4
    await storage.write(ahead.put_right, LEASE, UNDO)
    assert await storage.read(staff.open_invitations) == []
    assert [await storage.write(staff.accept, token, 7) for token in tokens] == [None, None]


async def test_what_was_asked_stays_open_no_longer_than_any_question(
    hands: Any, storage: Storage
) -> None:
    hands.time += YEAR
    await storage.write(dialogs.begin, 7, "consent", {}, MINUTE)
    assert await put_right(hands) == 1
    hands.wait(LEASE + LONGEST_QUESTION)
    assert await storage.read(dialogs.current, 7) is None


async def test_with_a_clock_that_was_right_nothing_is_changed(hands: Any, storage: Storage) -> None:
    await storage.write(outbox.enqueue, Outgoing(key="m", chat_id=1, kind=OutKind.MESSAGE))
    await hands.send(await hands.person())
    await waiting(hands, 2)
    await storage.write(staff.invite, Role.ADMIN, "Dr. Li", None, 2 * DAY)
    await storage.write(dialogs.begin, 7, "doctor:comment", {}, LEASE + LONGEST_QUESTION)
    assert await storage.write(ahead.put_right, LEASE, UNDO) == 0
