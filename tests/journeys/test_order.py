"""Updates that could not be written down: none is lost, and none overtakes another."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bot import app, receive
from bot.context import BotApplication
from bot.patient import scans
from bot.sandbox.client import User
from storage import dialogs, work
from storage.errors import StorageBusy

from .clinic import POLLING, Clinic, takes
from .pictures import xray
from .stage import Stage


def busy_at_first(take: Any) -> Any:
    """Let a step fail once, as when another process holds the database."""
    tries: list[object] = []

    def step(*given: Any) -> Any:
        tries.append(given)
        if len(tries) == 1:
            raise StorageBusy
        return take(*given)

    return step


@POLLING
async def test_what_came_after_does_not_overtake(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.stop()
    await ann.sends_photo(xray())
    await ann.says("/cancel")
    monkeypatch.setattr(scans, "_take_in", busy_at_first(scans._take_in))
    await stage.start()
    await ann.sees("Stopped. Taken out of the queue: 1.")
    assert stage.value("SELECT state FROM cases") == "withdrawn"


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_what_cannot_be_read_or_was_not_asked_for_costs_nobody_else(
    stage: Stage, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    updates, person = stage.sandbox.world.updates, {"id": 1, "is_bot": False, "first_name": "Ann"}
    await ann.says("/status")
    await ann.hears()
    said = stage.value("SELECT count(*) FROM outbox")
    edited = {
        "message_id": 1,
        "date": 1,
        "chat": {"id": 1, "type": "private"},
        "from": person,
        "text": "my cough, said better",
    }
    updates.allow([])
    updates.push("callback_query", {"id": "1", "from": person, "data": "my cough"})
    updates.push("edited_message", edited)
    updates.push("something_new", {"text": "my cough"})
    await ann.says("/help")
    assert "/forget" in (await ann.hears()).text
    assert "cannot be read is passed over (TypeError)" in caplog.text
    assert "my cough" not in caplog.text
    assert stage.value("SELECT count(*) FROM outbox") == said + 1


@POLLING
async def test_a_doctors_words_are_not_taken_for_a_patients(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    [doctor] = await clinic.opens(undo_seconds=60)
    await clinic.case(await clinic.stage.agreed(1))
    await takes(doctor)
    await doctor.taps("Normal")
    await doctor.sees("Your verdict:")
    monkeypatch.setattr(dialogs, "current", busy_at_first(dialogs.current))
    await doctor.says("my careful comment")
    await doctor.sees("Noted for case")
    assert clinic.stage.value("SELECT comment FROM opinions") == "my careful comment"
    assert not [each for each in await doctor.messages() if "I can only read" in each.text]


@POLLING
async def test_a_restart_in_the_middle_of_an_album_does_not_split_it(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = asyncio.Event()

    async def two_only(application: BotApplication) -> None:
        updates = await application.bot.get_updates(limit=2, timeout=5)
        await receive.handle(application, updates)
        taken.set()
        await asyncio.Event().wait()

    await stage.stop()
    monkeypatch.setattr(scans, "QUIET", timedelta(seconds=1))
    await ann.sends_album([xray(seed=seed) for seed in range(4)])
    with monkeypatch.context() as patch:
        patch.setattr(app, "poll", two_only)
        await stage.start()
        await asyncio.wait_for(taken.wait(), 10)
        await stage.stop()
    assert stage.value("SELECT count(*) FROM scans") == 2
    stage.change("UPDATE cases SET next_try_at = 1")
    monkeypatch.setattr(work, "ALBUM_PARTS_COME", timedelta(seconds=1))
    await stage.start()
    for _ in range(4):
        await ann.hears_photo()
    assert stage.value("SELECT count(*) FROM cases") == 1
