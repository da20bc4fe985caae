"""What the bot does by itself, and what it tells the admins unasked."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot import jobs, upkeep, worker
from bot.sandbox.client import Heard, User
from classifier.engines import Output
from classifier.labels import FloatArray, Modality
from classifier.model import Model
from storage import Storage, ahead, staff
from storage.backups import verify
from storage.jobs import WELL
from storage.staff import Role

from ..classifier.conftest import make_model
from .clinic import DOCTORS, Clinic, says, takes
from .pictures import xray
from .stage import ADMIN, Stage

DAY = 86_400_000_000
MINUTE = 60_000_000


@pytest.fixture
def mode() -> str:
    return "polling"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that looks soon and often; what is due is due all the same."""
    monkeypatch.setattr(jobs, "SOON", timedelta(seconds=0.1))
    monkeypatch.setattr(jobs, "TICK", timedelta(seconds=0.1))


@pytest.fixture
async def admin(stage: Stage) -> User:
    return await stage.agreed(ADMIN)


async def ran(stage: Stage, name: str, after: int = 0) -> int:
    """Wait for a run of a job, and say when it was."""
    async with asyncio.timeout(10):
        while True:
            # Right after the start there may be no database yet.
            with suppress(sqlite3.OperationalError):
                for row in stage.rows("SELECT ran_at FROM job_runs WHERE name = ?", name):
                    if row[0] > after:
                        return int(row[0])
            await asyncio.sleep(0.05)


def due(stage: Stage, name: str) -> int:
    """Let a job's last run be long ago; gives when that would have been."""
    stage.change("UPDATE job_runs SET ran_at = ran_at - ? WHERE name = ?", 9 * DAY, name)
    return int(stage.value("SELECT ran_at FROM job_runs WHERE name = ?", name))


async def again(stage: Stage, name: str) -> None:
    """Let a job be due, and wait until it is done."""
    await ran(stage, name)
    await ran(stage, name, after=due(stage, name))


def backups(stage: Stage) -> list[Path]:
    return sorted((stage.data_dir / "backups").glob("daily-*.sqlite3"))


async def times_told(user: User, words: str) -> int:
    return len([message for message in await user.messages() if words in message.text])


async def test_a_backup_is_made_at_once_and_then_once_a_day(stage: Stage) -> None:
    first = await ran(stage, "backup")
    (copy,) = backups(stage)
    verify(copy)
    await again(stage, "disk")
    assert stage.value("SELECT ran_at FROM job_runs WHERE name = 'backup'") == first
    # Twice on one day is one copy.
    written = copy.stat().st_mtime_ns
    await again(stage, "backup")
    assert backups(stage) == [copy] and copy.stat().st_mtime_ns == written
    assert stage.value("SELECT outcome FROM job_runs WHERE name = 'backup'") == WELL


async def test_a_run_missed_while_the_machine_was_off_is_made_up_for_once(stage: Stage) -> None:
    await ran(stage, "backup")
    await stage.stop()
    backups(stage)[0].unlink()
    before = due(stage, "backup")
    await stage.start()
    caught_up = await ran(stage, "backup", after=before)
    assert len(backups(stage)) == 1
    await again(stage, "disk")
    assert stage.value("SELECT ran_at FROM job_runs WHERE name = 'backup'") == caught_up


async def test_only_the_newest_backups_are_kept(off_stage: Stage) -> None:
    folder = off_stage.data_dir / "backups"
    folder.mkdir(parents=True)
    for name in ("daily-20200101", "daily-20200102", "by-hand-1"):
        (folder / f"{name}.sqlite3").touch()
    await off_stage.start(backups_kept=2)
    await ran(off_stage, "backup")
    names = [path.name for path in backups(off_stage)]
    assert len(names) == 2 and names[0] == "daily-20200102.sqlite3"
    assert (folder / "by-hand-1.sqlite3").exists()


async def test_retention_erases_what_is_too_old_from_backups_too(stage: Stage, ann: User) -> None:
    await ann.sends_photo(xray(), "my secret note")
    await ann.hears_photo()
    await ran(stage, "backup")
    os.utime(backups(stage)[0], (1, 1))
    stage.change("UPDATE cases SET received_at = received_at - ?", 91 * DAY)
    await again(stage, "retention")
    assert stage.value("SELECT erased_why FROM cases") == "retention"
    assert not backups(stage)
    assert not [path for path in (stage.data_dir / "images").rglob("*") if path.is_file()]


