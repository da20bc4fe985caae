import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from storage import Storage, outbox, people, updates
from storage.outbox import Outgoing, OutKind, OutRow, OutState
from storage.transaction import Tx

MINUTE = timedelta(minutes=1)


def out(key: str, chat: int = 1, kind: OutKind = OutKind.MESSAGE, **more: Any) -> Outgoing:
    return Outgoing(key=key, chat_id=chat, kind=kind, payload={"text": f"肺 {key}"}, **more)


async def lease(storage: Storage, **options: Any) -> list[str]:
    return [row.key for row in await storage.write(outbox.lease_due, **options)]


async def state(storage: Storage, key: str) -> OutRow:
    row = await storage.read(outbox.by_key, key)
    assert row is not None
    return row


async def test_the_same_thing_is_never_written_twice(storage: Storage) -> None:
    assert await storage.write(outbox.enqueue, out("a"))
    assert not await storage.write(outbox.enqueue, out("a", chat=2))
    assert (await state(storage, "a")).payload == {"text": "肺 a"}


async def test_an_update_and_what_follows_from_it_happen_together_or_not_at_all(
    storage: Storage,
) -> None:
    def take_in(tx: Tx, update_id: int, broken: bool) -> bool:
        if not updates.first_time(tx, update_id):
            return False
        outbox.enqueue(tx, out(f"update:{update_id}"))
        if broken:
            raise KeyError
        return True

    with pytest.raises(KeyError):
        await storage.write(take_in, 7, True)
    assert await storage.read(outbox.waiting) == 0
    assert await storage.write(take_in, 7, False)
    assert not await storage.write(take_in, 7, False)
    assert await storage.read(outbox.waiting) == 1


async def test_deletions_that_were_not_taken_hold_up_neither_words_nor_each_other(
    hands: Any, storage: Storage
) -> None:
    for message in (11, 12):
        await storage.write(outbox.take_out, "x", 1, message)
    day = timedelta(days=1)
    for wait in (day, timedelta(minutes=1)):
        [row] = await storage.write(outbox.lease_due)
        await storage.write(outbox.retry, row.id, hands.time + wait)
    await storage.write(outbox.enqueue, out("word"))
    await storage.write(outbox.enqueue, out(f"{outbox.ANNOUNCEMENT}1"))
    for expected in ("word", f"{outbox.ANNOUNCEMENT}1"):
        [row] = await storage.write(outbox.lease_due)
        assert row.key == expected
        await storage.write(outbox.sent, row.id, 5)
    assert await storage.write(outbox.lease_due) == []
    hands.time += timedelta(minutes=2)
    [row] = await storage.write(outbox.lease_due)
    assert row.payload == {"message_id": 12}


async def test_who_writes_much_makes_no_crowd_alone(storage: Storage) -> None:
    for count in range(40):
        await storage.write(outbox.enqueue, out(f"{count}", chat=1))
    assert await storage.read(outbox.waiting) == 1
    await storage.write(outbox.enqueue, out("another", chat=2))
    assert await storage.read(outbox.waiting) == 2


async def test_a_chat_gets_its_messages_one_at_a_time_in_order(
    hands: Any, storage: Storage
) -> None:
    for key, chat in (("a1", 1), ("a2", 1), ("b1", 2), ("a3", 1)):
        await storage.write(outbox.enqueue, out(key, chat))
    assert await lease(storage) == ["a1", "b1"]
    assert await lease(storage) == []
    await storage.write(outbox.retry, (await state(storage, "a1")).id, hands.time + MINUTE)
    assert await lease(storage) == []
    hands.wait(MINUTE)
    assert await lease(storage) == ["a1"]
    await storage.write(outbox.sent, (await state(storage, "a1")).id, 11)
    assert await lease(storage) == ["a2"]
    assert (await state(storage, "a1")).attempts == 2


async def test_the_database_itself_keeps_one_message_in_flight_for_each_chat(
    storage: Storage,
) -> None:
    for key in "ab":
        await storage.write(outbox.enqueue, out(key))
    with pytest.raises(sqlite3.IntegrityError):
        await storage.write(lambda tx: tx.run("UPDATE outbox SET state = 'sending'"))


