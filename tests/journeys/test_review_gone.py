"""Doctors at work: what was lost on the way, what is no longer theirs, and what is not yet said."""

import asyncio
import io
import json
import zipfile

import pytest

from bot.sandbox.client import User
from bot.worker import Worker

from .clinic import POLLING, Clinic, says, takes
from .pictures import BACTERIAL, NORMAL, UNSURE, xray
from .stage import ADMIN, Stage


async def my_data(clinic: Clinic, user: User) -> dict[str, object]:
    """Ask for everything kept, and give the record of the only case."""
    await user.says("/mydata")
    await clinic.stage.sim.quiet()
    sent = [each for each in await user.messages() if each.document][-1]
    archive = zipfile.ZipFile(io.BytesIO(await user.downloads(sent)))
    (case,) = json.loads(archive.read("my-data.json"))["cases"]
    return dict(case)


@POLLING
async def test_mydata_keeps_back_a_word_that_is_not_settled(clinic: Clinic) -> None:
    first, second = await clinic.opens(2)
    ann = await clinic.stage.agreed(1)
    await clinic.case(ann)
    await takes(first)
    await says(first, "Viral pneumonia", "I fear the worst", button="Ask for a second opinion")
    await first.sees("Another doctor is asked now")
    await takes(second)
    case = await my_data(clinic, ann)
    assert (case["said"], case["review"]) == ([], None)
    assert "doctor:" not in json.dumps(case)
    await says(second, "Viral pneumonia")
    assert "They agree:" in (await ann.sees("doctors have looked")).text
    await clinic.stage.sim.quiet()
    said = (await my_data(clinic, ann))["said"]
    assert isinstance(said, list)
    assert [each["comment"] for each in said] == ["I fear the worst", None]


@POLLING
async def test_a_card_that_may_not_have_arrived_gives_way_to_one_that_did(clinic: Clinic) -> None:
    [doctor] = await clinic.opens()
    await clinic.case(await clinic.stage.agreed(1))
    await clinic.stage.sim.fault("sendPhoto", drop=True, after=True, chat_id=71)
    card = await takes(doctor)
    await clinic.stage.sim.quiet()
    await doctor.taps("Viral pneumonia", card)
    noted = await doctor.sees("Your verdict:")
    assert noted.id != card.id
    await doctor.taps("Send", noted)
    await clinic.stage.sim.quiet()
    assert clinic.stage.value("SELECT state FROM opinions") == "final"


@POLLING
async def test_pictures_of_a_case_that_went_to_another_doctor_are_not_sent(clinic: Clinic) -> None:
    first, second = await clinic.opens(2)
    ann = await clinic.stage.agreed(1)
    await ann.sends_album([xray(NORMAL, 1), xray(BACTERIAL, 2), xray(UNSURE, 3)])
    for _ in range(3):
        await ann.hears_photo()
    await clinic.stage.sim.quiet()
    card = await takes(first)
    await clinic.stage.sim.fault("sendMediaGroup", code=502, chat_id=71, times=2)
    await first.taps("All 3 pictures", card)
    await clinic.stage.sim.until(bool, "sendMediaGroup")
    clinic.stage.change("UPDATE cases SET lease_until_at = 1 WHERE state = 'under_review'")
    await takes(second)
    await clinic.stage.sim.quiet(4)
    assert not [each for each in await first.messages() if each.album]
    assert clinic.stage.value("SELECT state FROM outbox WHERE kind = 'album'") == "failed"


async def takes_agreement_back(ann: User) -> None:
    await ann.says("/privacy")
    await ann.taps("Take my agreement back")


@POLLING
async def test_who_takes_the_agreement_back_is_shown_to_no_doctor_until_they_agree_again(
    clinic: Clinic,
) -> None:
    [doctor] = await clinic.opens(results="after_review")
    ann = await clinic.stage.agreed(1)
    await ann.sends_photo(xray())
    await ann.sees("Here a doctor looks")
    await takes(doctor)
    await doctor.taps("Normal")
    await doctor.sees("Your verdict")
    await takes_agreement_back(ann)
    told = await ann.sees("Doctors are no longer shown the pictures you sent before")
    assert "I will not look at any picture" in told.text and "do not wait" in told.text
    await clinic.stage.sim.quiet()
    assert not [each for each in await doctor.messages() if each.photo]
    await doctor.says("/review")
    await doctor.sees("Nothing is waiting for you")
    number = clinic.stage.value("SELECT number FROM cases")
    await doctor.says(f"/case {number}")
    told = await doctor.sees("the patient took the agreement back")
    assert "Bacterial" not in told.text
    await ann.says("/status")
    await ann.sees("Nothing is being worked on")
    await ann.says("/history")
    await ann.sees("no answer from a doctor")

    await ann.starts()
    await ann.taps("I have read this")
    await ann.sees("The doctors can look again at the pictures you sent before")
    await takes(doctor)
    await says(doctor, "Normal")
    await ann.sees("A doctor has looked")


