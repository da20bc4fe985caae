"""Doctors at work: they take cases, say what they see, and patients hear it."""

import io

import pytest
from PIL import Image

from bot.context import Services
from bot.doctor import verdicts
from storage.transaction import Tx

from .clinic import POLLING, Clinic, says, takes
from .pictures import BACTERIAL, NOT_A_CHEST, xray
from .stage import ADMIN


async def test_a_doctor_reviews_and_the_patient_hears_it_in_their_language(
    clinic: Clinic,
) -> None:
    [doctor] = await clinic.opens()
    ann = await clinic.stage.agreed(1, language="zh")
    number = await clinic.case(ann, note="cough <b> & fever")
    card = await takes(doctor)
    assert f"Case {number}" in card.text and "cough <b> & fever" in card.text
    assert "Bacterial pneumonia" in card.text and "bacterial " in card.text
    picture = Image.open(io.BytesIO(await doctor.downloads(card)))
    assert picture.width > picture.height
    await says(doctor, "I agree: Bacterial pneumonia", "Lower left <lobe> & see me")
    heard = await ann.sees("医生已经看过您的图片")
    assert "细菌性肺炎" in heard.text and "Lower left <lobe> & see me" in heard.text
    assert clinic.state(number) == "reviewed"
    closed = await doctor.sees("It is closed, and the patient was told: Bacterial pneumonia")
    assert closed.id == card.id and not closed.buttons
    await doctor.says("/review")
    await doctor.sees("Nothing is waiting for you")


@POLLING
async def test_a_failure_while_verdicts_are_settled_ends_nothing_and_is_tried_again(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "LONGEST_REST", 0.05)
    [doctor] = await clinic.opens()
    ann = await clinic.stage.agreed(1)
    number = await clinic.case(ann)
    await takes(doctor)
    failures = [KeyError("once"), KeyError("twice")]
    settle = verdicts.settle

    def failing(tx: Tx, services: Services) -> bool:
        if failures:
            raise failures.pop()
        return settle(tx, services)

    monkeypatch.setattr(verdicts, "settle", failing)
    await says(doctor, "Other finding")
    await ann.sees("A doctor has looked at your picture")
    assert clinic.state(number) == "reviewed" and not failures


@POLLING
async def test_a_verdict_can_be_taken_back_and_counts_after_a_restart(clinic: Clinic) -> None:
    [doctor] = await clinic.opens(undo_seconds=60)
    ann = await clinic.stage.agreed(1)
    number = await clinic.case(ann)
    await takes(doctor)
    await says(doctor, "Viral pneumonia")
    await doctor.sees("This counts in 60 seconds")
    await doctor.taps("Take back")
    await doctor.sees("Your verdict: Viral pneumonia")
    await doctor.taps("Change the verdict")
    await doctor.sees("Model ")
    await says(doctor, "Other finding", "a broken rib")
    await doctor.sees("Other finding\nThis counts")
    await clinic.stage.sim.quiet()
    assert not [each for each in await ann.messages() if "A doctor has looked" in each.text]
    await clinic.stage.stop()
    clinic.stage.change("UPDATE opinions SET final_at = given_at")
    await clinic.stage.start()
    heard = await ann.sees("A doctor has looked at your picture")
    assert "Something other than pneumonia" in heard.text and "a broken rib" in heard.text
    assert clinic.state(number) == "reviewed"
    verdicts = [each for each in await ann.messages() if "A doctor has looked" in each.text]
    assert len(verdicts) == 1


@POLLING
async def test_with_results_after_review_the_answer_comes_with_the_verdict(
    clinic: Clinic,
) -> None:
    [doctor] = await clinic.opens(results="after_review")
    ann = await clinic.stage.agreed(1)
    await ann.sends_photo(xray(BACTERIAL))
    await ann.sees("Here a doctor looks first")
    card = await takes(doctor)
    assert "The patient is waiting" in card.text
    await says(doctor, "Normal", "all well")
    await ann.sees("No sign of pneumonia was seen")
    picture = await ann.hears_photo()
    assert "the doctor's word counts" in picture.text
    assert [button.text for row in picture.buttons for button in row] == [
        "What does this mean?",
        "Delete this",
    ]
    await clinic.stage.sim.quiet()
    assert len([each for each in await ann.messages() if each.from_bot and each.photo]) == 1


@POLLING
async def test_before_review_it_is_told_at_once_what_no_doctor_will_see(clinic: Clinic) -> None:
    await clinic.opens(results="after_review")
    ann = await clinic.stage.agreed(1)
    await ann.sends_album([xray(NOT_A_CHEST), xray(BACTERIAL)])
    await ann.sees("Here a doctor looks first")
    await ann.sees("This does not look like a frontal chest X-ray")
    await clinic.stage.sim.quiet()
    assert clinic.stage.value("SELECT state FROM cases") == "answered"