async def test_a_chat_that_rests_is_left_out(storage: Storage) -> None:
    for key, chat in (("a", 1), ("b", 2), ("c", 3)):
        await storage.write(outbox.enqueue, out(key, chat))
    assert await lease(storage, resting={2}, limit=1) == ["a"]
    assert await lease(storage, resting={2}) == ["c"]
    assert await lease(storage) == ["b"]


async def test_nothing_goes_out_before_its_time(hands: Any, storage: Storage) -> None:
    assert await storage.read(outbox.next_due) is None
    at = hands.time + MINUTE
    await storage.write(outbox.enqueue, out("a"))
    await storage.write(outbox.enqueue, out("b"))
    await lease(storage, limit=1)
    await storage.write(outbox.retry, (await state(storage, "a")).id, at)
    assert await storage.read(outbox.next_due) == at
    assert await lease(storage) == []
    hands.wait(MINUTE)
    assert await lease(storage) == ["a"]


async def test_an_edit_learns_where_its_message_went(storage: Storage) -> None:
    await storage.write(outbox.enqueue, out("progress"))
    await storage.write(outbox.enqueue, out("edit", kind=OutKind.EDIT, target="progress"))
    [row] = await storage.write(outbox.lease_due)
    await storage.write(outbox.sent, row.id, 77)
    [edit] = await storage.write(outbox.lease_due)
    assert edit.target_message_id == 77


async def test_edits_that_still_wait_give_way_to_a_later_word(storage: Storage) -> None:
    await storage.write(outbox.enqueue, out("progress"))
    for key in ("edit1", "edit2"):
        await storage.write(outbox.enqueue, out(key, kind=OutKind.EDIT, target="progress"))
    assert await lease(storage) == ["progress"]
    assert await storage.write(outbox.drop_edits, "progress") == 2
    await storage.write(outbox.enqueue, out("answer"))
    await storage.write(outbox.sent, (await state(storage, "progress")).id, 1)
    assert await lease(storage) == ["answer"]


async def test_a_last_word_on_a_case_waits_for_the_answers_of_others_but_never_long(
    hands: Any, storage: Storage
) -> None:
    for chat, target in enumerate((f"{outbox.PROGRESS}1", "card:1", None)):
        key = f"edit of {target}"
        await storage.write(outbox.enqueue, out(key, chat, OutKind.EDIT, target=target))
    assert await lease(storage, afterwords=False) == ["edit of card:1", "edit of None"]
    # What has to wait hides nothing that has a time of its own.
    due = hands.time + outbox.LONGEST_AFTERWORD
    assert await storage.read(outbox.next_due, afterwords=False) == due
    soon = hands.time + timedelta(seconds=1)
    await storage.write(outbox.enqueue, out("again", 9))
    await lease(storage, afterwords=False)
    await storage.write(outbox.retry, (await state(storage, "again")).id, soon)
    assert await storage.read(outbox.next_due, afterwords=False) == soon
    assert await lease(storage, afterwords=False) == []
    hands.wait(outbox.LONGEST_AFTERWORD)
    assert await lease(storage, afterwords=False) == [f"edit of {outbox.PROGRESS}1", "again"]


async def test_what_waits_behind_a_last_word_does_not_wait_for_others(
    storage: Storage,
) -> None:
    word = out("word", kind=OutKind.EDIT, target=f"{outbox.PROGRESS}1")
    await storage.write(outbox.enqueue, word)
    assert await lease(storage, afterwords=False) == []
    await storage.write(outbox.enqueue, out("reply"))
    assert await lease(storage, afterwords=False) == ["word"]


async def test_after_a_restart_uploads_in_flight_are_in_doubt_and_edits_are_done_again(
    storage: Storage,
) -> None:
    for chat, kind in enumerate(OutKind):
        await storage.write(outbox.enqueue, out(kind, chat, kind))
    await storage.write(outbox.lease_due)
    await storage.write(outbox.enqueue, out("later"))
    found = await storage.recover()
    assert (found.unknown, found.again) == (5, 2)
    for kind in OutKind:
        repeatable = kind in outbox.REPEATABLE
        expected = OutState.PENDING if repeatable else OutState.UNKNOWN
        assert (await state(storage, kind)).state == expected
    assert set(await lease(storage)) == {"edit", "delete", "later"}


