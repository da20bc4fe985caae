"""Nothing lost, nothing twice: between the bot and Telegram."""

import asyncio
import sqlite3
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from telegram.error import ChatMigrated, NetworkError
from telegram.ext import ExtBot

from bot import outbox as sender
from bot import pace, sending, worker
from bot.sandbox.client import User
from bot.worker import Worker
from storage.cases import UploadedFile

from .pictures import xray
from .stage import ADMIN, Stage

# Slow, and about what goes out, or about polling itself.
POLLING = pytest.mark.parametrize("mode", ["polling"])


async def photos(user: User) -> int:
    return len([m for m in await user.messages() if m.from_bot and m.photo])


async def test_a_repeated_update_does_nothing_twice(stage: Stage, ann: User) -> None:
    updates = stage.sandbox.world.updates
    await ann.sends_photo(xray())
    (update,) = list(updates._pending) or [None]
    await ann.hears_photo()
    last = stage.value("SELECT max(update_id) FROM updates")
    update = update or {}
    for _ in range(3):
        updates._pending.append(update | {"update_id": last})
        updates._arrived.set()
        await stage.sim.quiet()
    assert await photos(ann) == 1
    assert stage.value("SELECT count(*) FROM cases") == 1


async def test_retry_after_is_obeyed(stage: Stage, ann: User) -> None:
    await stage.sim.fault("sendPhoto", retry_after=2)
    await ann.sends_photo(xray())
    await stage.sim.until(lambda calls: len(calls) == 2, "sendPhoto")
    await ann.hears_photo()
    refused, sent = await stage.sim.calls("sendPhoto")
    assert sent.at - refused.at >= 2
    between = [c for c in await stage.sim.calls() if refused.number < c.number < sent.number]
    assert not [
        call
        for call in between
        if call.method.lower().startswith(("send", "edit"))
        and call.method.lower() != "sendchataction"
    ]
    assert await photos(ann) == 1


