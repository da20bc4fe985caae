"""Doctors at work: what is left, in chats and in the database, of what a patient had erased."""

import pytest

from bot import outbox
from bot.sandbox.client import User
from storage import Storage
from storage.clock import utc_now

from .clinic import POLLING, Clinic, says, takes
from .pictures import BACTERIAL, xray
from .stage import ADMIN

DOCTOR = 71
TWO_DAYS = 49 * 3600


async def forgets(user: User) -> None:
    await user.says("/forget")
    await user.taps("Yes, erase everything")
    await user.sees("Everything is erased")


async def taken(clinic: Clinic) -> tuple[User, User]:
    """Have a doctor look at a patient's picture; gives both."""
    [doctor] = await clinic.opens()
    ann = await clinic.stage.agreed(1)
    await clinic.case(ann, note="secret")
    await takes(doctor)
    await clinic.stage.sim.quiet()
    return doctor, ann


async def shown_to(doctor: User) -> list[str]:
    return [each.text for each in await doctor.messages() if each.photo or each.document]


def places(clinic: Clinic, words: str) -> list[str]:
    """Name the columns of the database that hold some words."""
    found = []
    for each in clinic.stage.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        table = each["name"]
        for row in map(dict, clinic.stage.rows(f'SELECT * FROM "{table}"')):
            found += [f"{table}.{name}" for name, value in row.items() if words in str(value)]
    return found


@POLLING
async def test_what_is_too_old_to_be_deleted_is_emptied(clinic: Clinic) -> None:
    doctor, ann = await taken(clinic)
    await doctor.taps("Full resolution")
    await clinic.stage.sim.quiet()
    before = {each.id: each for each in await doctor.messages() if each.photo or each.document}
    await clinic.stage.sim.advance(TWO_DAYS)
    await forgets(ann)
    await clinic.stage.sim.quiet(1)
    after = [each for each in await doctor.messages() if each.id in before]
    assert len(after) == len(before) >= 2
    for each in after:
        assert each.text == "…" and not each.buttons
        assert each.photo != before[each.id].photo and not each.document


@POLLING
async def test_a_former_doctor_who_is_back_keeps_no_erased_picture(clinic: Clinic) -> None:
    doctor, ann = await taken(clinic)
    clinic.stage.change("UPDATE staff SET revoked_at = 1 WHERE telegram_id = ?", DOCTOR)
    await clinic.stage.restart()
    await doctor.blocks()
    await clinic.stage.sim.quiet()
    await forgets(ann)
    await clinic.stage.sim.quiet()
    await doctor.unblocks()
    await doctor.says("/help")
    await clinic.stage.sim.quiet(2)
    assert not await shown_to(doctor)


@POLLING
async def test_what_an_admin_was_shown_of_a_dispute_goes_with_the_case(clinic: Clinic) -> None:
    doctors, boss = await clinic.opens(3), clinic.stage.sim.user(ADMIN)
    ann = await clinic.stage.agreed(1)
    number = await clinic.case(ann)
    verdicts = ("Viral pneumonia", "Bacterial pneumonia", "Normal")
    for doctor, verdict in zip(doctors, verdicts, strict=True):
        await takes(doctor, number)
        await says(
            doctor, verdict, button="Ask for a second opinion" if verdict[0] == "V" else "Send"
        )
        await clinic.stage.sim.quiet()
    await boss.says("/disputes")
    await boss.sees(f"Case {number}: which verdict")
    await ann.taps("Delete this")
    await ann.taps("Yes, delete")
    await clinic.stage.sim.quiet(2)
    assert not [each.text for each in await boss.messages() if number in each.text]


@POLLING
async def test_a_doctor_who_is_back_keeps_no_erased_picture(clinic: Clinic) -> None:
    doctor, ann = await taken(clinic)
    await doctor.blocks()
    await clinic.stage.sim.quiet()
    await forgets(ann)
    await clinic.stage.sim.quiet()
    await doctor.unblocks()
    await clinic.stage.sim.quiet(2)
    assert not await shown_to(doctor)