@POLLING
async def test_doctors_who_differ_are_decided_by_a_third(clinic: Clinic) -> None:
    first, second, third = await clinic.opens(3)
    ann = await clinic.stage.agreed(1)
    number = await clinic.case(ann)
    await takes(first)
    await says(first, "Viral pneumonia", "ground glass", button="Ask for a second opinion")
    await first.sees("Another doctor is asked now")
    card = await takes(second)
    assert "A second opinion is wanted" in card.text and "ground glass" not in card.text
    await second.says(f"/case {number}")
    told = await second.sees("Opinions so far: 1")
    assert "Viral" not in told.text.partition("Model")[0] and "ground glass" not in told.text
    await says(second, "Normal", "I see nothing")
    assert not [each for each in await second.messages() if each.button("second opinion")]
    await second.sees("Another doctor is asked now")
    await clinic.stage.sim.quiet()
    assert clinic.state(number) == "answered"
    await takes(third)
    await says(third, "Viral pneumonia", "both sides")
    heard = await ann.sees("Several doctors have looked")
    assert "viral pneumonia" in heard.text
    assert "ground glass" in heard.text and "both sides" in heard.text
    assert "I see nothing" not in heard.text
    assert "They did not all agree. Most of them say:" in heard.text
    await second.says(f"/case {number}")
    assert "I see nothing" in (await second.sees("seen by a doctor")).text


@POLLING
async def test_an_admin_hears_that_another_is_needed_for_their_own_case(clinic: Clinic) -> None:
    first, second = await clinic.opens(2)
    boss, other = await clinic.stage.agreed(ADMIN), await clinic.stage.agreed(2)
    number = await clinic.case(boss)
    await takes(first)
    await says(first, "Viral pneumonia", button="Ask for a second opinion")
    await first.sees("Another doctor is asked now")
    await takes(second)
    await says(second, "Normal")
    told = await boss.sees(f"Case {number} is your own")
    assert "Another admin has to decide" in told.text and "/staff" in told.text
    assert not any("lets you decide" in each.text for each in await boss.messages())

    clinic.stage.change(
        "INSERT INTO staff (telegram_id, role, name, since_at) VALUES (2, 'admin', 'B', 1)"
    )
    clinic.stage.change("UPDATE review_queue SET disputed_at = NULL")
    await first.says("/review")
    await other.sees(f"The doctors do not agree on case {number}")
    await clinic.stage.sim.quiet()
    assert not any("lets you decide" in each.text for each in await boss.messages())


@POLLING
async def test_an_admin_decides_what_doctors_cannot_and_sees_no_picture(clinic: Clinic) -> None:
    first, second = await clinic.opens(2)
    boss = clinic.stage.sim.user(ADMIN)
    ann = await clinic.stage.agreed(1)
    number = await clinic.case(ann)
    await takes(first)
    await says(first, "Viral pneumonia", "ground glass", button="Ask for a second opinion")
    await first.sees("Another doctor is asked now")
    await takes(second)
    await says(second, "Normal")
    await boss.sees(f"The doctors do not agree on case {number}")
    await boss.says(f"/review {number}")
    await boss.sees("I do not know this command")
    await boss.says("/disputes")
    question = await boss.sees("which verdict is the patient to hear?")
    assert "Viral pneumonia: 1" in question.text and "Normal: 1" in question.text
    await boss.taps("Normal", question)
    asked = await boss.sees(f"Case {number}: tell the patient Normal?")
    await boss.taps("Back", asked)
    again = await boss.sees("which verdict is the patient to hear?")
    assert asked.id == again.id == question.id
    assert clinic.state(number) == "answered"
    await boss.taps("Viral pneumonia", again)
    await boss.taps("Yes, tell the patient", await boss.sees("tell the patient Viral pneumonia?"))
    await boss.sees(f"Case {number} is closed: Viral pneumonia")
    heard = await ann.sees("Several doctors have looked")
    assert "ground glass" in heard.text
    assert "They did not agree: please show the picture to a doctor in person." in heard.text
    assert "chose to pass on what one of them says:" in heard.text
    await ann.says("/history")
    await ann.sees("doctors did not agree; one of them says: Viral pneumonia")
    await boss.says("/disputes")
    await boss.sees("There is nothing to decide")
    await clinic.stage.sim.quiet()
    assert not [each for each in await boss.messages() if each.photo or each.document]


@POLLING
async def test_the_word_of_one_doctor_is_told_as_such_when_an_admin_decides(
    clinic: Clinic,
) -> None:
    first, _ = await clinic.opens(2)
    boss = clinic.stage.sim.user(ADMIN)
    ann = await clinic.stage.agreed(1)
    number = await clinic.case(ann)
    await takes(first)
    await says(first, "Viral pneumonia", button="Ask for a second opinion")
    await first.sees("Another doctor is asked now")
    await boss.says("/staff")
    await boss.taps("End: Dr. <72>")
    await boss.taps("Yes, end it")
    await first.says("/review")
    await boss.sees("there is no second doctor")
    await boss.says("/disputes")
    await boss.taps("Viral pneumonia")
    await boss.taps("Yes, tell the patient")
    heard = await ann.sees(f"A doctor has looked at your picture (case {number})")
    assert "there was no other doctor to ask" in heard.text and "did not agree" not in heard.text