async def test_network_errors_are_tried_again_with_longer_and_longer_waits(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BACKOFF", sender.timedelta(seconds=0.2))
    await stage.sim.fault("sendPhoto", code=502, times=3)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    at = [call.at for call in await stage.sim.calls("sendPhoto")]
    waits = [later - earlier for earlier, later in pairwise(at)]
    # On a busy machine each may take longer than it has to.
    assert all(wait >= least for wait, least in zip(waits, (0.2, 0.4, 0.8), strict=True))
    assert await photos(ann) == 1


async def test_telegram_that_fails_while_a_file_is_fetched_is_waited_out(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "OUTAGE_WAIT", worker.timedelta(seconds=0.05))
    await stage.sim.fault("getFile", code=502, times=5)
    await stage.sim.fault("download", drop=True, times=2)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    assert stage.value("SELECT attempts FROM cases") == 1
    assert not any("went wrong" in message.text for message in await ann.messages())


@POLLING
async def test_who_waited_long_in_the_queue_is_not_given_up_when_telegram_begins_to_fail(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "OUTAGE_WAIT", worker.timedelta(seconds=0.05))
    monkeypatch.setattr(worker, "GIVE_UP_AFTER", 1)
    await stage.sim.fault("download", delay=30)
    await ann.sends_photo(xray())
    await ann.sends_photo(xray(seed=2))
    await stage.sim.until(lambda calls: len(calls) == 1, "getFile")
    while stage.value("SELECT count(*) FROM cases") < 2:
        await stage.sim.quiet(0.02)
    stage.change("UPDATE cases SET received_at = received_at - 7200000000")
    await stage.sim.fault("getFile", code=502, times=3)
    await stage.sim.release()
    await ann.hears_photo()
    await ann.hears_photo()
    assert {row["attempts"] for row in stage.rows("SELECT attempts FROM cases")} == {1}


@POLLING
async def test_a_file_that_fails_while_others_do_not_is_given_up_in_the_end(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, fetch, fails = await stage.agreed(2), Worker._fetch, list[str]()

    async def fail(self: Worker, file: UploadedFile, folder: Path) -> Path:
        fails.append(file.unique_id)
        if file.unique_id == fails[0]:
            raise NetworkError("Bad Gateway")
        return await fetch(self, file, folder)

    monkeypatch.setattr(Worker, "_fetch", fail)
    monkeypatch.setattr(worker, "OUTAGE_WAIT", worker.timedelta(seconds=0.05))
    monkeypatch.setattr(worker, "OUTAGE_PATIENCE", worker.timedelta(seconds=0.5))
    monkeypatch.setattr(worker, "GIVE_UP_AFTER", 1)
    await ann.sends_photo(xray())
    while not fails:
        await stage.sim.quiet(0.02)
    async with asyncio.timeout(10):
        while stage.value("SELECT state FROM cases WHERE id = 1") != "failed":
            await bob.sends_photo(xray(seed=len(fails)))
            await bob.hears_photo()
    await ann.sees("your picture got no answer")


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize(
    "fault", [{"drop": True}, {"code": 504}, {"delay": 1}], ids=["cut", "gateway", "too slow"]
)
async def test_an_upload_in_doubt_is_not_repeated_and_the_admins_hear(
    stage: Stage,
    ann: User,
    fault: dict[str, Any],
    carried_out: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if fault == {"delay": 1}:
        monkeypatch.setattr(sending, "UPLOAD", {"write_timeout": 0.3, "read_timeout": 0.3})
        fault = fault | {"drop": not carried_out}
    admin = await stage.agreed(ADMIN)
    await stage.sim.fault("sendPhoto", after=carried_out, **fault)
    await ann.sends_photo(xray())
    told = await admin.sees("may or may not have arrived")
    number = stage.value("SELECT number FROM cases")
    assert number in told.text
    await stage.sim.until(bool, "sendPhoto")
    await stage.sim.quiet(0.5)
    assert len(await stage.sim.calls("sendPhoto")) == 1
    assert await photos(ann) == int(carried_out)
    assert stage.value("SELECT state FROM outbox WHERE key LIKE 'result:%'") == "unknown"
    # Nobody is stuck behind the doubt, and who misses the answer gets it by asking again.
    assert stage.value("SELECT state FROM cases") == "answered"
    await ann.sends_photo(xray())
    await ann.hears_photo()


async def test_admins_hear_of_answers_in_doubt_and_of_no_other_words(
    stage: Stage, ann: User
) -> None:
    admin = await stage.agreed(ADMIN)
    await stage.sim.fault("sendMessage", drop=True, chat_id=ann.id)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await stage.sim.quiet()
    assert stage.value("SELECT state FROM outbox WHERE key LIKE 'progress:%'") == "unknown"
    assert not any("may or may not" in message.text for message in await admin.messages())


@pytest.mark.parametrize(
    ("code", "description", "reason"),
    [(400, "Bad Request: too <big", "Too <big"), (413, "Request Entity Too Large", "too large")],
)
async def test_an_answer_that_telegram_refuses_is_told_to_patient_and_admins(
    stage: Stage, ann: User, code: int, description: str, reason: str
) -> None:
    admin = await stage.agreed(ADMIN)
    await stage.sim.fault("sendPhoto", code=code, description=description)
    await ann.sends_photo(xray())
    await ann.sees("your picture got no answer")
    number = stage.value("SELECT number FROM cases")
    told = await admin.sees(f"Case {number}: the answer could not be sent")
    assert f"({reason})" in told.text
    # Whoever asks again gets it, or hears again that it does not work.
    await ann.sends_photo(xray())
    await ann.hears_photo()


@POLLING
async def test_a_chat_that_is_another_now_is_not_tried_for_ever(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def migrated(*_: object, **__: object) -> None:
        raise ChatMigrated(-100)

    monkeypatch.setattr(ExtBot, "send_photo", migrated)
    await ann.sends_photo(xray())
    await ann.sees("your picture got no answer")
    assert stage.value("SELECT reason FROM outbox WHERE kind = 'photo'") == "ChatMigrated"


async def test_an_answer_whose_picture_is_lost_is_told_to_patient_and_admins(
    stage: Stage, ann: User
) -> None:
    admin = await stage.agreed(ADMIN)
    await stage.sim.fault("sendPhoto", code=502)
    await ann.sends_photo(xray())
    await stage.sim.until(bool, "sendPhoto")
    for image in (stage.data_dir / "images").rglob("*"):
        if image.is_file():
            image.unlink()
    await ann.sees("your picture got no answer")
    await admin.sees("the answer could not be sent (ImageGone)")


@POLLING
async def test_an_answer_that_telegram_never_takes_does_not_silence_its_chat(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await stage.agreed(ADMIN)
    monkeypatch.setattr(sender, "BACKOFF", sender.timedelta(seconds=0.02))
    monkeypatch.setattr(sender, "MOST_ATTEMPTS", 3)
    await stage.sim.fault("sendPhoto", code=502, times=100)
    await ann.sends_photo(xray())
    await ann.sees("your picture got no answer")
    await admin.sees("the answer could not be sent (not taken for a day)")
    assert len(await stage.sim.calls("sendPhoto")) == 3
    assert stage.value("SELECT state FROM cases") == "answered"


@POLLING
async def test_an_answer_outlasts_a_day_without_telegram(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BACKOFF", sender.timedelta(seconds=0.02))
    monkeypatch.setattr(sender, "MOST_ATTEMPTS", 2)
    await stage.sim.fault("sendPhoto", code=401, times=5)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    assert len(await stage.sim.calls("sendPhoto")) == 6


@POLLING
async def test_pictures_that_cannot_be_fetched_hold_up_nobody_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, fails = Worker._fetch, set[str]()

    async def fail(self: Worker, file: UploadedFile, folder: Path) -> Path:
        if file.unique_id in fails:
            raise NetworkError("Bad Gateway")
        return await fetch(self, file, folder)

    monkeypatch.setattr(Worker, "_fetch", fail)
    monkeypatch.setattr(worker, "OUTAGE_WAIT", worker.timedelta(seconds=6))
    people = [await stage.agreed(number) for number in range(1, worker.SIDE_BY_SIDE + 2)]
    for seed, stuck in enumerate(people[:-1]):
        sent = await stuck.sends_file(xray(seed=seed))
        fails.add(sent["document"]["file_unique_id"])
    while stage.value("SELECT count(*) FROM cases WHERE next_try_at > received_at") < len(fails):
        await stage.sim.quiet(0.02)
    await people[-1].sends_file(xray(seed=99))
    await people[-1].hears_photo(within=5.5)
    fails.clear()
    for stuck in people[:-1]:
        await stuck.hears_photo()


async def test_a_file_that_is_gone_from_telegrams_server_is_asked_for_again(
    stage: Stage, ann: User
) -> None:
    await stage.sim.fault("download", code=404)
    await ann.sends_file(xray())
    await ann.sees("Telegram did not hand me the file")


@POLLING
async def test_who_sent_a_file_too_large_to_be_fetched_hears_the_limit_and_the_way_round(
    stage: Stage, ann: User
) -> None:
    description = "Bad Request: file is too big"
    await stage.sim.fault("getFile", code=400, description=description)
    await ann.sends_file(xray())
    refused = await ann.sees("too large for me to fetch")
    assert "at most 20 MB" in refused.text and "JPEG Lossless" in refused.text
    # It is not the picture that is refused, so that it is looked at when it can be.
    await ann.sends_file(xray())
    await ann.hears_photo()


@POLLING
async def test_retry_after_is_obeyed_when_a_file_is_fetched(stage: Stage, ann: User) -> None:
    await stage.sim.fault("getFile", retry_after=3)
    await ann.sends_photo(xray())
    await ann.hears_photo(within=8)
    refused, handed = await stage.sim.calls("getFile")
    assert handed.at - refused.at >= 3


async def test_one_case_that_breaks_the_queue_does_not_end_the_work_on_others(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, failed = worker.work.release, []

    def breaks(*given: Any) -> None:
        if not failed:
            failed.append(given)
            raise sqlite3.IntegrityError
        release(*given)

    monkeypatch.setattr(worker.work, "release", breaks)
    monkeypatch.setattr(worker, "LEASE", worker.timedelta(seconds=0.5))
    await stage.sim.fault("getFile", code=502)
    await ann.sends_photo(xray())
    await ann.hears_photo(within=8)
    assert failed


async def test_a_slow_answer_to_a_tap_holds_up_nobody(stage: Stage, ann: User) -> None:
    bob = await stage.agreed(2)
    await ann.sends_photo(xray())
    answer = await ann.hears_photo()
    await stage.sim.fault("answerCallbackQuery", delay=60)
    await ann.taps("What does this mean?", answer)
    await ann.sees("The colours show")
    await bob.says("/help")
    await bob.sees("Send a chest X-ray")
    await stage.sim.release()
    await ann.sees_toast()


async def test_who_blocks_the_bot_is_marked_and_left_alone(stage: Stage, ann: User) -> None:
    await stage.sim.fault("download", delay=30)
    await ann.sends_photo(xray())
    await stage.sim.until(bool, "getFile")
    await ann.blocks()
    await stage.sim.release()
    await stage.sim.quiet(0.8)
    assert stage.value("SELECT blocked_at FROM people") is not None
    assert stage.value("SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending')") == 0
    await ann.unblocks()
    await stage.sim.quiet()
    assert stage.value("SELECT blocked_at FROM people") is None
    await ann.sends_photo(xray(seed=2))
    await ann.hears_photo()


async def test_a_block_that_telegram_did_not_tell_of_is_noticed(stage: Stage, ann: User) -> None:
    await stage.sim.fault("sendPhoto", code=403)
    await ann.sends_photo(xray())
    await stage.sim.quiet(0.5)
    assert stage.value("SELECT blocked_at FROM people") is not None
    assert stage.value("SELECT state FROM cases") == "answered"
    assert stage.value("SELECT count(*) FROM audit WHERE action = 'not_delivered'") == 1


async def test_an_answer_that_waits_out_a_long_failure_is_not_worked_out_again(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BACKOFF", sender.timedelta(seconds=0.4))
    monkeypatch.setattr(worker, "LEASE", worker.timedelta(seconds=0.6))
    monkeypatch.setattr(worker, "LONGEST_REST", 0.1)
    await stage.sim.fault("sendPhoto", code=502, times=2)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await stage.sim.quiet()
    assert await photos(ann) == 1
    assert stage.value("SELECT count(*) FROM findings") == 1
    assert stage.value("SELECT state FROM cases") == "answered"
    assert len(await stage.sim.calls("getFile")) == 1


async def test_a_stop_and_start_between_finding_and_sending_sends_it_once(
    stage: Stage, ann: User
) -> None:
    await stage.sim.fault("sendPhoto", code=502, times=1)
    await ann.sends_photo(xray())
    await stage.sim.until(bool, "sendPhoto")
    await stage.restart()
    await ann.hears_photo()
    await stage.sim.quiet()
    assert await photos(ann) == 1 and stage.value("SELECT count(*) FROM findings") == 1


async def test_updates_sent_while_the_bot_was_off_are_answered(stage: Stage, ann: User) -> None:
    await stage.stop()
    await ann.sends_photo(xray())
    await stage.start()
    await ann.hears_photo()


async def test_an_unreachable_telegram_at_start_is_waited_for(
    off_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.receive.FIRST_WAIT", 0.05)
    for method in ("getMe", "deleteWebhook"):
        await off_stage.sim.fault(method, code=502)
    await off_stage.start()
    await off_stage.agreed(1)


@POLLING
async def test_a_conflict_with_another_poller_is_survived(stage: Stage, ann: User) -> None:
    await stage.sim.fault("getUpdates", code=409)
    await ann.says("/help")
    await ann.sees("Send a chest X-ray", within=8)


async def test_menus_that_cannot_be_set_harm_nobody(off_stage: Stage) -> None:
    await off_stage.sim.fault("setMyCommands", code=500, times=1000)
    await off_stage.start()
    await off_stage.sim.until(bool, "setMyCommands")
    ann = await off_stage.agreed(1)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    assert not await ann.menu()


async def test_a_tap_that_is_too_old_to_answer_is_still_obeyed(stage: Stage, ann: User) -> None:
    await stage.sim.fault(
        "answerCallbackQuery", code=400, description="Bad Request: query is too old"
    )
    await ann.sends_photo(xray())
    await ann.taps("What does this mean?", await ann.hears_photo())
    await ann.sees("The colours show")


@POLLING
async def test_messages_are_paced_for_a_chat_and_in_all(
    off_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "BURST", 2)
    count, left = pace.Pace.count, list[float]()

    def counted(self: pace.Pace, chat: int) -> None:
        left.append(time.monotonic())
        count(self, chat)

    # Paced is when they leave: how long each travels hangs on what else the machine does.
    monkeypatch.setattr(pace.Pace, "count", counted)
    await off_stage.start()
    ann = off_stage.sim.user(1, language="en")
    for _ in range(5):
        await ann.says("hello")
    calls = await off_stage.sim.until(lambda calls: len(calls) == 5, "sendMessage")
    assert calls[4].at - calls[0].at >= 1.8
    await off_stage.sim.add_users(range(100, 140))
    await asyncio.gather(*(off_stage.sim.user(n).says("hello") for n in range(100, 140)))
    await off_stage.sim.until(lambda calls: len(calls) == 45, "sendMessage")
    assert len(left) == 45
    for first, later in zip(left[5:], left[5 + 30 + pace.TOGETHER :], strict=False):
        assert later - first >= 1


async def test_a_stop_takes_no_longer_than_promised_whatever_hangs(stage: Stage, ann: User) -> None:
    bob, admin = await stage.agreed(2), await stage.agreed(ADMIN)
    for method in ("sendPhoto", "answerCallbackQuery", "setMyCommands"):
        await stage.sim.fault(method, delay=30)
    await ann.sends_photo(xray())
    while not stage.value("SELECT count(*) FROM outbox WHERE kind = 'photo' AND state = 'sending'"):
        await stage.sim.quiet(0.02)
    await stage.sim.fault("download", delay=30)
    await bob.sends_photo(xray(seed=2))
    await stage.sim.until(lambda calls: len(calls) == 2, "getFile")
    await admin.says("/language")
    await admin.taps("English")
    begun = time.monotonic()
    await stage.stop()
    assert time.monotonic() - begun < 5
    await stage.sim.clear_faults()
    await stage.start()
    # What was being sent is in doubt, and what was being fetched is fetched.
    await admin.sees("may or may not have arrived")
    await bob.hears_photo()


async def test_a_stop_does_not_wait_for_a_telegram_that_says_nothing(off_stage: Stage) -> None:
    await off_stage.sim.fault("getMe", delay=30)
    await off_stage.start()
    while off_stage.sandbox.world.faults._waiting:
        await off_stage.sim.quiet(0.02)
    begun = time.monotonic()
    await off_stage.stop()
    assert time.monotonic() - begun < 2


async def test_a_stop_gives_back_what_is_in_hand_and_finishes_what_is_being_sent(
    stage: Stage, ann: User
) -> None:
    bob = await stage.agreed(2)
    await stage.sim.fault("sendPhoto", delay=2)
    await ann.sends_photo(xray())
    while not stage.value("SELECT count(*) FROM outbox WHERE kind = 'photo' AND state = 'sending'"):
        await stage.sim.quiet(0.02)
    await stage.sim.fault("download", delay=30)
    await bob.sends_photo(xray(seed=2))
    await stage.sim.until(lambda calls: len(calls) == 2, "getFile")
    begun = time.monotonic()
    await stage.stop()
    assert time.monotonic() - begun < 5
    await stage.sim.clear_faults()
    await stage.start()
    await ann.hears_photo()
    await bob.hears_photo()
    await stage.sim.quiet()
    assert await photos(ann) == await photos(bob) == 1
    assert stage.value("SELECT count(*) FROM outbox WHERE state = 'unknown'") == 0


@pytest.mark.parametrize("mode", ["webhook"])
async def test_a_token_that_was_revoked_is_logged_once_and_sending_is_tried_again(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender, "BACKOFF", sender.timedelta(seconds=0.05))
    await stage.sim.fault("sendMessage", code=401, times=3)
    await ann.says("/help")
    await ann.sees("Send a chest X-ray")
    said = [record.message for record in caplog.records if record.name == "bot.outbox"]
    assert [line for line in said if "TELEGRAM_BOT_TOKEN" in line] == said
    assert len(said) == 1 and stage.sandbox.token not in caplog.text
