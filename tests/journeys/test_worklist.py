"""What doctors can look up: what waits, one case's history, their own record."""

import pytest

from bot.sandbox.client import User
from storage import Storage, staff
from storage.staff import Role

from .pictures import BACTERIAL, NORMAL, xray
from .stage import ADMIN, Stage

DOCTORS = (71, 72)


@pytest.fixture
def mode() -> str:
    return "polling"


@pytest.fixture
async def doctors(off_stage: Stage) -> list[User]:
    """Two doctors, who read times in Berlin."""
    async with await Storage.open(off_stage.data_dir) as storage:
        for number in DOCTORS:
            await storage.write(staff.add, number, Role.DOCTOR, f"Dr. <{number}>")
    await off_stage.start(undo_seconds=0, time_zone="Europe/Berlin")
    found = [off_stage.sim.user(number, language="en") for number in DOCTORS]
    for doctor in found:
        await doctor.says("/digest Europe/Berlin")
        await doctor.sees("are on")
    return found


async def case(stage: Stage, patient: User, brightness: float, note: str = "") -> str:
    await patient.sends_file(xray(brightness), "scan.jpg", note)
    await patient.hears_photo()
    await stage.sim.quiet()
    return str(stage.value("SELECT number FROM cases ORDER BY id DESC"))


async def reviewed(
    doctor: User, verdict: str, send: str = "Send", end: str = "the patient was told"
) -> None:
    await doctor.says("/review")
    card = await doctor.hears_photo()
    await doctor.taps(verdict)
    await doctor.taps(send)
    await doctor.sees(end, of=card)


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_the_worklist_counts_what_waits(off_stage: Stage, doctors: list[User]) -> None:
    stage, (first, second) = off_stage, doctors
    await first.says("/worklist")
    told = await first.sees("Worklist")
    assert "Nothing is waiting" in told.text and "You have nothing in hand" in told.text
    ann = await stage.agreed(1)
    sick, _ = await case(stage, ann, BACTERIAL), await case(stage, ann, NORMAL)
    stage.change("UPDATE review_queue SET since_at = since_at - 3 * 86400000000")
    await first.says("/review")
    await first.hears_photo()
    await first.says("/worklist")
    told = await first.sees(f"In your hands: case {sick}")
    assert "Waiting: 1, the oldest for 3 days" in told.text
    assert "Longer than 24 h: 1" in told.text
    await second.says("/worklist")
    assert "nothing in hand" in (await second.sees("Waiting: 1")).text


async def test_the_history_of_a_case_is_whole_and_names_no_patient(
    off_stage: Stage, doctors: list[User]
) -> None:
    stage, (first, second) = off_stage, doctors
    ann = stage.sim.user(1, name="Annabel", language="en")
    await stage.agreed(1)
    number = await case(stage, ann, BACTERIAL, "cough <b>")
    await reviewed(first, "Normal")
    await second.says(f"/case {number[:4]} {number[4:].lower()}")
    told = (await second.sees("seen by a doctor")).text
    for expected in (
        "(times in Europe/Berlin)",
        "cough <b>",
        "Bacterial pneumonia",
        "Dr. <71>: Normal",
        "received",
        "estimated by the model",
        "waiting for a doctor",
        "under review",
        "Dr. <71> · gave a verdict",
        "case closed",
    ):
        assert expected in told
    assert "Annabel" not in told
    times = [line[:16] for line in told.splitlines() if line.startswith("20")]
    assert times[1:] == sorted(times[1:])
    assert stage.value("SELECT count(*) FROM audit WHERE action = 'history_shown'") == 1
    await second.says("/case")
    await second.sees("Which case?")
    await second.says("/case <b>")
    await second.sees("There is no case <b>")


async def test_who_has_judged_sees_the_opinions_in_a_new_role_too(
    off_stage: Stage, doctors: list[User]
) -> None:
    stage, (first, second) = off_stage, doctors
    number = await case(stage, await stage.agreed(1), BACTERIAL)
    await reviewed(first, "Normal", "Ask for a second opinion", "Another doctor is asked now")
    stage.change("UPDATE staff SET revoked_at = since_at WHERE telegram_id = ?", DOCTORS[0])
    stage.change(
        "INSERT INTO staff (telegram_id, role, name, since_at) VALUES (?, 'doctor', 'Dr. Back', 1)",
        DOCTORS[0],
    )
    for doctor, told in ((first, "Dr. <71>: Normal"), (second, "Opinions so far: 1")):
        await doctor.says(f"/case {number}")
        await doctor.sees(told)