async def test_old_backups_go_even_if_the_file_cannot_be_written_anew(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_memory(*_: object) -> None:
        raise MemoryError

    await ran(stage, "backup")
    os.utime(backups(stage)[0], (1, 1))
    monkeypatch.setattr(Storage, "compact", no_memory)
    await again(stage, "retention")
    assert stage.value("SELECT outcome FROM job_runs WHERE name = 'retention'") == "MemoryError"
    assert not backups(stage)


async def test_who_got_no_answer_before_retention_hears_that_none_comes(
    stage: Stage, ann: User
) -> None:
    await stage.sim.fault("download", delay=30)
    await ann.sends_photo(xray())
    await stage.sim.until(bool, "getFile")
    stage.change("UPDATE cases SET received_at = received_at - ?", 91 * DAY)
    await again(stage, "retention")
    await ann.sees("your picture got no answer")
    assert stage.value("SELECT state FROM cases") == "withdrawn"


async def test_what_was_erased_before_a_doctor_looked_waits_for_none(off_stage: Stage) -> None:
    await off_stage.start(results="after_review")
    ann = await off_stage.agreed(1)
    await ann.sends_photo(xray())
    await ann.sees("Here a doctor looks")
    await ann.says("/history")
    await ann.sees("waiting for a doctor")
    off_stage.change("UPDATE cases SET received_at = received_at - ?", 91 * DAY)
    await again(off_stage, "retention")
    await ann.says("/history")
    told = await ann.sees("no answer from a doctor")
    assert "waiting" not in told.text


async def test_what_a_clock_that_was_ahead_put_off_is_said_after_the_next_start(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "LONGEST_BACKOFF", timedelta(0))
    await stage.stop()
    stage.change(
        """INSERT INTO outbox (key, chat_id, kind, payload, fleeting,
               written_at, next_try_at, changed_at)
           VALUES ('late', ?, 'message', '{"text": "Here I am"}', 0, 0, ?, 0)""",
        ann.id,
        50 * 365 * DAY + stage.value("SELECT max(written_at) FROM outbox"),
    )
    await stage.start()
    await ann.sees("Here I am")


async def test_a_full_disk_is_told_once_each_time_it_fills_up(
    stage: Stage, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for round_ in (1, 2):
        monkeypatch.setattr(upkeep, "free_megabytes", lambda folder: 499)
        await again(stage, "disk")
        await admin.sees("The disk is getting full: 499 MB are free, 500 MB should be.")
        # A little more room is no end of it.
        for free in (501, 499):
            monkeypatch.setattr(upkeep, "free_megabytes", lambda folder, free=free: free)
            await again(stage, "disk")
        await stage.sim.quiet()
        assert await times_told(admin, "The disk is getting full") == round_
        monkeypatch.setattr(upkeep, "free_megabytes", lambda folder: 9999)
        await again(stage, "disk")


async def test_stuck_pictures_and_messages_are_told_once(
    stage: Stage, ann: User, admin: User
) -> None:
    await stage.sim.fault("download", delay=30)
    await ann.sends_photo(xray())
    await stage.sim.until(bool, "getFile")
    # What is really being sent would count, too.
    await stage.sim.quiet()
    stage.change("UPDATE cases SET received_at = received_at - 20 * 60000000")
    stage.change(
        "INSERT INTO outbox (key, chat_id, kind, payload, state, fleeting, written_at, next_try_at,"
        " changed_at) VALUES ('x', 77, 'message', '{}', 'sending', 0, 1, 1, 1)"
    )
    for _ in range(2):
        await again(stage, "stuck")
    await admin.sees("Pictures are stuck. Waiting for an answer: 1, the oldest for 20 minutes")
    await admin.sees("Messages are stuck. Being sent: 1, ")
    assert await times_told(admin, "are stuck") == 2


@pytest.mark.parametrize("forgets", [False, True], ids=["blocks", "forgets"])
async def test_admins_hear_of_what_waits_too_long_while_no_doctor_can_be_reached(
    off_stage: Stage, forgets: bool
) -> None:
    async with await Storage.open(off_stage.data_dir) as storage:
        await storage.write(staff.add, 71, Role.DOCTOR, "Dr. Li")
    await off_stage.start()
    admin, ann = await off_stage.agreed(ADMIN), await off_stage.agreed(1)
    doctor = off_stage.sim.user(71, language="en")
    await doctor.says("/status")
    await doctor.hears()
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await off_stage.sim.quiet()
    off_stage.change("UPDATE review_queue SET since_at = since_at - ?", DAY + 1)
    await again(off_stage, "stuck")
    assert await times_told(admin, "No doctor can be reached") == 0
    if forgets:
        await doctor.says("/forget")
        await doctor.taps("Yes, erase everything")
        await doctor.sees("Everything is erased")
    else:
        await doctor.blocks()
    await off_stage.sim.quiet()
    for _ in range(2):
        await again(off_stage, "stuck")
    await admin.sees("Cases that wait longer than 24 h: 1")
    await off_stage.sim.quiet()
    assert await times_told(admin, "No doctor can be reached") == 1


@pytest.mark.parametrize("results", ["immediate", "after_review"])
async def test_the_only_doctors_own_picture_is_promised_to_nobody(
    clinic: Clinic, results: str
) -> None:
    await clinic.opens(results=results)
    admin, own = clinic.stage.sim.user(ADMIN), await clinic.stage.agreed(DOCTORS[0])
    await own.sends_photo(xray())
    if results == "immediate":
        await own.hears_photo()
        await own.taps("Ask a doctor")
    await own.sees("here is no doctor")
    clinic.stage.change("UPDATE review_queue SET since_at = since_at - ?", DAY + 1)
    await again(clinic.stage, "stuck")
    await admin.sees("or the only one is the patient. Cases that wait longer than 24 h: 1")


async def test_after_retention_no_doctor_has_a_picture_and_its_patient_can_delete_it(
    clinic: Clinic,
) -> None:
    [doctor] = await clinic.opens()
    ann = await clinic.stage.agreed(1)
    await clinic.case(ann)
    await takes(doctor)
    await says(doctor, "Normal", "Drink a lot")
    await ann.sees("A doctor has looked")
    await clinic.stage.sim.quiet()
    clinic.stage.change("UPDATE cases SET received_at = received_at - ?", 91 * DAY)
    clinic.stage.change("UPDATE outbox SET changed_at = changed_at - ?", 91 * DAY)
    await again(clinic.stage, "retention")
    await clinic.stage.sim.quiet()
    assert not [each for each in await doctor.messages() if each.photo]
    answer = next(each for each in await ann.messages() if each.button("Delete this"))
    assert answer.photo and await times_told(ann, "Drink a lot") == 1
    await ann.taps("Delete this", answer)
    await ann.taps("Yes, delete")
    await ann.sees("Deleted")
    await clinic.stage.sim.quiet()
    assert not [each for each in await ann.messages() if each.photo]
    assert await times_told(ann, "Drink a lot") == 0


@pytest.mark.parametrize(
    ("looked", "told"),
    [
        (False, "No doctor has looked at your picture of"),
        (True, "Doctors have looked at your picture of"),
    ],
)
async def test_who_waits_for_a_doctors_word_hears_at_the_end_that_none_came(
    clinic: Clinic, looked: bool, told: str
) -> None:
    doctor, _ = await clinic.opens(2)
    ann, admin = await clinic.stage.agreed(1), clinic.stage.sim.user(ADMIN)
    number = await clinic.case(ann)
    await clinic.case(ann)
    answer = next(each for each in await ann.messages() if each.button("Ask a doctor"))
    await ann.taps("Ask a doctor", answer)
    await ann.sees("in front of the doctors")
    if looked:
        await takes(doctor, number)
        await says(doctor, "Normal", button="Ask for a second opinion")
        await clinic.stage.sim.quiet()
        await ann.taps("Ask a doctor", answer)
        await ann.sees("have not settled on an answer yet")
    clinic.stage.change("UPDATE cases SET received_at = received_at - ?", 91 * DAY)
    for _ in range(2):
        await again(clinic.stage, "retention")
    await ann.sees(f"{told} case {number}")
    await admin.sees(f"No answer of doctors to case {number} came in time")
    await clinic.stage.sim.quiet()
    assert await times_told(ann, told) == await times_told(admin, "came in time") == 1


async def test_admins_are_reminded_once_of_disputes_that_wait_too_long(
    stage: Stage, ann: User
) -> None:
    admin = await stage.agreed(ADMIN)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await stage.sim.quiet()
    [row] = stage.rows("SELECT since_at FROM review_queue")
    for waited, told in ((DAY - MINUTE * 5, 0), (DAY, 1), (DAY * 2, 1), (0, 1), (DAY, 2)):
        stage.change("UPDATE review_queue SET disputed_at = ?", row["since_at"] - waited)
        await again(stage, "stuck")
        await stage.sim.quiet()
        assert await times_told(admin, "Cases that have waited for your decision") == told


@contextmanager
def failing(message: str) -> Iterator[None]:
    async def fail(*_: object) -> None:
        raise RuntimeError(message)

    patch = pytest.MonkeyPatch()
    patch.setattr(
        jobs,
        "JOBS",
        tuple(replace(job, run=fail) if job.name == "disk" else job for job in jobs.JOBS),
    )
    yield
    patch.undo()


async def test_a_job_that_fails_hinders_no_other_and_is_tried_again_soon(
    off_stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    with failing("about Somebody^Secret"):
        await off_stage.start()
        admin = await off_stage.agreed(ADMIN)
        told = await admin.sees("RuntimeError at")
        await ran(off_stage, "stuck")
        assert found_in_log(told, caplog)
        await admin.says("/health")
        await admin.sees("❌ look at the disk")
    off_stage.change("UPDATE job_runs SET ran_at = ran_at - 11 * 60000000 WHERE name = 'disk'")
    failed = off_stage.value("SELECT ran_at FROM job_runs WHERE name = 'disk'")
    await ran(off_stage, "disk", after=failed)
    assert off_stage.value("SELECT outcome FROM job_runs WHERE name = 'disk'") == "ok"


def found_in_log(told: Heard, caplog: pytest.LogCaptureFixture) -> bool:
    """Tell whether the id leads to one line, and no line and no message to what was sent."""
    code = told.text.split()[1].removesuffix(":")
    lines = [record.getMessage() for record in caplog.records]
    assert "Secret" not in told.text + "".join(lines)
    return len([line for line in lines if f"[{code}]" in line]) == 1


class Broken:
    """An engine that never works."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def run(self, inputs: FloatArray) -> Output:
        raise RuntimeError("out of memory at Somebody^Secret")


class TestErrors:
    @pytest.fixture
    def models(self, monkeypatch: pytest.MonkeyPatch) -> Mapping[Modality, Model]:
        monkeypatch.setattr(worker, "GIVE_UP_AFTER", 1)
        model = make_model(Modality.XRAY)
        return {Modality.XRAY: replace(model, engine=Broken(model))}

    async def test_an_error_reaches_the_admins_once_of_each_kind_with_an_id_of_the_log(
        self, stage: Stage, admin: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        ann = await stage.agreed(1)
        for seed in range(3):
            await ann.sends_photo(xray(seed=seed))
            await ann.sees("Something went wrong on our side")
        while stage.value("SELECT count(*) FROM cases WHERE state = 'failed'") < 3:
            await stage.sim.quiet(0.1)
        told = await admin.sees("RuntimeError at classifier/batching.py:")
        assert found_in_log(told, caplog)
        assert await times_told(admin, "RuntimeError at") == 1
        # A crash loop tells no more than one long run.
        await stage.restart()
        await ann.sends_photo(xray(seed=9))
        while stage.value("SELECT count(*) FROM cases WHERE state = 'failed'") < 4:
            await stage.sim.quiet(0.1)
        assert await times_told(admin, "RuntimeError at") == 1
        stage.change("UPDATE troubles SET told_at = told_at - ?", DAY)
        await ann.sends_photo(xray(seed=10))
        await admin.sees("(4×)")

    async def test_an_update_that_breaks_its_handler_is_told_and_its_sender_hears_it(
        self, stage: Stage, admin: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("about Somebody^Secret")

        ann = await stage.agreed(1)
        monkeypatch.setattr("storage.history.newest", fail)
        await ann.says("/history")
        await ann.sees("Something went wrong on our side")
        told = await admin.sees("RuntimeError at bot/patient/commands.py:")
        assert "Secret" not in told.text