@POLLING
async def test_an_erased_picture_is_taken_out_however_long_telegram_fails(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor, ann = await taken(clinic)
    monkeypatch.setattr(outbox, "BACKOFF", outbox.timedelta(seconds=0.02))
    monkeypatch.setattr(outbox, "MOST_ATTEMPTS", 2)
    await clinic.stage.sim.fault("deleteMessage", code=502, chat_id=DOCTOR, times=4)
    await forgets(ann)
    await clinic.stage.sim.quiet(1)
    assert not await shown_to(doctor)


@POLLING
async def test_a_doctor_who_is_forgotten_too_keeps_no_erased_picture(clinic: Clinic) -> None:
    doctor, ann = await taken(clinic)
    await doctor.says("/forget")
    question = await doctor.sees("This erases all your pictures")
    await clinic.stage.sim.fault("deleteMessage", code=502, chat_id=DOCTOR, times=2)
    await forgets(ann)
    await clinic.stage.sim.until(bool, "deleteMessage")
    await doctor.taps("Yes, erase everything", question)
    await doctor.sees("Everything is erased")
    await clinic.stage.sim.quiet(6)
    assert not await shown_to(doctor)


@POLLING
async def test_no_line_of_the_audit_tells_whose_case_became_whose(clinic: Clinic) -> None:
    doctor, ann = await taken(clinic)
    boss = clinic.stage.sim.user(ADMIN)
    await says(doctor, "Viral pneumonia")
    await ann.sees("A doctor has looked")
    await clinic.stage.sim.quiet()
    await forgets(ann)
    await clinic.stage.sim.quiet()
    await boss.says("/audit")
    page = await boss.sees("case closed")
    assert clinic.stage.value("SELECT number FROM cases") not in page.text


@POLLING
async def test_a_word_told_again_goes_with_its_case(clinic: Clinic) -> None:
    doctor, ann = await taken(clinic)
    answer = next(each for each in await ann.messages() if each.button("Delete this"))
    await says(doctor, "Viral pneumonia", "Drink a lot")
    await ann.sees("A doctor has looked")
    await clinic.stage.sim.quiet()
    await ann.taps("Ask a doctor", answer)
    await clinic.stage.sim.quiet()
    assert len([each for each in await ann.messages() if "Drink a lot" in each.text]) == 2
    await ann.taps("Delete this", answer)
    await ann.taps("Yes, delete")
    await ann.sees("Deleted")
    await clinic.stage.sim.quiet()
    assert not [each for each in await ann.messages() if "Drink a lot" in each.text]


@POLLING
async def test_no_verdict_is_left_of_a_case_that_its_patient_deleted(clinic: Clinic) -> None:
    doctor, ann = await taken(clinic)
    answer = next(each for each in await ann.messages() if each.button("Delete this"))
    await says(doctor, "Viral pneumonia")
    await ann.sees("A doctor has looked")
    await clinic.stage.sim.quiet()
    await ann.taps("Delete this", answer)
    await ann.taps("Yes, delete")
    await ann.sees("Deleted")
    await clinic.stage.sim.quiet()
    assert not places(clinic, "viral")


@POLLING
@pytest.mark.parametrize("expired", [False, True])
async def test_the_old_number_of_who_is_forgotten_stands_nowhere(
    clinic: Clinic, expired: bool
) -> None:
    first, second = await clinic.opens(2)
    boss = clinic.stage.sim.user(ADMIN)
    ann = await clinic.stage.agreed(1)
    number = await clinic.case(ann)
    await takes(first)
    await says(first, "Viral pneumonia", button="Ask for a second opinion")
    await first.sees("Another doctor is asked now")
    await takes(second)
    await says(second, "Normal")
    await boss.sees(f"The doctors do not agree on case {number}")
    await boss.says("/disputes")
    await boss.sees("which verdict is the patient to hear?")
    await boss.says("/audit")
    await clinic.stage.sim.quiet()
    if expired:
        await clinic.stage.stop()
        async with await Storage.open(clinic.stage.data_dir) as storage:
            await storage.expire(utc_now())
        await clinic.stage.start(undo_seconds=0)
    await first.says(f"/case {number}")
    await clinic.stage.sim.quiet()
    await forgets(ann)
    await clinic.stage.sim.quiet()
    assert not places(clinic, number)
    if not expired:
        told = f"The doctors do not agree on case {number}"
        assert not any(told in each.text for each in await boss.messages())


@POLLING
async def test_a_case_that_was_withdrawn_is_told_like_any_other(clinic: Clinic) -> None:
    [doctor] = await clinic.opens()
    ann = await clinic.stage.agreed(1)
    await clinic.stage.sim.fault("download", delay=30)
    await ann.sends_photo(xray())
    await clinic.stage.sim.until(bool, "getFile")
    number = clinic.stage.value("SELECT number FROM cases")
    await ann.says("/cancel")
    await ann.sees("Taken out of the queue: 1")
    await doctor.says(f"/case {number}")
    assert "withdrawn" in (await doctor.sees(number)).text


@POLLING
async def test_a_deletion_that_is_not_taken_holds_up_no_answer(clinic: Clinic) -> None:
    await clinic.opens(0)
    ann = await clinic.stage.agreed(1)
    await clinic.case(ann)
    await clinic.stage.sim.fault("deleteMessage", code=500, chat_id=1, times=1000)
    await ann.taps("Delete this")
    await ann.taps("Yes, delete")
    await ann.sees("Deleted")
    await clinic.stage.sim.until(lambda calls: len(calls) >= 3, "deleteMessage")
    await ann.sends_file(xray(BACTERIAL, 77), "scan.jpg")
    await ann.hears_photo(within=10)


@POLLING
async def test_a_refused_deletion_without_a_block_mutes_no_doctor(clinic: Clinic) -> None:
    [doctor] = await clinic.opens()
    ann = await clinic.stage.agreed(1)
    await clinic.case(ann)
    await takes(doctor)
    await clinic.stage.sim.fault("deleteMessage", code=403, chat_id=DOCTOR, times=1)
    await ann.taps("Delete this")
    await ann.taps("Yes, delete")
    await ann.sees("Deleted")
    await clinic.stage.sim.until(
        lambda calls: any(call.outcome == "403" for call in calls), "deleteMessage"
    )
    await doctor.says("/review")
    await doctor.sees("Nothing is waiting for you")
    # Who writes has not blocked the bot: what was to go goes.
    await clinic.stage.sim.quiet()
    assert not [each for each in await doctor.messages() if each.photo]
