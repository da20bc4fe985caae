"""What people can ask of the bot about themselves, and the limits set to them."""

import base64
import io
import json
import os
import re
import threading
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import jobs
from bot.sandbox.client import User
from storage import erasure
from storage.backups import back_up
from storage.errors import StorageBusy
from storage.transaction import Tx

from .clinic import POLLING
from .pictures import BACTERIAL, xray
from .stage import Stage

# What is said hangs on no way to fetch it; both are told of in delivery, failures and sending.
pytestmark = POLLING


async def test_status_tells_what_is_worked_on(stage: Stage, ann: User) -> None:
    await ann.says("/status")
    await ann.sees("Nothing is being worked on")
    await stage.sim.fault("download", delay=30)
    await ann.sends_photo(xray())
    await stage.sim.until(bool, "getFile")
    await ann.says("/status")
    number = stage.value("SELECT number FROM cases")
    await ann.sees(f"Case {number}: waiting (")
    await stage.sim.release()
    await ann.hears_photo()


async def test_status_tells_of_a_picture_that_waits_for_a_doctor(off_stage: Stage) -> None:
    await off_stage.start(results="after_review")
    ann = await off_stage.agreed(1)
    await ann.sends_photo(xray())
    await ann.sees("Here a doctor looks")
    await ann.says("/status")
    number = off_stage.value("SELECT number FROM cases")
    told = await ann.sees(f"Case {number}: waiting for a doctor (")
    assert "If you are getting worse, do not wait" in told.text


async def test_status_of_very_many_pictures_fits_into_one_message(stage: Stage, ann: User) -> None:
    later = int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1e6)
    stage.change(
        """WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 100)
           INSERT INTO cases (id, number, person_id, received_at, changed_at, next_try_at)
           SELECT id, printf('%08d', id), 1, 1, 1, ? FROM n""",
        later,
    )
    await ann.says("/status")
    lines = (await ann.sees("Case 00000001: waiting (")).text.splitlines()
    # An empty line and when not to wait follow.
    assert (len(lines), lines[-3]) == (33, "And 70 more.")


@pytest.mark.parametrize(
    ("zone", "time"), [("Asia/Shanghai", "00:30"), ("UTC", "16:30 UTC")], ids=["local", "UTC"]
)
async def test_times_are_those_of_the_clinics_clock(off_stage: Stage, zone: str, time: str) -> None:
    await off_stage.start(time_zone=zone)
    ann = await off_stage.agreed(1)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    at = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
    off_stage.change("UPDATE cases SET received_at = ?", int(at.timestamp() * 1e6))
    await ann.says("/history")
    day = "2 Mar 2026" if zone == "Asia/Shanghai" else "1 Mar 2026"
    assert f"{day}, {time} · " in (await ann.sees("Your last pictures:")).text


async def test_history_lists_the_answers_newest_first(stage: Stage, ann: User) -> None:
    await ann.says("/history")
    await ann.sees("You have no pictures here")
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    await ann.says("/history")
    lines = (await ann.sees("Your last pictures:")).text.splitlines()
    assert len(lines) == 3
    assert "acterial" in lines[1] and "ormal" in lines[2]


async def test_help_and_privacy_say_what_there_is_to_know(ann: User) -> None:
    await ann.says("/help")
    told = await ann.sees("This is not a diagnosis")
    assert "/forget" in told.text and "/privacy" in told.text and "120" in told.text
    await ann.says("/privacy")
    told = await ann.sees("What happens to your pictures")
    assert "90 days" in told.text and "end-to-end" in told.text


async def test_mydata_is_a_zip_of_json_and_pictures(stage: Stage, ann: User) -> None:
    await ann.sends_file(xray(), caption="since Monday")
    await ann.hears_photo()
    bob = await stage.agreed(2)
    await bob.sends_file(xray(BACTERIAL), caption="another's")
    await bob.hears_photo()
    await ann.says("/mydata")
    sent = await ann.sees("Everything we hold about you")
    assert sent.file_name == "my-data.zip"
    archive = zipfile.ZipFile(io.BytesIO(await ann.downloads(sent)))
    record = json.loads(archive.read("my-data.json"))
    assert record["person"]["telegram_id"] == 1
    (case,) = record["cases"]
    assert case["case"]["note"] == "since Monday"
    [finding] = case["findings"]
    assert finding["label"] == "normal"
    # As numbers one by one, a few CTs would take longer to write than the bot may be deaf.
    saliency = finding["saliency"]
    values = base64.b64decode(saliency["values"], validate=True)
    assert len(values) == 4 * saliency["rows"] * saliency["columns"]
    assert len(record["consents"]) == 1
    number = case["case"]["number"]
    pictures = [name for name in archive.namelist() if name != "my-data.json"]
    assert len(pictures) == 2 and all(name.startswith(number) for name in pictures)
    assert "another's" not in json.dumps(record)