async def test_a_long_history_arrives_with_its_newest_lines_in_the_order_of_what_happened(
    off_stage: Stage, doctors: list[User]
) -> None:
    stage, doctor = off_stage, doctors[0]
    number = await case(stage, await stage.agreed(1), BACTERIAL, "n" * 900)
    await reviewed(doctor, "Normal")
    await doctor.says(f"/case {number}")
    told = (await doctor.sees("seen by a doctor")).text
    steps = ("received", "estimated by the model", "waiting for a doctor", "under review")
    assert [told.rindex(step) for step in steps] == sorted(told.rindex(step) for step in steps)
    stage.change("UPDATE staff SET name = ?", "Prof. Dr. " + "😀" * 70)
    stage.change("UPDATE opinions SET comment = ?", "c" * 500)
    for _ in range(30):
        stage.change(
            """INSERT INTO audit (at, actor, action, case_id)
               SELECT at, 'doctor:1', 'case_taken', case_id FROM audit
               WHERE action = 'verdict_given' LIMIT 1"""
        )
    await doctor.says(f"/case {number}")
    told = (await doctor.sees("c" * 500)).text
    assert "took a case" in told and told.endswith("saw the history of a case")


async def test_the_history_of_a_case_and_the_audit_are_told_in_words_and_not_in_codes(
    off_stage: Stage, doctors: list[User]
) -> None:
    stage = off_stage
    ann, boss = await stage.agreed(1), stage.sim.user(ADMIN, language="zh")
    for person in (*doctors, boss):
        await person.says("/language")
        await person.taps("中文")
        await person.sees("以后使用中文")
    number = await case(stage, ann, BACTERIAL)
    await reviewed(doctors[0], "正常", "发送", "患者收到的结论是")
    await doctors[0].says(f"/case {number}")
    await doctors[0].sees("机器人 · 病例结束 · 一位医生")
    await boss.says("/audit")
    assert "病例结束" in (told := (await boss.sees("操作记录")).text)
    assert "· 一位医生" in told and "one" not in told
    await ann.sends_file(b"just some words")
    await ann.sees("not a picture we can read")
    await stage.sim.quiet()
    refused = stage.value("SELECT number FROM cases ORDER BY id DESC")
    await doctors[0].says(f"/case {refused}")
    told = (await doctors[0].sees(refused)).text
    assert "未受理（无法读取的文件类型）" in told  # noqa: RUF001 - the Chinese marks are meant
    stage.change(
        "INSERT INTO case_events (case_id, at, step, detail) VALUES (1, 1, 'erased', 'retention')"
    )
    await doctors[0].says(f"/case {number}")
    told = (await doctors[0].sees("保存期已满")).text
    assert "内容已删除（保存期已满）" in told  # noqa: RUF001 - the Chinese marks are meant


async def test_a_doctor_sees_how_often_the_model_agreed(
    off_stage: Stage, doctors: list[User]
) -> None:
    stage, (first, _) = off_stage, doctors
    await first.says("/mystats")
    told = await first.sees("What you have reviewed")
    assert "in all 0" in told.text and "agreed" not in told.text
    ann = await stage.agreed(1)
    for verdict, brightness in (("I agree", BACTERIAL), ("Viral pneumonia", NORMAL)):
        await case(stage, ann, brightness)
        await reviewed(first, verdict)
    stage.change("UPDATE opinions SET given_at = given_at - 40 * 86400000000 WHERE id = 1")
    stage.change("UPDATE opinions SET taken_at = given_at - 20000000")
    await first.says("/mystats")
    told = await first.sees("Today 1 · 30 days 1 · in all 2")
    assert "1 of 2 cases where it was sure: 50% (95% interval 9%–91%)" in told.text
    assert "20 seconds (median)" in told.text