@POLLING
async def test_who_took_the_agreement_back_is_asked_for_it_before_a_doctor_is(
    clinic: Clinic,
) -> None:
    await clinic.opens()
    ann = await clinic.stage.agreed(1)
    await clinic.case(ann)
    answer = next(each for each in await ann.messages() if each.button("Ask a doctor"))
    await takes_agreement_back(ann)
    await ann.sees("Doctors are no longer shown")
    await ann.taps("Ask a doctor", answer)
    await clinic.stage.sim.quiet()
    assert (await ann.messages())[-1].button("I have read this and agree")
    assert clinic.stage.value("SELECT count(*) FROM review_queue") == 0
    await ann.taps("I have read this and agree")
    await ann.sees("The doctors can look again")
    await ann.says("/status")
    await ann.sees("waiting for a doctor")


@POLLING
async def test_a_card_in_flight_when_the_role_ends_is_taken_back(clinic: Clinic) -> None:
    [doctor] = await clinic.opens()
    boss = clinic.stage.sim.user(ADMIN)
    await clinic.case(await clinic.stage.agreed(1))
    await boss.says("/staff")
    await boss.taps("End: Dr. <71>")
    await clinic.stage.sim.fault("sendPhoto", delay=30, chat_id=71)
    await doctor.says("/review")
    in_flight = "SELECT count(*) FROM outbox WHERE kind = 'photo' AND state = 'sending'"
    while not clinic.stage.value(in_flight):
        await clinic.stage.sim.quiet(0.02)
    await clinic.stage.sim.quiet(0.3)
    await boss.taps("Yes, end it")
    await doctor.sees("Your role as a doctor here has ended")
    await clinic.stage.sim.release()
    await clinic.stage.sim.quiet()
    assert not [each for each in await doctor.messages() if each.photo]


@POLLING
@pytest.mark.parametrize("everything", [False, True], ids=["deletes", "forgets"])
async def test_a_doctor_who_forgets_themselves_keeps_no_patients_picture(
    clinic: Clinic, everything: bool
) -> None:
    [doctor] = await clinic.opens()
    ann = await clinic.stage.agreed(1)
    await clinic.case(ann, note="secret")
    answer = next(each for each in await ann.messages() if each.photo)
    await takes(doctor)
    await doctor.says("/forget")
    await doctor.taps("Yes, erase everything")
    await doctor.sees("Everything is erased")
    await clinic.stage.sim.quiet()
    if everything:
        await ann.says("/forget")
        await ann.taps("Yes, erase everything")
        await ann.sees("Everything is erased")
    else:
        await ann.taps("Delete this", answer)
        await ann.taps("Yes, delete")
        await ann.sees("Deleted.")
    await clinic.stage.sim.quiet()
    assert not [each for each in await doctor.messages() if each.photo]


@POLLING
async def test_who_accepted_an_invitation_cannot_pass_for_another_account(clinic: Clinic) -> None:
    await clinic.opens(0)
    boss = clinic.stage.sim.user(ADMIN)
    await boss.says("/staff")
    await boss.taps("Invite a doctor")
    await boss.sees("What is the doctor called")
    await boss.says("Dr. Li")
    link = await boss.sees("Invitation for")
    token = link.text.split("start=")[1].split()[0]
    thief = clinic.stage.sim.user(666, name="Li Wei (@drliwei)\n", language="en")
    await thief.starts(token)
    told = (await boss.sees("has accepted")).text
    assert "“Li Wei (@drliwei)” · – · 666" in told


@POLLING
async def test_pictures_made_for_somebody_who_is_forgotten_meanwhile_are_unlinked(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, drawn, go_on = Worker._draw, asyncio.Event(), asyncio.Event()

    async def slow(self: Worker, *given: object) -> object:
        made = await draw(self, *given)  # type: ignore[arg-type] # passed on
        drawn.set()
        await go_on.wait()
        return made

    monkeypatch.setattr(Worker, "_draw", slow)
    await ann.sends_photo(xray())
    await drawn.wait()
    await ann.says("/forget")
    await ann.taps("Yes, erase everything")
    await ann.sees("Everything is erased")
    assert list((stage.data_dir / "images").glob("??/*"))
    go_on.set()
    await stage.sim.quiet(1)
    assert not list((stage.data_dir / "images").glob("??/*"))


@POLLING
async def test_mydata_of_a_doctor_holds_their_role_and_what_they_said(clinic: Clinic) -> None:
    [doctor] = await clinic.opens()
    await clinic.case(await clinic.stage.agreed(1))
    await takes(doctor)
    await says(doctor, "Viral pneumonia", "rest")
    await clinic.stage.sim.quiet()
    await doctor.says("/mydata")
    sent = await doctor.sees("Everything we hold about you")
    with zipfile.ZipFile(io.BytesIO(await doctor.downloads(sent))) as archive:
        [served] = json.loads(archive.read("my-data.json"))["roles"]
    assert (served["member"]["role"], served["member"]["name"]) == ("doctor", "Dr. <71>")
    assert [(each["verdict"], each["comment"]) for each in served["opinions"]] == [
        ("viral", "rest")
    ]
