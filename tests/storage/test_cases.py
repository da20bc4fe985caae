import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from storage import Storage, cases, history, numbers, people, sources, work
from storage.cases import STEPS, Case, CaseState, StoredFinding, Upload
from storage.errors import CaseGone, IllegalStep
from storage.transaction import Tx

QUIET = timedelta(seconds=2)
REASONS = {"broken"}


def force(tx: Tx, case_id: int, to: CaseState) -> None:
    """Change a state past all our code."""
    reason = "broken" if to in (CaseState.REFUSED, CaseState.FAILED) else None
    sql = "UPDATE cases SET state = :to, reason = :reason WHERE id = :id"
    tx.run(sql, to=to, reason=reason, id=case_id)


@pytest.mark.parametrize("before", CaseState)
async def test_code_and_database_allow_the_same_steps(
    hands: Any, storage: Storage, before: CaseState
) -> None:
    person = await hands.person()
    case = await hands.bring(await hands.send(person), before)
    for after in set(CaseState) - STEPS[before] - {before}:
        with pytest.raises(sqlite3.IntegrityError, match="illegal step"):
            await storage.write(force, case.id, after)
        with pytest.raises(IllegalStep):
            await storage.write(cases.advance, case.id, after)
    for after in STEPS[before]:
        case = await hands.bring(await hands.send(person), before)
        await storage.write(force, case.id, after)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE cases SET state = 'lost'",
        "UPDATE cases SET reason = 'why'",
        "UPDATE cases SET state = 'failed'",
        "UPDATE cases SET number = 'lower-it'",
        "UPDATE cases SET lease_worker = 'me'",
        "UPDATE cases SET erased_at = 1",
        "UPDATE cases SET received_at = 'noon'",
        "UPDATE cases SET person_id = 77",
        "UPDATE cases SET duplicate_of = id",
        "UPDATE case_events SET at = 1",
        "DELETE FROM case_events",
        "DELETE FROM cases",
        "DELETE FROM people",
        "INSERT INTO cases (number, state, received_at, changed_at, next_try_at)"
        " VALUES ('00000000', 'answered', 1, 1, 1)",
        "INSERT INTO findings (case_id, model, modality, normal, bacterial, viral, doubts, slices,"
        " seconds, made_at) VALUES (1, 'm', 'xray', 1.5, 0, 0, '[]', 1, 0, 1)",
    ],
)
async def test_the_database_itself_refuses_nonsense(hands: Any, storage: Storage, sql: str) -> None:
    await hands.send(await hands.person())
    with pytest.raises(sqlite3.IntegrityError):
        await storage.write(lambda tx: tx.run(sql))


async def test_every_step_is_written_down_with_its_time(hands: Any, storage: Storage) -> None:
    case = await hands.send(await hands.person())
    for state in (CaseState.READ, CaseState.CLASSIFIED):
        hands.wait(timedelta(seconds=1))
        await storage.write(cases.advance, case.id, state)
    hands.wait(timedelta(seconds=1))
    await storage.write(cases.advance, case.id, CaseState.FAILED, reason="model_missing")
    events = await storage.read(history.events, case.id)
    assert [event.step for event in events] == ["received", "read", "classified", "failed"]
    assert events[-1].detail == "model_missing"
    assert [(event.at - case.received_at).seconds for event in events] == [0, 1, 2, 3]


