"""Doctors at work: they take cases, say what they see, and patients hear it."""

import io
import json
import zipfile
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image

from bot.context import Services
from bot.doctor import verdicts
from bot.sandbox.client import Heard, User
from classifier.labels import Modality
from classifier.model import Model
from storage import Storage, staff
from storage.staff import Role
from storage.transaction import Tx

from ..classifier.conftest import make_model, sure_of_no_kind
from .pictures import BACTERIAL, NORMAL, UNSURE, ct_slice, xray, zipped
from .stage import ADMIN, Stage

DOCTORS = (71, 72, 73)
POLLING = pytest.mark.parametrize("mode", ["polling"], indirect=True)


class Clinic:
    """A stage with doctors."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def opens(self, doctors: int = 1, language: str = "en", **settings: object) -> list[User]:
        """Start with so many doctors, whose verdicts count at once unless said otherwise."""
        async with await Storage.open(self.stage.data_dir) as storage:
            for number in DOCTORS[:doctors]:
                await storage.write(staff.add, number, Role.DOCTOR, f"Dr. <{number}>")
        await self.stage.start(**({"undo_seconds": 0} | settings))
        found = [self.stage.sim.user(number, language=language) for number in DOCTORS[:doctors]]
        for doctor in (*found, self.stage.sim.user(ADMIN, language="en")):
            await doctor.says("/status")
            await doctor.hears()
        return found

    async def case(self, patient: User, brightness: float = BACTERIAL, note: str = "") -> str:
        """Have a patient send a picture and get the answer; gives the case's number."""
        seed = self.stage.value("SELECT count(*) FROM cases")
        await patient.sends_file(xray(brightness, seed), "scan.jpg", note)
        await patient.hears_photo()
        await self.stage.sim.quiet()
        return str(self.stage.value("SELECT number FROM cases ORDER BY id DESC"))

    def state(self, number: str) -> str:
        return str(self.stage.value("SELECT state FROM cases WHERE number = ?", number))


@pytest.fixture
def clinic(off_stage: Stage) -> Clinic:
    return Clinic(off_stage)


async def takes(doctor: User, number: str = "") -> Heard:
    """Ask for a case and look at its card."""
    await doctor.says(f"/review {number}".strip())
    return await doctor.hears_photo()


