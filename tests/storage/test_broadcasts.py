import sqlite3
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from storage import Storage, broadcasts, erasure, outbox, people, recipients, sources, staff
from storage.broadcasts import Broadcast, BroadcastState
from storage.outbox import Outgoing, OutKind
from storage.people import Person
from storage.recipients import AHEAD, Audience, Copied, Counts, Crowd, Speech, Written
from storage.staff import Role
from storage.transaction import Tx

MINUTE = timedelta(minutes=1)
SPEECH = Speech(("zh", "en"), "zh")
BOTH = Written({"zh": "你好", "en": "Hello"})
PATIENTS = Audience(Crowd.PATIENTS)


@pytest.fixture
async def admin(storage: Storage) -> int:
    return (await storage.write(staff.add, 9001, Role.ADMIN, "Admin")).id


async def crowd(hands: Any, number: int) -> list[Person]:
    return [await hands.person(100 + n) for n in range(number)]


async def begin(
    storage: Storage,
    admin: int,
    audience: Audience = PATIENTS,
    safety: bool = False,
    content: Copied | Written = BOTH,
) -> int:
    def all_at_once(tx: Tx) -> int:
        made = broadcasts.draft(tx, admin, content)
        assert broadcasts.address(tx, made.id, audience)
        assert broadcasts.weigh(tx, made.id, safety)
        assert broadcasts.start(tx, made.id, SPEECH)
        return made.id

    return await storage.write(all_at_once)


async def top_up(storage: Storage, broadcast_id: int, most: int = 50) -> int:
    def step(tx: Tx) -> int:
        found = broadcasts.get(tx, broadcast_id)
        assert found is not None and found.safety is not None
        return recipients.top_up(tx, found.id, found.content, found.safety, most)

    return await storage.write(step)


async def counts(storage: Storage, broadcast_id: int) -> Counts:
    return await storage.read(recipients.counts, broadcast_id)


async def get(storage: Storage, broadcast_id: int) -> Broadcast:
    found = await storage.read(broadcasts.get, broadcast_id)
    assert found is not None
    return found


async def reached(
    storage: Storage, audience: Audience, safety: bool = False
) -> tuple[int, int, int]:
    found = await storage.read(recipients.count, audience, safety, SPEECH)
    return found.pending, found.opted_out, found.blocked


async def test_an_audience_is_who_it_says(hands: Any, storage: Storage, admin: int) -> None:
    ann, bob, eve, _ = await crowd(hands, 4)
    clinic = await storage.write(sources.create, "Riverside")
    await storage.write(people.seen, bob.telegram_id, "zh-hans", clinic.token)
    await storage.write(people.set_language, eve.id, "zh")
    await storage.write(people.seen, 200, "de")
    # A doctor who wrote, one who also is a patient, and one who was forgotten as a person.
    for doctor in (ann.telegram_id, eve.telegram_id, 300):
        await storage.write(staff.add, doctor, Role.DOCTOR, "Doctor")
    await storage.write(staff.add, 300, Role.ADMIN, "Also admin")
    await storage.write(people.consent, eve.id, "1")
    assert await reached(storage, Audience(Crowd.PATIENTS)) == (4, 0, 0)
    assert await reached(storage, Audience(Crowd.DOCTORS)) == (3, 0, 0)
    # Five who wrote, one doctor, and an admin who never wrote.
    assert await reached(storage, Audience(Crowd.EVERYONE)) == (7, 0, 0)
    assert await reached(storage, Audience(Crowd.SOURCE, source_id=clinic.id)) == (1, 0, 0)
    # Those who chose it, whose Telegram speaks it, or for whom it is the default.
    assert await reached(storage, Audience(Crowd.LANGUAGE, language="zh")) == (3, 0, 0)
    assert await reached(storage, Audience(Crowd.LANGUAGE, language="en")) == (2, 0, 0)