async def test_mydata_of_somebody_new_holds_no_case(stage: Stage) -> None:
    ann = stage.sim.user(1, language="en")
    await ann.says("/mydata")
    sent = await ann.sees("Everything we hold about you")
    archive = zipfile.ZipFile(io.BytesIO(await ann.downloads(sent)))
    assert archive.namelist() == ["my-data.json"]


async def test_mydata_keeps_back_an_answer_that_waits_for_a_doctor(off_stage: Stage) -> None:
    await off_stage.start(results="after_review")
    ann = await off_stage.agreed(1)
    await ann.sends_file(xray(BACTERIAL))
    await ann.sees("Here a doctor looks")
    off_stage.change(
        """INSERT INTO shadow_findings (case_id, model, modality, normal, bacterial, viral, doubts,
               seconds, made_at) VALUES (1, 'new', 'xray', 0.1, 0.1, 0.8, '[]', 1, 1)"""
    )
    await ann.says("/mydata")
    sent = await ann.sees("Everything we hold about you")
    archive = zipfile.ZipFile(io.BytesIO(await ann.downloads(sent)))
    assert archive.namelist() == ["my-data.json"]
    (case,) = json.loads(archive.read("my-data.json"))["cases"]
    assert case["case"]["number"] and not case["findings"] and not case["unseen"]


async def test_an_answer_that_arrives_after_forget_is_taken_out_of_the_chat(
    stage: Stage, ann: User
) -> None:
    await ann.says("/forget")
    await ann.sees("erase")
    await stage.sim.fault("sendPhoto", delay=30)
    await ann.sends_photo(xray())
    while not stage.value("SELECT count(*) FROM outbox WHERE kind = 'photo' AND state = 'sending'"):
        await stage.sim.quiet(0.02)
    await ann.taps("Yes, erase everything")
    await ann.sees("Everything is erased")
    await stage.sim.release()
    await stage.sim.until(bool, "deleteMessage")
    await stage.sim.quiet()
    assert not [message for message in await ann.messages() if message.from_bot and message.photo]
    assert stage.value("SELECT count(*) FROM outbox") == 0


async def test_forget_asks_first_and_then_erases_everything(stage: Stage, ann: User) -> None:
    await ann.sends_photo(xray(), "my secret note")
    await ann.hears_photo()
    await ann.says("/forget")
    await ann.taps("No")
    await ann.sees("Nothing was erased")
    assert stage.value("SELECT count(*) FROM people") == 1
    await ann.says("/forget")
    await ann.taps("Yes, erase everything")
    await ann.sees("Everything is erased")
    await stage.sim.quiet()
    for table in ("people", "consents", "scans", "images", "outbox"):
        assert stage.value(f"SELECT count(*) FROM {table}") == 0, table
    assert stage.value("SELECT count(*) FROM cases WHERE person_id IS NOT NULL") == 0
    assert stage.value("SELECT count(*) FROM audit WHERE action = 'forget'") == 1
    assert not [path for path in (stage.data_dir / "images").rglob("*") if path.is_file()]
    await no_trace(stage, b"my secret note")


async def no_trace(stage: Stage, words: bytes) -> None:
    """Wait until the log of the database, which is emptied beside the handlers, holds none."""
    while any(words in path.read_bytes() for path in stage.data_dir.glob("bot.sqlite3*")):
        await stage.sim.quiet(0.02)


