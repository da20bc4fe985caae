"""Doctors at work: what is written when nobody asked, by them and by patients."""

from .clinic import POLLING, Clinic, says, takes
from .pictures import BACTERIAL, xray

# What is said hangs on no way to fetch it.
pytestmark = POLLING


async def test_words_before_the_verdict_are_answered_as_a_doctors(clinic: Clinic) -> None:
    [doctor] = await clinic.opens()
    number = await clinic.case(await clinic.stage.agreed(1))
    await takes(doctor)
    await doctor.says("Please go to a hospital at once")
    await doctor.sees(f"Case {number} is with you. Choose a verdict")


async def test_words_after_the_verdict_are_no_patients(clinic: Clinic) -> None:
    [doctor] = await clinic.opens(undo_seconds=60)
    ann = await clinic.stage.agreed(1)
    number = await clinic.case(ann)
    await takes(doctor)
    await says(doctor, "Normal")
    await doctor.says("And drink a lot")
    await doctor.sees(f"Your verdict on case {number} is given already")
    await doctor.taps("Take back")
    await doctor.says("And drink a lot")
    await doctor.sees("With it the patient gets your comment:\nAnd drink a lot")


async def test_a_comment_is_taken_though_another_question_came_between(
    clinic: Clinic,
) -> None:
    [doctor] = await clinic.opens()
    await clinic.case(await clinic.stage.agreed(1))
    await takes(doctor)
    await doctor.taps("Normal")
    await doctor.sees("You can add a comment")
    clinic.stage.change("DELETE FROM dialogs")
    await doctor.says("better this")
    await doctor.sees("With it the patient gets your comment:\nbetter this")


async def test_who_has_no_case_in_hand_is_answered_as_a_patient(clinic: Clinic) -> None:
    [doctor] = await clinic.opens()
    await doctor.says("hello")
    await doctor.sees("I can only read chest X-rays")


async def test_a_note_sent_while_a_doctor_has_the_case_is_seen_or_said_to_be_unread(
    clinic: Clinic,
) -> None:
    [doctor] = await clinic.opens(undo_seconds=60)
    ann = await clinic.stage.agreed(1)
    await ann.sends_file(xray(BACTERIAL, 5), "scan.jpg")
    await ann.hears_photo()
    await clinic.stage.sim.quiet()
    await takes(doctor)
    await ann.sends_file(xray(BACTERIAL, 5), "scan.jpg", "fever of 40")
    await ann.sees("You have sent this very picture before")
    await doctor.taps("Bacterial pneumonia")
    await doctor.sees("fever of 40")
    await ann.sends_file(xray(BACTERIAL, 5), "scan.jpg", "and a cough")
    await ann.sees("No doctor will read what you wrote beside it")
    await doctor.taps("Send")
    await doctor.sees("This counts in")
    await ann.sends_file(xray(BACTERIAL, 5), "scan.jpg", "and a heart defect")
    await clinic.stage.sim.quiet()
    said = [m.text for m in await ann.messages() if "No doctor will read" in m.text]
    assert len(said) == 2