async def test_who_opted_out_is_left_out_of_announcements_but_not_of_safety_notices(
    hands: Any, storage: Storage, admin: int
) -> None:
    ann, bob, _ = await crowd(hands, 3)
    await storage.write(people.opt_out, ann.id, True)
    await storage.write(people.block, bob.telegram_id)
    assert await reached(storage, PATIENTS) == (1, 1, 1)
    assert await reached(storage, PATIENTS, safety=True) == (2, 0, 1)
    broadcast = await begin(storage, admin)
    assert await counts(storage, broadcast) == Counts(pending=1, opted_out=1, blocked=1)
    await storage.write(people.opt_out, ann.id, False)
    assert await reached(storage, PATIENTS) == (2, 0, 1)


async def test_a_few_at_a_time_go_into_the_outbox_each_in_their_language(
    hands: Any, storage: Storage, admin: int
) -> None:
    await storage.write(people.seen, 1, "zh")
    await crowd(hands, 14)
    broadcast = await begin(storage, admin)
    assert await top_up(storage, broadcast, most=10) == 10
    assert await top_up(storage, broadcast, most=10) == 0
    assert await counts(storage, broadcast) == Counts(pending=5, queued=10)
    for row in await storage.write(outbox.lease_due, 3):
        await storage.write(outbox.sent, row.id, 7)
    assert await top_up(storage, broadcast, most=10) == 3
    await top_up(storage, broadcast)
    rows = await storage.write(outbox.lease_due, 100)
    assert {row.payload["text"] for row in rows if row.chat_id != 1} == {"Hello"}
    assert all(row.payload["text"] == "你好" for row in rows if row.chat_id == 1)