async def test_admins_hear_of_each_doubt_once(storage: Storage) -> None:
    for chat in (1, 2):
        await storage.write(outbox.enqueue, out(f"m{chat}", chat))
    first, second = await storage.write(outbox.lease_due)
    await storage.write(outbox.unknown, first.id, "timeout")
    await storage.write(outbox.sent, second.id, 5)
    [doubt] = await storage.read(outbox.unreported)
    assert (doubt.key, doubt.reason) == ("m1", "timeout")
    await storage.write(outbox.mark_reported, [doubt.id])
    assert await storage.read(outbox.unreported) == []


@pytest.mark.parametrize("end", ["sent", "unknown", "failed", "dropped"])
async def test_what_is_done_is_not_sent_again(storage: Storage, end: str) -> None:
    await storage.write(outbox.enqueue, out("a"))
    [row] = await storage.write(outbox.lease_due)
    await storage.write(lambda tx: tx.run("UPDATE outbox SET state = :end", end=end))
    assert not await storage.write(outbox.sent, row.id, 1)
    assert not await storage.write(outbox.unknown, row.id)
    assert not await storage.write(outbox.failed, row.id, "late")
    assert await lease(storage) == []
    with pytest.raises(sqlite3.IntegrityError, match="illegal step"):
        await storage.write(lambda tx: tx.run("UPDATE outbox SET state = 'pending'"))


async def test_who_blocked_the_bot_gets_nothing_more_until_they_write_again(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person(1)
    for key, chat in (("a", 1), ("b", 1), ("c", 2)):
        await storage.write(outbox.enqueue, out(key, chat))
    [row, _] = await storage.write(outbox.lease_due)
    await storage.write(outbox.failed, row.id, "blocked")
    assert await storage.write(people.block, 1) == 1
    blocked = await storage.read(people.get, person.id)
    assert blocked is not None and blocked.blocked_at == hands.time
    assert (await state(storage, "b")).state == OutState.DROPPED
    assert (await hands.person(1)).blocked_at is None


async def test_last_words_leave_no_row(storage: Storage) -> None:
    await storage.write(outbox.enqueue, out("bye", fleeting=True))
    [row] = await storage.write(outbox.lease_due)
    assert await storage.write(outbox.sent, row.id, 1)
    assert await storage.read(outbox.by_key, "bye") is None


async def test_last_words_that_may_or_may_not_have_arrived_leave_no_row(storage: Storage) -> None:
    await storage.write(outbox.enqueue, out("bye", fleeting=True))
    await storage.write(outbox.lease_due)
    assert (await storage.write(outbox.recover)).unknown == 1
    assert await storage.read(outbox.by_key, "bye") is None


async def test_of_a_file_in_doubt_whoever_asked_is_told_before_it_leaves_no_row(
    storage: Storage,
) -> None:
    await storage.write(outbox.enqueue, out("file", kind=OutKind.DOCUMENT, fleeting=True))
    await storage.write(outbox.lease_due)
    await storage.write(outbox.recover)
    [row] = await storage.read(outbox.unreported)
    await storage.write(outbox.mark_reported, [row.id])
    assert await storage.read(outbox.by_key, "file") is None


async def test_last_words_to_somebody_who_blocked_the_bot_leave_no_row(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    await storage.write(outbox.enqueue, out("bye", person.telegram_id, fleeting=True))
    await storage.write(outbox.enqueue, out("more", person.telegram_id))
    assert await storage.write(people.block, person.telegram_id) == 2
    assert await storage.read(outbox.by_key, "bye") is None
    assert await storage.read(outbox.by_key, "more") is not None


async def test_old_rows_go_but_not_what_waits_or_is_in_unreported_doubt(
    hands: Any, storage: Storage
) -> None:
    for chat, key in enumerate(("sent", "doubt", "waits")):
        await storage.write(outbox.enqueue, out(key, chat))
    rows = await storage.write(outbox.lease_due, 2)
    await storage.write(outbox.sent, rows[0].id, 1)
    await storage.write(outbox.unknown, rows[1].id)
    hands.wait(MINUTE)
    assert await storage.write(outbox.prune, hands.time) == 1
    assert await storage.read(outbox.by_key, "sent") is None


async def test_bytes_of_an_image_do_not_get_into_the_outbox(storage: Storage) -> None:
    with pytest.raises(TypeError):
        await storage.write(outbox.enqueue, replace(out("a"), payload={"photo": b"pixels"}))
    assert "肺" not in repr(out("a"))