async def says(doctor: User, verdict: str, comment: str = "", button: str = "Send") -> None:
    """Give a verdict on the case in hand."""
    await doctor.taps(verdict)
    await doctor.sees("Your verdict:")
    if comment:
        await doctor.says(comment)
        await doctor.sees("Noted for case")
    await doctor.taps(button)


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
class TestPneumoniaOfAKindThatIsNotClear:
    @pytest.fixture
    def models(self) -> Mapping[Modality, Model]:
        return {Modality.XRAY: sure_of_no_kind()}

    async def test_patient_and_doctor_see_it_and_a_kind_agrees_with_it(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        number = await clinic.case(ann)
        heard = next(each for each in reversed(await ann.messages()) if each.photo)
        assert "The model finds most likely: pneumonia (" in heard.text
        assert "not clear" in heard.text and "not a diagnosis" in heard.text
        assert "unsure" not in heard.text
        await ann.taps("What does this mean?", heard)
        await ann.sees("“Looks like pneumonia – which kind is not clear” means")
        await ann.says("/history")
        await ann.sees("Looks like pneumonia – which kind is not clear")
        await ann.says("/mydata")
        sent = await ann.sees("Everything we hold about you")
        archive = zipfile.ZipFile(io.BytesIO(await ann.downloads(sent)))
        (case,) = json.loads(archive.read("my-data.json"))["cases"]
        (found,) = case["findings"]
        assert (found["label"], found["is_pneumonia"]) == (None, True)

        card = await takes(doctor, number)
        assert "pneumonia, kind not clear" in card.text and "Doubts" not in card.text
        assert card.buttons[0][0].text == "Normal"
        await says(doctor, "Viral pneumonia")
        await doctor.says("/mystats")
        assert (
            "1 of 1 cases where it was sure" in (await doctor.sees("What you have reviewed")).text
        )
        await doctor.says(f"/case {number}")
        await doctor.sees("pneumonia, kind not clear")

    async def test_a_picture_shown_again_still_says_it(self, clinic: Clinic) -> None:
        await clinic.opens()
        ann = await clinic.stage.agreed(1, language="zh")
        heard = []
        for _ in range(2):
            await ann.sends_file(xray(BACTERIAL), "scan.jpg")
            heard.append(await ann.hears_photo())
            assert "肺炎" in heard[-1].text and "无法判断" in heard[-1].text
        first, again = [Image.open(io.BytesIO(await ann.downloads(each))) for each in heard]
        assert first.size == again.size
        assert np.abs(np.asarray(first, int) - np.asarray(again, int)).mean() < 1


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
    assert "something other than pneumonia" in heard.text and "a broken rib" in heard.text
    assert clinic.state(number) == "reviewed"
    verdicts = [each for each in await ann.messages() if "A doctor has looked" in each.text]
    assert len(verdicts) == 1


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
    await ann.sees("The doctor sees no sign of pneumonia")
    picture = await ann.hears_photo()
    assert "the doctor's word counts" in picture.text
    assert [button.text for row in picture.buttons for button in row] == [
        "What does this mean?",
        "Delete this",
    ]
    await clinic.stage.sim.quiet()
    assert len([each for each in await ann.messages() if each.from_bot and each.photo]) == 1


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
    await second.says(f"/case {number}")
    assert "I see nothing" in (await second.sees("seen by a doctor")).text


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
    await boss.taps("Viral pneumonia", question)
    await boss.sees(f"Case {number} is closed: Viral pneumonia")
    assert "ground glass" in (await ann.sees("Several doctors have looked")).text
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
    await ann.sees(f"A doctor has looked at your picture (case {number})")


@POLLING
class TestHoldingACase:
    async def test_two_doctors_get_different_cases(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        ann = await clinic.stage.agreed(1)
        healthy, sick = await clinic.case(ann, NORMAL), await clinic.case(ann, BACTERIAL)
        assert sick in (await takes(first)).text
        await second.says(f"/review {sick.lower()}")
        told = await second.sees("Another doctor has case")
        assert "Dr." not in told.text
        assert healthy in (await takes(second)).text
        holders = clinic.stage.rows("SELECT DISTINCT lease_worker FROM cases")
        assert len(holders) == 2

    async def test_review_again_shows_the_case_in_hand_and_only_one_card(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        number, other = await clinic.case(ann), await clinic.case(ann)
        card = await takes(doctor, number)
        again = await takes(doctor)
        assert number in again.text
        await doctor.says(f"/review {other}")
        await doctor.sees("You have another case in hand")
        await clinic.stage.sim.quiet()
        cards = [each.id for each in await doctor.messages() if each.photo]
        assert cards == [again.id] != [card.id]

    async def test_a_card_that_did_not_go_out_yet_gives_way_to_the_next(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        await clinic.case(await clinic.stage.agreed(1))
        await clinic.stage.sim.fault("sendPhoto", code=500, chat_id=71, times=1)
        await doctor.says("/review")
        await clinic.stage.sim.until(lambda calls: len(calls) > 1, "sendPhoto")
        await takes(doctor)
        await clinic.stage.sim.quiet(1.5)
        assert len([each for each in await doctor.messages() if each.photo]) == 1

    async def test_a_verdict_on_a_case_taken_over_is_refused_with_words(
        self, clinic: Clinic
    ) -> None:
        first, second = await clinic.opens(2)
        number = await clinic.case(await clinic.stage.agreed(1))
        card = await takes(first)
        # What the buttons do when the chat could not be told in time.
        await clinic.stage.sim.fault("editMessageCaption", code=400, chat_id=71, times=2)
        clinic.stage.change("UPDATE cases SET lease_until_at = 1 WHERE state = 'under_review'")
        taken = await takes(second)
        assert number in taken.text
        await clinic.stage.sim.quiet()
        await first.taps("Normal", card)
        await clinic.stage.sim.quiet()
        assert clinic.stage.value("SELECT count(*) FROM opinions") == 0
        await says(second, "Normal")
        await second.sees("the patient was told")
        await first.taps("Viral pneumonia", card)
        await first.sees(f"Case {number} is reviewed")

    async def test_a_tap_on_a_case_of_another_says_so(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        number = await clinic.case(await clinic.stage.agreed(1))
        card = await takes(first)
        await clinic.stage.sim.fault("editMessageCaption", code=400, chat_id=71)
        clinic.stage.change("UPDATE cases SET lease_until_at = 1 WHERE state = 'under_review'")
        await takes(second)
        await clinic.stage.sim.quiet()
        await first.taps("Normal", card)
        await first.sees(f"Another doctor has case {number} now")

    async def test_a_case_whose_time_is_up_goes_back_and_says_so(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        number = await clinic.case(await clinic.stage.agreed(1))
        await takes(first)
        clinic.stage.change("UPDATE cases SET lease_until_at = 1 WHERE state = 'under_review'")
        await takes(second)
        await first.sees(f"Your time for case {number} was up")

    async def test_skip_goes_on_and_release_lets_go(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        ann = await clinic.stage.agreed(1)
        healthy, sick = await clinic.case(ann, NORMAL), await clinic.case(ann, BACTERIAL)
        assert sick in (await takes(first)).text
        await first.taps("Skip")
        await first.sees(f"Case {sick}: skipped")
        assert healthy in (await first.hears_photo()).text
        await first.taps("Release")
        await first.sees(f"Case {healthy} is back in the queue")
        assert sick in (await takes(second)).text
        assert healthy in (await takes(first)).text

    async def test_taps_in_a_row_do_no_more_than_one(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens(undo_seconds=60)
        number = await clinic.case(await clinic.stage.agreed(1))
        await takes(doctor)
        await clinic.stage.sim.fault("editMessageCaption", code=400, chat_id=71, times=1)
        for _ in range(2):
            await doctor.taps("Bacterial pneumonia")
        draft = await doctor.sees("Your verdict:")
        await clinic.stage.sim.fault("editMessageCaption", code=400, chat_id=71, times=1)
        for _ in range(2):
            await doctor.taps("Send", draft)
        await doctor.sees("This counts in 60 seconds")
        await clinic.stage.sim.quiet()
        assert clinic.state(number) == "under_review"
        assert [row[0] for row in clinic.stage.rows("SELECT state FROM opinions")] == ["given"]
        given = clinic.stage.value("SELECT count(*) FROM audit WHERE action = 'verdict_given'")
        assert given == 1

    async def test_the_next_case_can_be_taken_before_the_last_is_final(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens(undo_seconds=60)
        ann = await clinic.stage.agreed(1)
        healthy, sick = await clinic.case(ann, NORMAL), await clinic.case(ann, BACTERIAL)
        await takes(doctor, sick)
        await says(doctor, "Normal")
        given = await doctor.sees("This counts in 60 seconds")
        await doctor.taps("Next case", given)
        assert healthy in (await doctor.hears_photo()).text
        await doctor.taps("Take back", given)
        await doctor.sees("Taken back")
        assert (clinic.state(sick), clinic.state(healthy)) == ("answered", "under_review")

    async def test_a_doctor_never_gets_their_own_case(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        await doctor.starts()
        await doctor.taps("I have read this and agree")
        number = await clinic.case(doctor)
        await doctor.says("/review")
        await doctor.sees("Nothing is waiting for you")
        for command in ("/review", "/case"):
            await doctor.says(f"{command} {number}")
            await doctor.sees(f"Case {number} is your own")
        assert clinic.state(number) == "answered"

    async def test_numbers_that_are_none_are_said_so(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        for number in ("1234", "<b>", "K7Q29FXM"):
            await doctor.says(f"/review {number}")
            await doctor.sees(f"There is no case {number}")
        for command in ("/review", "/case"):
            await doctor.says(f"{command} {'x' * 4000}")
            await doctor.sees(f"There is no case {'x' * 40}….")

    async def test_a_revoked_doctor_sees_no_case(self, clinic: Clinic) -> None:
        first, second = await clinic.opens(2)
        boss = clinic.stage.sim.user(ADMIN)
        number = await clinic.case(await clinic.stage.agreed(1))
        card = await takes(first)
        await boss.says("/staff")
        await boss.taps("End: Dr. <71>")
        await boss.taps("Yes, end it")
        await first.sees("Your role as a doctor here has ended")
        await first.taps("Full resolution", card)
        assert (await first.sees_toast()).text == "This button no longer works."
        await first.says("/review")
        await first.sees("I do not know this command")
        assert number in (await takes(second)).text


@POLLING
class TestLookingClosely:
    async def test_the_original_comes_in_all_its_pixels(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        number = await clinic.case(await clinic.stage.agreed(1))
        await takes(doctor)
        await doctor.taps("Full resolution")
        sent = await doctor.sees("in full resolution")
        assert sent.file_name == f"{number}.png"
        picture = Image.open(io.BytesIO(await doctor.downloads(sent)))
        assert (picture.size, picture.mode) == ((200, 160), "L")

    async def test_all_pictures_of_an_album_come_together(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await ann.sends_album([xray(NORMAL, 1), xray(BACTERIAL, 2), xray(UNSURE, 3)])
        for _ in range(3):
            await ann.hears_photo()
        await clinic.stage.sim.quiet()
        await takes(doctor)
        await doctor.taps("All 3 pictures")
        parts = [await doctor.hears_photo() for _ in range(3)]
        assert len({part.album for part in parts}) == 1 and parts[0].album

    async def test_a_picture_that_cannot_be_opened_leaves_the_words_and_buttons(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        number = await clinic.case(await clinic.stage.agreed(1))
        for path in (clinic.stage.data_dir / "images").glob("??/*"):
            path.write_bytes(b"IMG1")
        await doctor.says("/review")
        card = await doctor.sees("cannot be opened")
        assert number in card.text
        await doctor.taps("Unreadable", card)
        await says(doctor, "Unreadable")
        await doctor.sees("the patient was told: Unreadable")


@POLLING
class TestACtStudy:
    @pytest.fixture
    def models(self) -> Mapping[Modality, Model]:
        return {modality: make_model(modality) for modality in (Modality.XRAY, Modality.CT)}

    @pytest.fixture
    def study(self) -> bytes:
        """Twelve slices, of which those with the densest lungs are shown."""
        lungs = [-850] * 12
        lungs[3], lungs[6], lungs[8] = -600, -540, -570
        return zipped([ct_slice(number, "1.2.3", hu) for number, hu in enumerate(lungs)])

    async def test_the_three_slices_that_decided_come_as_an_album(
        self, clinic: Clinic, study: bytes
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await ann.sends_file(study, "study.zip")
        await ann.hears_photo()
        await clinic.stage.sim.quiet()
        assert "CT with 12 slices" in (await takes(doctor)).text
        await doctor.taps("The 3 slices that decided")
        parts = [await doctor.hears_photo() for _ in range(3)]
        assert len({part.album for part in parts}) == 1 and parts[0].album
        slices = [
            Image.open(io.BytesIO(await doctor.downloads(part))).convert("L") for part in parts
        ]
        shown = [(hu + 1350) / 1500 * 255 for hu in (-540, -570, -600)]
        assert [each.getpixel((20, 32)) for each in slices] == pytest.approx(shown, abs=1)

    async def test_an_answer_is_called_experimental_and_is_drawn_again_with_its_slices(
        self, clinic: Clinic, study: bytes
    ) -> None:
        await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await ann.sends_file(study, "study.zip")
        first = await ann.hears_photo()
        assert "Experimental, CT" in first.text
        places = json.loads(clinic.stage.value("SELECT places FROM findings"))
        assert (places["deciding"], places["from_feet"]) == ([6, 8, 3], True)
        await clinic.stage.sim.quiet()
        await ann.sends_file(study, "study.zip")
        again = await ann.hears_photo()
        assert "Experimental, CT" in again.text
        assert again.text == first.text
        sizes = [Image.open(io.BytesIO(await ann.downloads(each))).size for each in (first, again)]
        assert sizes[0] == sizes[1]

    async def test_the_slices_are_erased_with_the_case(self, clinic: Clinic, study: bytes) -> None:
        await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await ann.sends_file(study, "study.zip")
        answer = await ann.hears_photo()
        await clinic.stage.sim.quiet()
        kinds = [row["kind"] for row in clinic.stage.rows("SELECT kind FROM images ORDER BY rowid")]
        assert kinds == ["scan", "slice", "slice", "slice", "report"]
        await ann.taps("Delete this", answer)
        await ann.taps("Yes, delete")
        await ann.sees("Deleted.")
        await clinic.stage.sim.quiet()
        assert clinic.stage.value("SELECT count(*) FROM images") == 0
        assert not list((clinic.stage.data_dir / "images").glob("??/*"))

    async def test_a_single_slice_is_no_album(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await ann.sends_file(ct_slice(1, "1.2.3"), "slice.dcm")
        await ann.hears_photo()
        await clinic.stage.sim.quiet()
        assert (await takes(doctor)).button("slices that decided") is None
        assert clinic.stage.value("SELECT count(*) FROM images") == 2


@POLLING
class TestCommenting:
    async def test_what_is_no_comment_is_said_kindly(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        await clinic.case(await clinic.stage.agreed(1))
        await takes(doctor)
        await doctor.taps("Normal")
        await doctor.sees("You can add a comment")
        await doctor.sends_photo(xray())
        await doctor.sees("I am waiting for a comment")
        await doctor.says("x" * 501)
        await doctor.sees("501 characters; at most 500 fit")
        await doctor.says("😀" * 251)
        await doctor.sees("502 characters")
        await doctor.says("😀" * 250)
        await doctor.sees("Noted for case")
        await doctor.says("better this")
        await doctor.sees("With it the patient gets your comment:\nbetter this")
        assert clinic.stage.value("SELECT count(*) FROM cases") == 1

    async def test_taking_a_question_back_leaves_the_doctors_own_picture_alone(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        await doctor.starts()
        await doctor.taps("I have read this and agree")
        await clinic.case(await clinic.stage.agreed(1))
        await takes(doctor)
        await clinic.stage.sim.fault("download", delay=1)
        await doctor.sends_photo(xray(NORMAL, 7))
        await clinic.stage.sim.until(bool, "getFile")
        await doctor.taps("Bacterial pneumonia")
        await doctor.sees("You can add a comment")
        await doctor.says("/cancel")
        await doctor.sees("I no longer wait for your answer")
        await clinic.stage.sim.quiet(1.2)
        assert clinic.stage.value("SELECT state FROM cases WHERE id = 2") == "answered"

    async def test_a_comment_that_comes_too_late_is_not_lost_silently(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        await clinic.case(await clinic.stage.agreed(1))
        await takes(doctor)
        await doctor.taps("Normal")
        await doctor.sees("You can add a comment")
        clinic.stage.change(
            "UPDATE cases SET state = 'answered', lease_worker = NULL, "
            "lease_until_at = NULL WHERE state = 'under_review'"
        )
        await doctor.says("too late")
        await doctor.sees("Your comment came too late")

    async def test_without_another_doctor_there_is_no_second_opinion(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        await clinic.case(await clinic.stage.agreed(1))
        await takes(doctor)
        await says(doctor, "Normal", button="Ask for a second opinion")
        await doctor.sees("There is no other doctor")
        await doctor.taps("Send")
        await doctor.sees("the patient was told: Normal")


@POLLING
class TestThePatient:
    async def test_asking_for_a_doctor_is_answered_honestly(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        ann, bob = await clinic.stage.agreed(1), await clinic.stage.agreed(2)
        number = await clinic.case(ann, NORMAL)
        answer = next(each for each in await ann.messages() if each.button("Ask a doctor"))
        await clinic.case(bob, BACTERIAL)
        await ann.taps("Ask a doctor", answer)
        await ann.sees("Cases ahead of it: 1.")
        await bob.taps("Ask a doctor")
        await bob.sees("No other case is ahead of it.")
        card = await takes(doctor, number)
        assert "The patient is waiting" in card.text
        await ann.taps("Ask a doctor", answer)
        await ann.sees("A doctor is looking at your picture right now")
        await says(doctor, "Normal")
        await ann.sees("A doctor has looked")
        await ann.taps("Ask a doctor", answer)
        await clinic.stage.sim.quiet()
        told = [each for each in await ann.messages() if "A doctor has looked" in each.text]
        assert len(told) == 2

    async def test_asking_where_there_is_no_doctor_promises_nothing(self, clinic: Clinic) -> None:
        await clinic.opens(0)
        ann = await clinic.stage.agreed(1)
        await clinic.case(ann)
        await ann.taps("Ask a doctor")
        await ann.sees("There is no doctor on this bot at the moment")

    async def test_the_doctors_word_stands_in_history_and_comes_again(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await clinic.case(ann)
        await takes(doctor)
        await says(doctor, "Other finding")
        await ann.sees("A doctor has looked")
        await ann.says("/history")
        await ann.sees("a doctor says: Other finding")
        await ann.sends_file(xray(BACTERIAL, 0), "scan.jpg")
        await ann.sees("You have sent this very picture before")
        await ann.hears_photo()
        await clinic.stage.sim.quiet()
        told = [each for each in await ann.messages() if "A doctor has looked" in each.text]
        assert len(told) == 2

    async def test_a_deleted_case_vanishes_from_the_doctors_chat(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        number = await clinic.case(ann, note="secret")
        card = await takes(doctor)
        answer = next(each for each in await ann.messages() if each.button("Delete this"))
        await ann.taps("Delete this", answer)
        await ann.taps("Yes, delete")
        await clinic.stage.sim.quiet()
        assert not [each for each in await doctor.messages() if each.photo]
        await doctor.says(f"/review {number}")
        await doctor.sees(f"Case {number} is no longer here")
        assert clinic.stage.value("SELECT count(*) FROM review_queue") == 0
        assert card.photo

    async def test_an_album_vanishes_from_the_doctors_chat_with_all_its_pictures(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await ann.sends_album([xray(NORMAL, 1), xray(BACTERIAL, 2), xray(UNSURE, 3)])
        answers = [await ann.hears_photo() for _ in range(3)]
        await clinic.stage.sim.quiet()
        await takes(doctor)
        await doctor.taps("All 3 pictures")
        for _ in range(3):
            await doctor.hears_photo()
        await clinic.stage.sim.quiet()
        await ann.taps("Delete this", answers[0])
        await ann.taps("Yes, delete")
        await clinic.stage.sim.quiet()
        assert not [each for each in await doctor.messages() if each.photo]

    async def test_who_is_forgotten_vanishes_from_the_doctors_chat(self, clinic: Clinic) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await clinic.case(ann, note="secret")
        await takes(doctor)
        await doctor.taps("Normal")
        draft = await doctor.sees("Your verdict")
        await ann.says("/forget")
        await ann.taps("Yes, erase everything")
        await ann.sees("Everything is erased")
        await clinic.stage.sim.quiet()
        assert not [each for each in await doctor.messages() if each.photo]
        await doctor.says("now a comment")
        await doctor.sees("Your comment came too late")
        assert draft.buttons and clinic.stage.value("SELECT count(*) FROM opinions") == 0

    async def test_a_patient_who_blocked_the_bot_is_reviewed_all_the_same(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        number = await clinic.case(ann)
        await ann.blocks()
        await takes(doctor)
        await says(doctor, "Normal")
        await doctor.sees("the patient was told")
        await clinic.stage.sim.quiet()
        assert clinic.state(number) == "reviewed"