async def test_those_whom_telegram_does_not_take_hold_up_nobody_but_do_not_pile_up(
    hands: Any, storage: Storage, admin: int
) -> None:
    await crowd(hands, AHEAD + 10)
    broadcast = await begin(storage, admin)
    for _ in range(AHEAD // 10):
        assert await top_up(storage, broadcast, most=10) == 10
        for row in await storage.write(outbox.lease_due, 100):
            await storage.write(outbox.retry, row.id, hands.time + MINUTE)
    assert await top_up(storage, broadcast, most=10) == 0
    assert (await counts(storage, broadcast)).queued == AHEAD


async def test_what_became_of_a_message_stands_in_its_recipients_row_at_once(
    hands: Any, storage: Storage, admin: int
) -> None:
    await crowd(hands, 7)
    broadcast = await begin(storage, admin, content=Copied(9001, 5))
    await top_up(storage, broadcast)
    rows = await storage.write(outbox.lease_due, 5)
    assert {row.kind for row in rows} == {OutKind.COPY}
    assert rows[0].payload == {"chat": 9001, "message": 5}
    await storage.write(outbox.sent, rows[0].id, 1)
    await storage.write(outbox.failed, rows[1].id, "blocked")
    await storage.write(outbox.failed, rows[2].id, "chat not found")
    await storage.write(outbox.retry, rows[3].id, hands.time + MINUTE)
    expected = Counts(queued=4, sent=1, blocked=1, failed=1)
    assert await counts(storage, broadcast) == expected
    await storage.write(outbox.recover)
    assert await counts(storage, broadcast) == Counts(
        queued=3, sent=1, blocked=1, failed=1, unknown=1
    )
    waiting = await storage.read(
        lambda tx: tx.rows("SELECT chat_id FROM outbox WHERE state = 'pending'")
    )
    await storage.write(people.block, waiting[0]["chat_id"])
    assert (await counts(storage, broadcast)).blocked == 2
    lines = await storage.read(recipients.lines, broadcast)
    assert [line.number for line in lines] == list(range(1, 8))
    assert Counter((line.state, line.reason) for line in lines) == {
        ("sent", None): 1,
        ("blocked", None): 2,
        ("failed", "chat not found"): 1,
        ("unknown", "restart"): 1,
        ("queued", None): 2,
    }


async def test_who_is_forgotten_is_counted_and_named_no_more(
    hands: Any, storage: Storage, admin: int
) -> None:
    ann, bob, eve = await crowd(hands, 3)
    broadcast = await begin(storage, admin)
    await storage.erase(erasure.forget, ann.id)
    await top_up(storage, broadcast)
    [row] = await storage.write(outbox.lease_due, 1)
    in_flight, waiting = (bob, eve) if row.chat_id == bob.telegram_id else (eve, bob)
    await storage.erase(erasure.forget, waiting.id)
    assert await counts(storage, broadcast) == Counts(queued=1, left=2)
    # The message is on its way and may arrive.
    await storage.erase(erasure.forget, in_flight.id)
    assert await counts(storage, broadcast) == Counts(unknown=1, left=2)
    await storage.write(outbox.sent, row.id, 1)
    assert await counts(storage, broadcast) == Counts(unknown=1, left=2)
    assert await storage.write(broadcasts.finish, broadcast)


async def test_who_leaves_or_opts_out_before_their_turn_gets_nothing(
    hands: Any, storage: Storage, admin: int
) -> None:
    ann, bob, *_ = await crowd(hands, 3)
    doctor = await storage.write(staff.add, ann.telegram_id, Role.DOCTOR, "Doctor")
    await storage.write(people.consent, ann.id, "1")
    to_patients = await begin(storage, admin)
    to_doctors = await begin(storage, admin, Audience(Crowd.DOCTORS))
    await storage.write(staff.revoke, doctor.id)
    await storage.write(people.opt_out, bob.id, True)
    await top_up(storage, to_patients)
    await top_up(storage, to_doctors)
    assert await counts(storage, to_patients) == Counts(queued=2, opted_out=1)
    assert await counts(storage, to_doctors) == Counts(left=1)


async def test_a_pause_takes_back_what_waits_and_lets_go_what_is_in_flight(
    hands: Any, storage: Storage, admin: int
) -> None:
    await crowd(hands, 5)
    broadcast = await begin(storage, admin)
    await top_up(storage, broadcast)
    first, second = await storage.write(outbox.lease_due, 2)
    assert await storage.write(broadcasts.pause, broadcast)
    assert not await storage.write(broadcasts.pause, broadcast)
    assert await counts(storage, broadcast) == Counts(pending=3, queued=2)
    assert await storage.write(outbox.lease_due, 5) == []
    await storage.write(outbox.sent, first.id, 1)
    # Telegram asked for a pause of its own: the row waits again, and is taken back, too.
    await storage.write(outbox.retry, second.id, hands.time)
    assert [each.id for each in await storage.read(broadcasts.to_do)] == [broadcast]
    await storage.write(recipients.recall, broadcast)
    assert await counts(storage, broadcast) == Counts(pending=4, sent=1)
    assert await storage.read(broadcasts.to_do) == []
    assert await storage.write(broadcasts.resume, broadcast)
    await top_up(storage, broadcast)
    assert await counts(storage, broadcast) == Counts(queued=4, sent=1)


async def test_a_cancelled_one_reaches_nobody_more_and_ends_with_what_is_in_flight(
    hands: Any, storage: Storage, admin: int
) -> None:
    await crowd(hands, 5)
    broadcast = await begin(storage, admin)
    await top_up(storage, broadcast)
    [row] = await storage.write(outbox.lease_due, 1)
    assert await storage.write(broadcasts.cancel, broadcast)
    assert await counts(storage, broadcast) == Counts(queued=1, cancelled=4)
    assert not await storage.write(broadcasts.finish, broadcast)
    await storage.write(outbox.sent, row.id, 1)
    assert await storage.write(broadcasts.finish, broadcast)
    assert not await storage.write(broadcasts.finish, broadcast)
    assert (await get(storage, broadcast)).state is BroadcastState.CANCELLED
    assert not await storage.write(broadcasts.resume, broadcast)


async def test_a_scheduled_one_counts_who_is_there_when_it_is_due(
    hands: Any, storage: Storage, admin: int
) -> None:
    def compose(tx: Tx) -> int:
        made = broadcasts.draft(tx, admin, BOTH)
        broadcasts.address(tx, made.id, PATIENTS)
        broadcasts.weigh(tx, made.id, False)
        assert broadcasts.schedule(tx, made.id, hands.time + MINUTE)
        return made.id

    broadcast = await storage.write(compose)
    await crowd(hands, 2)
    assert await storage.read(broadcasts.next_due) == hands.time + MINUTE
    assert await storage.read(broadcasts.to_do) == []
    assert [each.id for each in await storage.read(broadcasts.under_way)] == [broadcast]
    hands.wait(MINUTE)
    assert [each.id for each in await storage.read(broadcasts.to_do)] == [broadcast]
    assert await storage.write(broadcasts.start, broadcast, SPEECH)
    assert not await storage.write(broadcasts.start, broadcast, SPEECH)
    assert (await counts(storage, broadcast)).pending == 2


async def test_a_draft_that_is_begun_or_discarded_is_changed_no_more(
    hands: Any, storage: Storage, admin: int
) -> None:
    await crowd(hands, 1)
    running = await begin(storage, admin)
    gone = (await storage.write(broadcasts.draft, admin, BOTH)).id
    assert not await storage.write(broadcasts.weigh, gone, True)
    assert await storage.write(broadcasts.discard, gone)
    for broadcast in (running, gone):
        assert not await storage.write(broadcasts.write, broadcast, Copied(1, 1))
        assert not await storage.write(broadcasts.address, broadcast, PATIENTS)
        assert not await storage.write(broadcasts.weigh, broadcast, True)
        assert not await storage.write(broadcasts.schedule, broadcast, hands.time)
        assert not await storage.write(broadcasts.start, broadcast, SPEECH)
        assert not await storage.write(broadcasts.discard, broadcast)
    with pytest.raises(sqlite3.IntegrityError, match="illegal step"):
        await storage.write(lambda tx: tx.run("UPDATE broadcasts SET state = 'draft'"))
    assert await storage.read(broadcasts.get, 99) is None


async def test_announcements_let_everything_else_pass_and_crowd_nobody(
    hands: Any, storage: Storage, admin: int
) -> None:
    await crowd(hands, 3)
    broadcast = await begin(storage, admin)
    await top_up(storage, broadcast)
    assert await storage.read(outbox.waiting) == 0
    assert await storage.write(outbox.lease_due, 3, (), False) == []
    for chat in (100, 200):
        out = Outgoing(key=f"answer {chat}", chat_id=chat, kind=OutKind.MESSAGE)
        await storage.write(outbox.enqueue, out)
    first = await storage.write(outbox.lease_due, 3)
    assert sorted(row.key for row in first)[:2] == ["answer 100", "answer 200"]
    # One announcement is in flight; its chat gets nothing beside it.
    chat = next(row.chat_id for row in first if row.key.startswith("broadcast:"))
    late = Outgoing(key="late answer", chat_id=chat, kind=OutKind.PHOTO)
    await storage.write(outbox.enqueue, late)
    assert chat not in {row.chat_id for row in await storage.write(outbox.lease_due, 9)}


async def test_each_step_finds_its_rows_by_an_index(storage: Storage) -> None:
    def plans(tx: Tx) -> str:
        questions = (
            "SELECT 1 FROM recipients WHERE broadcast_id = 1 AND state = 'pending' LIMIT 1",
            "SELECT state, reason, count(*) FROM recipients WHERE broadcast_id = 1 GROUP BY 1, 2",
            "SELECT 1 FROM recipients WHERE person_id = 1",
        )
        found = [tx.rows(f"EXPLAIN QUERY PLAN {question}") for question in questions]
        return "\n".join(row["detail"] for rows in found for row in rows)

    shown = await storage.read(plans)
    assert shown.count("SEARCH recipients") == 3 and "TEMP" not in shown
