from datetime import timedelta
from typing import Any

import pytest

from storage import Storage, cases, history, people, reviews, work
from storage.cases import CaseState, Upload
from storage.errors import LeaseLost

MINUTE = timedelta(minutes=1)


async def test_a_case_is_held_by_one_worker(hands: Any) -> None:
    case = await hands.send(await hands.person())
    taken = await hands.take("a")
    assert (taken.id, taken.attempts, taken.lease_worker) == (case.id, 1, "a")
    assert await hands.take("b") is None


async def test_a_lease_that_runs_out_returns_the_case(hands: Any, storage: Storage) -> None:
    case = await hands.send(await hands.person())
    await hands.take("a")
    hands.wait(MINUTE)
    again = await hands.take("b")
    assert (again.id, again.attempts) == (case.id, 2)
    with pytest.raises(LeaseLost):
        await storage.write(cases.advance, case.id, CaseState.READ, worker="a")
    await storage.write(cases.advance, case.id, CaseState.READ, worker="b")


async def test_a_renewed_lease_holds_longer(hands: Any, storage: Storage) -> None:
    case = await hands.send(await hands.person())
    await hands.take("a")
    hands.wait(MINUTE / 2)
    await storage.write(work.renew, case.id, "a", MINUTE)
    hands.wait(MINUTE * 3 / 4)
    assert await hands.take("b") is None
    with pytest.raises(LeaseLost):
        await storage.write(work.renew, case.id, "b", MINUTE)


async def test_a_person_s_second_case_waits_for_their_first_and_others_do_not(
    hands: Any, storage: Storage
) -> None:
    ours, theirs = await hands.person(1), await hands.person(2)
    first, second = await hands.send(ours), await hands.send(ours)
    other = await hands.send(theirs)
    assert (await hands.take()).id == first.id
    assert (await hands.take()).id == other.id
    assert await hands.take() is None
    at = hands.time + 10 * MINUTE
    await storage.write(work.retry, first.id, "worker", at=at, reason="network", give_up_after=3)
    assert await hands.take() is None
    hands.wait(10 * MINUTE)
    assert (await hands.take()).id == first.id
    await hands.bring(first, CaseState.ANSWERED)
    assert (await hands.take()).id == second.id


async def test_an_answered_case_is_leased_no_more(hands: Any, storage: Storage) -> None:
    case = await hands.send(await hands.person())
    await hands.take("a")
    for state in (CaseState.READ, CaseState.CLASSIFIED):
        case = await storage.write(cases.advance, case.id, state, worker="a")
        assert case.lease_worker == "a"
    case = await storage.write(cases.advance, case.id, CaseState.ANSWERED, worker="a")
    assert (case.lease_worker, case.lease_until_at) == (None, None)


async def test_a_case_tried_often_enough_fails(hands: Any, storage: Storage) -> None:
    case = await hands.send(await hands.person())
    for attempt in (1, 2, 3):
        await hands.take()
        case = await storage.write(
            work.retry,
            case.id,
            "worker",
            at=hands.time + MINUTE,
            reason="classifier_down",
            give_up_after=3,
        )
        assert (case.state == CaseState.FAILED) == (attempt == 3)
        hands.wait(MINUTE)
    assert case.reason == "classifier_down"
    steps = [event.step for event in await storage.read(history.events, case.id)]
    assert steps == ["received", "retried", "retried", "failed"]
    assert await hands.take() is None


async def test_a_case_given_back_in_good_order_counts_no_attempt(
    hands: Any, storage: Storage
) -> None:
    case = await hands.send(await hands.person())
    await hands.take("a")
    await storage.write(work.release, case.id, "a")
    assert (await hands.take("b")).attempts == 1


async def test_a_case_given_back_for_later_lets_others_pass(hands: Any, storage: Storage) -> None:
    late, other = await hands.send(await hands.person(1)), await hands.send(await hands.person(2))
    await hands.take("a")
    await storage.write(work.release, late.id, "a", hands.time + MINUTE)
    assert (await hands.take("a")).id == other.id
    assert await hands.take("b") is None
    hands.wait(MINUTE)
    again = await hands.take("b")
    assert (again.id, again.attempts) == (late.id, 1)


async def test_an_album_part_that_comes_late_does_not_hinder_giving_the_case_back(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    first, late = (
        Upload(person_id=person.id, files=(hands.file(),), album="album") for _ in range(2)
    )
    await storage.write(cases.receive, first)
    taken = await hands.take("a")
    assert (await storage.write(cases.receive, late)).id != taken.id
    await storage.write(work.release, taken.id, "a")
    assert (await hands.take("a")).id == taken.id


async def test_who_waits_for_a_doctor_is_known_until_the_doctor_has_spoken(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    await storage.write(people.consent, person.id, "1")
    case = await hands.answered(person)
    await storage.write(reviews.enter, case.id)
    assert await storage.read(work.awaiting_doctor, person.id) == []
    await storage.write(cases.ask_doctor, case.id)
    for state in (CaseState.UNDER_REVIEW, CaseState.REVIEWED):
        assert [each.id for each in await storage.read(work.awaiting_doctor, person.id)] == [
            case.id
        ]
        await storage.write(cases.advance, case.id, state)
    assert await storage.read(work.awaiting_doctor, person.id) == []


async def test_leases_of_a_process_that_is_gone_are_freed_and_their_attempts_count(
    hands: Any, storage: Storage
) -> None:
    await hands.send(await hands.person())
    await hands.take("a")
    assert (await storage.recover()).leases == 1
    assert (await hands.take("b")).attempts == 2


async def test_the_queue_tells_its_length_and_who_is_ahead(hands: Any, storage: Storage) -> None:
    assert await storage.read(work.queue) == work.Queue(0, 0, None)
    await hands.answered(await hands.person(9))
    sent = [await hands.send(await hands.person(n)) for n in (1, 2, 3)]
    assert await storage.read(work.queue, sent[2].id) == work.Queue(3, 2, 0.2)
    assert await storage.read(work.queue) == work.Queue(3, 3, 0.2)


async def test_the_time_of_the_next_work_is_known(hands: Any, storage: Storage) -> None:
    assert await storage.read(work.next_due) is None
    person = await hands.person()
    await hands.send(person)
    await hands.send(person)
    assert await storage.read(work.next_due) == hands.time
    await hands.take()
    assert await storage.read(work.next_due) == hands.time + MINUTE