async def test_a_forgetting_that_could_not_be_written_is_done_when_it_comes_again(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget, tries = erasure.forget, []

    def busy(tx: Tx, person_id: int) -> erasure.Erased:
        tries.append(person_id)
        erased = forget(tx, person_id)
        if len(tries) == 1:
            raise StorageBusy
        return erased

    monkeypatch.setattr(erasure, "forget", busy)
    await ann.says("/forget")
    await ann.taps("Yes, erase everything")
    await ann.sees("Everything is erased", within=8)
    assert len(tries) == 2 and stage.value("SELECT count(*) FROM people") == 0


async def test_a_forgetting_told_again_spares_who_began_anew(stage: Stage, ann: User) -> None:
    await ann.says("/forget")
    await ann.taps("Yes, erase everything")
    await ann.sees("Everything is erased")
    (tapped,) = [row[0] for row in stage.rows("SELECT max(update_id) FROM updates")]
    await stage.agreed(1)
    tap = {"id": "1", "from": {"id": 1, "first_name": "A", "is_bot": False}, "data": "forget:yes"}
    updates = stage.sandbox.world.updates
    updates._pending.append({"update_id": tapped, "callback_query": tap | {"chat_instance": "1"}})
    updates._arrived.set()
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM consents") == 1


async def test_forget_and_delete_reach_backups_when_these_are_too_old(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ann.sends_photo(xray(), "my secret note")
    await ann.hears_photo()
    copy = stage.data_dir / "backups" / "before.sqlite3"
    back_up(stage.data_dir / "bot.sqlite3", copy)
    await ann.says("/forget")
    await ann.taps("Yes, erase everything")
    await ann.sees("Everything is erased")
    assert b"my secret note" in copy.read_bytes()
    old = datetime.now(UTC) - timedelta(days=91)
    os.utime(copy, (old.timestamp(), old.timestamp()))
    monkeypatch.setattr(jobs, "SOON", timedelta(seconds=0.05))
    await stage.restart()
    while copy.exists():
        await stage.sim.quiet(0.02)
    await no_trace(stage, b"my secret note")


async def test_who_was_forgotten_begins_anew(stage: Stage, ann: User) -> None:
    await ann.says("/forget")
    await ann.taps("Yes, erase everything")
    await ann.sees("Everything is erased")
    await ann.sends_photo(xray())
    await ann.sees("I have not opened your picture")


async def test_forget_while_a_picture_is_worked_on_leaves_nothing(stage: Stage, ann: User) -> None:
    await stage.sim.fault("download", delay=30)
    await ann.sends_photo(xray(), "my secret note")
    await stage.sim.until(bool, "getFile")
    await ann.says("/forget")
    await ann.taps("Yes, erase everything")
    await ann.sees("Everything is erased")
    await stage.sim.release()
    await stage.sim.quiet(0.8)
    assert stage.value("SELECT count(*) FROM people") == 0
    assert stage.value("SELECT count(*) FROM images") == 0
    assert stage.value("SELECT state FROM cases") == "withdrawn"
    assert not any(message.photo for message in await ann.messages() if message.from_bot)


async def test_cancel_takes_what_waits_out_of_the_queue(stage: Stage, ann: User) -> None:
    await ann.says("/cancel")
    await ann.sees("There is nothing to stop")
    await stage.sim.fault("download", delay=30)
    for seed in range(3):
        await ann.sends_photo(xray(seed=seed))
    await stage.sim.until(bool, "getFile")
    await stage.sim.until(lambda calls: len(calls) >= 3 + 3, "sendMessage")
    await ann.says("/cancel")
    await ann.sees("Stopped. Taken out of the queue: 3.")
    await stage.sim.release()
    await stage.sim.quiet(0.8)
    assert not any(message.photo for message in await ann.messages() if message.from_bot)
    assert {row["state"] for row in stage.rows("SELECT state FROM cases")} == {"withdrawn"}


async def test_the_limit_of_an_hour_is_said_with_an_honest_wait(off_stage: Stage) -> None:
    stage = off_stage
    await stage.start(scans_per_hour=2)
    ann = await stage.agreed(1)
    for seed in range(2):
        await ann.sends_photo(xray(seed=seed))
        await ann.hears_photo()
    earlier = datetime.now(UTC) - timedelta(minutes=50)
    stage.change("UPDATE cases SET received_at = ? WHERE id = 1", int(earlier.timestamp() * 1e6))
    await ann.sends_photo(xray(seed=3))
    told = await ann.sees("as many pictures as I take within an hour (2)")
    minutes = int(re.findall(r"in (\d+) min", told.text)[0])
    assert 9 <= minutes <= 11
    assert stage.value("SELECT count(*) FROM cases") == 2


async def test_the_limit_of_a_day_is_said(off_stage: Stage) -> None:
    stage = off_stage
    await stage.start(scans_per_day=1)
    ann = await stage.agreed(1)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    earlier = datetime.now(UTC) - timedelta(hours=19, minutes=30)
    stage.change("UPDATE cases SET received_at = ?", int(earlier.timestamp() * 1e6))
    await ann.sends_photo(xray(seed=2))
    told = await ann.sees("as many pictures as I take within a day (1)")
    assert "in about 5 h" in told.text and "call your emergency number" in told.text


async def test_an_album_within_the_limit_is_taken_whole(off_stage: Stage) -> None:
    stage = off_stage
    await stage.start(scans_per_hour=1)
    ann = await stage.agreed(1)
    await ann.sends_album([xray(seed=seed) for seed in range(3)])
    for _ in range(3):
        await ann.hears_photo()
    await ann.sends_album([xray(seed=seed) for seed in range(3, 6)])
    await ann.sees("within an hour")
    await stage.sim.quiet()
    told = [m for m in await ann.messages() if m.from_bot and "within an hour" in m.text]
    assert len(told) == 1


async def test_a_full_queue_is_said_with_an_estimate(off_stage: Stage) -> None:
    stage = off_stage
    await stage.start(queue_limit=1)
    ann, bob = await stage.agreed(1), await stage.agreed(2)
    await stage.sim.fault("download", delay=30)
    await ann.sends_photo(xray())
    await stage.sim.until(bool, "getFile")
    await bob.sends_photo(xray(seed=2))
    told = await bob.sees("Very many pictures are waiting")
    assert re.search(r"again in about \d+ min", told.text)
    await stage.sim.release()
    await ann.hears_photo()


async def test_the_wait_is_estimated_from_the_queue(stage: Stage, ann: User) -> None:
    await stage.sim.fault("download", delay=30, times=4)
    others = [await stage.agreed(number) for number in range(2, 6)]
    stage.change("DELETE FROM findings")
    for seed, other in enumerate(others):
        for turn in range(4):
            await other.sends_photo(xray(seed=10 * seed + turn))
    await stage.sim.until(lambda calls: len(calls) == 4, "getFile")
    await ann.sends_photo(xray(seed=99))
    told = await ann.sees("Ahead of yours in the queue")
    assert re.search(r"queue: 1\d\. That takes about \d+ seconds", told.text)
    await stage.sim.release()
    await ann.hears_photo()


async def test_mydata_leaves_the_oldest_pictures_out_of_an_archive_too_large_for_telegram(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for picture in (xray(), xray(BACTERIAL)):
        await ann.sends_photo(picture)
        await ann.hears_photo()
    oldest, newest = (row[0] for row in stage.rows("SELECT number FROM cases ORDER BY id"))
    total = stage.value("SELECT sum(size) FROM images")
    monkeypatch.setattr("bot.patient.my_data.LARGEST", 0.75 * total)
    await ann.says("/mydata")
    sent = await ann.sees("Everything we hold about you")
    with zipfile.ZipFile(io.BytesIO(await ann.downloads(sent))) as archive:
        assert oldest in archive.read("left-out.txt").decode()
        assert any(name.startswith(newest) for name in archive.namelist())


async def test_nobody_waits_while_files_are_written(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, bool]] = []

    def noted(place: type, name: str) -> None:
        write = getattr(place, name)

        def note(*given: Any, **named: Any) -> Any:
            written.append((name, threading.current_thread() is threading.main_thread()))
            return write(*given, **named)

        monkeypatch.setattr(place, name, note)

    noted(Path, "write_bytes")
    noted(zipfile.ZipFile, "writestr")
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await ann.says("/mydata")
    await ann.sees("Everything we hold about you")
    # The words and two pictures of an archive.
    assert written == [("write_bytes", False), *[("writestr", False)] * 3]


async def test_no_menu_outlives_who_is_forgotten(stage: Stage, ann: User) -> None:
    await ann.says("/language")
    await ann.taps("中文")
    await ann.sees("以后使用中文")
    await stage.sim.quiet()
    assert (await ann.menu())["help"] == "使用说明"
    await ann.says("/forget")
    await ann.taps("全部删除")
    await ann.sees("已全部删除")
    await stage.sim.quiet()
    assert (await ann.menu())["help"] == "how it works"


MAY_NOT_HAVE_ARRIVED = "what you asked for, and it may not have arrived"


@pytest.mark.parametrize("fault", [{"code": 400}, {"code": 413}, {"drop": True}])
async def test_who_asked_for_their_data_hears_that_it_may_not_have_arrived(
    stage: Stage, ann: User, fault: dict[str, int]
) -> None:
    await stage.sim.fault("sendDocument", **fault)
    await ann.says("/mydata")
    assert "ask for it again" in (await ann.sees(MAY_NOT_HAVE_ARRIVED)).text
    await ann.says("/mydata")
    await ann.sees("Everything we hold about you")


async def test_who_asked_for_their_data_before_a_stop_hears_that_it_may_not_have_arrived(
    stage: Stage, ann: User
) -> None:
    await stage.sim.fault("sendDocument", delay=30)
    await ann.says("/mydata")
    while not stage.value(
        "SELECT count(*) FROM outbox WHERE kind = 'document' AND state = 'sending'"
    ):
        await stage.sim.quiet(0.02)
    await stage.restart()
    await ann.sees(MAY_NOT_HAVE_ARRIVED)


async def test_mydata_names_the_pictures_that_cannot_be_opened(stage: Stage, ann: User) -> None:
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await stage.sim.quiet()
    gone, damaged = (stage.data_dir / "images").glob("??/*")
    gone.unlink()
    damaged.write_bytes(b"IMG1")
    await ann.says("/mydata")
    sent = await ann.sees("Everything we hold about you")
    number = stage.value("SELECT number FROM cases")
    with zipfile.ZipFile(io.BytesIO(await ann.downloads(sent))) as archive:
        assert sorted(archive.namelist()) == ["left-out.txt", "my-data.json"]
        assert archive.read("left-out.txt").decode().splitlines() == [
            f"{number}-1: can no longer be opened",
            f"{number}-2: can no longer be opened",
        ]