async def test_album_parts_within_the_quiet_period_are_one_case(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    part = Upload(person_id=person.id, files=(), album="album", quiet=QUIET)
    for note in (None, "note", "later"):
        upload = replace(part, files=(hands.file(),), note=note)
        case = await storage.write(cases.receive, upload)
        assert await hands.take() is None
        hands.wait(timedelta(seconds=1))
    hands.wait(timedelta(seconds=1))
    taken = await hands.take()
    assert taken.id == case.id
    assert taken.note == "note\nlater"
    assert len(await storage.read(history.files, case.id)) == 3


async def test_an_album_part_that_comes_too_late_or_from_another_is_a_case_of_its_own(
    hands: Any, storage: Storage
) -> None:
    async def part(telegram_id: int) -> Case:
        person = await hands.person(telegram_id)
        upload = Upload(person_id=person.id, files=(hands.file(),), album="album")
        return await storage.write(cases.receive, upload)

    first = await part(1)
    assert (await part(2)).id != first.id
    assert (await hands.take()).id == first.id
    assert (await part(1)).id != first.id


async def test_the_same_content_of_the_same_person_is_found(hands: Any, storage: Storage) -> None:
    ours, theirs = await hands.person(1), await hands.person(2)
    first = await hands.send(ours)
    await storage.write(cases.set_content, first.id, "a" * 64)
    again, other = await hands.send(ours), await hands.send(theirs)
    for case in (again, other):
        await storage.write(cases.set_content, case.id, "a" * 64)
    assert await storage.read(cases.earlier, again.id, REASONS, hands.time) is None
    await hands.bring(first, CaseState.ANSWERED)
    found = await storage.read(cases.earlier, again.id, REASONS, hands.time)
    assert found is not None and found.id == first.id
    assert await storage.read(cases.earlier, other.id, REASONS, hands.time) is None
    assert await storage.read(cases.earlier, first.id, REASONS, hands.time) is None


async def test_a_refused_content_is_found_only_for_a_while_and_for_what_lasts(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    first, again = await hands.send(person), await hands.send(person)
    for case in (first, again):
        await storage.write(cases.set_content, case.id, "a" * 64)
    await storage.write(cases.advance, first.id, CaseState.REFUSED, reason="broken")
    found = await storage.read(cases.earlier, again.id, REASONS, hands.time)
    assert found is not None and found.id == first.id
    assert await storage.read(cases.earlier, again.id, {"empty"}, hands.time) is None
    later = hands.time + timedelta(seconds=1)
    assert await storage.read(cases.earlier, again.id, REASONS, later) is None


async def test_a_duplicate_counts_for_limits_and_is_shown_nowhere(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    first = await hands.answered(person)
    again = await hands.send(person)
    again = await storage.write(cases.mark_duplicate, again.id, first.id)
    assert (again.state, again.reason) == (CaseState.REFUSED, cases.DUPLICATE)
    shown = await storage.read(history.newest, person.id)
    assert [record.case.id for record in shown] == [first.id]
    assert await storage.read(history.own, person.id, again.number) is None
    assert await storage.read(history.received_since, person.id, person.first_seen_at) == 2


async def test_a_file_sent_again_is_known_before_it_is_downloaded(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    upload = Upload(person_id=person.id, files=(hands.file("same"),))
    case = await storage.write(cases.receive, upload)
    assert await storage.read(cases.earlier_file, person.id, "same", REASONS, hands.time) is None
    await hands.bring(case, CaseState.ANSWERED)
    found = await storage.read(cases.earlier_file, person.id, "same", REASONS, hands.time)
    assert found is not None and found.id == case.id
    other = await hands.person(2)
    assert await storage.read(cases.earlier_file, other.id, "same", REASONS, hands.time) is None


async def test_a_finding_comes_back_as_it_was(
    hands: Any, storage: Storage, a_finding: StoredFinding
) -> None:
    case = await hands.send(await hands.person())
    await storage.write(cases.add_finding, case.id, a_finding)
    unsure = replace(a_finding, model="xray-2", label=None, saliency=None, doubts=())
    await storage.write(cases.add_finding, case.id, unsure)
    pneumonia = replace(unsure, model="xray-3", is_pneumonia=True)
    await storage.write(cases.add_finding, case.id, pneumonia)
    assert await storage.read(history.findings, case.id) == (a_finding, unsure, pneumonia)
    both = replace(pneumonia, model="xray-4", label="viral")
    with pytest.raises(sqlite3.IntegrityError):
        await storage.write(cases.add_finding, case.id, both)
    with pytest.raises(sqlite3.IntegrityError):
        await storage.write(cases.add_finding, case.id, a_finding)


async def test_a_wish_for_a_doctor_is_kept_once(hands: Any, storage: Storage) -> None:
    case = await hands.answered(await hands.person())
    assert await storage.write(cases.ask_doctor, case.id)
    assert not await storage.write(cases.ask_doctor, case.id)
    events = await storage.read(history.events, case.id)
    assert [event.step for event in events].count("doctor_asked") == 1


async def test_history_gives_the_newest_first_and_only_one_s_own(
    hands: Any, storage: Storage
) -> None:
    ours, theirs = await hands.person(1), await hands.person(2)
    sent = []
    for _ in range(7):
        sent.append((await hands.send(ours)).number)
        other = await hands.send(theirs)
    shown = await storage.read(history.newest, ours.id, 3)
    assert [record.case.number for record in shown] == sent[:-4:-1]
    assert await storage.read(history.own, ours.id, other.number) is None
    assert await storage.read(history.own, theirs.id, other.number) is not None


async def test_limits_count_what_came_within_the_time(hands: Any, storage: Storage) -> None:
    person = await hands.person()
    await hands.send(person)
    hands.wait(timedelta(minutes=59))
    await hands.send(person)
    hour = timedelta(hours=1)
    assert await storage.read(history.received_since, person.id, hands.time - hour) == 2
    hands.wait(timedelta(minutes=2))
    assert await storage.read(history.received_since, person.id, hands.time - hour) == 1


async def test_a_case_counts_for_the_clinic_its_patient_came_from(
    hands: Any, storage: Storage
) -> None:
    source = await storage.write(sources.create, "clinic")
    person = await storage.write(people.seen, 1, "en", source.token)
    assert (await hands.send(person)).source_id == source.id


async def test_everything_of_a_person_can_be_taken_out(
    hands: Any, storage: Storage, a_finding: StoredFinding
) -> None:
    source = await storage.write(sources.create, "clinic")
    person = await storage.write(people.seen, 4242, "zh", source.token)
    await storage.write(people.consent, person.id, "1")
    case = await hands.answered(person, note="my note")
    image = await hands.image(case)
    await hands.send(await hands.person(2), note="not mine")
    record = await storage.read(history.export, person.id)
    assert record is not None
    assert (record.person.telegram_id, record.source) == (4242, "clinic")
    assert [consent.version for consent in record.consents] == ["1"]
    [only] = record.cases
    assert (only.case.note, only.images, only.findings) == ("my note", (image.id,), (a_finding,))
    assert len(only.files) == 1
    assert await storage.read(history.export, 999) is None


async def test_there_is_no_case_that_was_never_sent(storage: Storage) -> None:
    with pytest.raises(CaseGone):
        await storage.write(cases.advance, 1, CaseState.READ)


async def test_what_is_answered_is_no_longer_unfinished(hands: Any, storage: Storage) -> None:
    person = await hands.person()
    await hands.answered(person)
    await hands.send(person)
    assert [case.state for case in await storage.read(work.unfinished_of, person.id)] == [
        CaseState.RECEIVED
    ]


@pytest.mark.parametrize(
    "typed",
    ["k7q2-9fxo", " K7Q2 9FX0 ", "k7q29fxO", "\uff2b\uff17\uff31\uff12\uff19\uff26\uff38\uff10"],
)
def test_a_number_is_read_as_people_type_it(typed: str) -> None:
    assert numbers.typed(typed) == "K7Q29FX0"


@pytest.mark.parametrize("typed", ["", "K7Q2", "K7Q2-9FXU", "K7Q2-9FX00", "' OR 1=1"])
def test_what_is_no_number_is_not_taken_for_one(typed: str) -> None:
    assert numbers.typed(typed) is None


def test_numbers_do_not_follow_one_another() -> None:
    drawn = [numbers.new_number() for _ in range(1000)]
    assert len(set(drawn)) == 1000
    assert drawn != sorted(drawn)


async def test_a_patient_s_words_do_not_show_in_a_printed_case(hands: Any) -> None:
    case = await hands.send(await hands.person(424242), note="I cough")
    assert "cough" not in repr(case)
    assert "424242" not in repr(await hands.person(424242))
