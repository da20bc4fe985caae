"""Doctors at work: what they see of a case."""

import io
import json
import zipfile
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image

from classifier.labels import Modality
from classifier.model import Model

from ..classifier.conftest import make_model, sure_of_no_kind
from .clinic import POLLING, Clinic, says, takes
from .pictures import BACTERIAL, NORMAL, UNSURE, ct_slice, xray, zipped
from .stage import ADMIN


def spoil_pictures(clinic: Clinic) -> None:
    """Make all that is kept unreadable."""
    for path in (clinic.stage.data_dir / "images").glob("??/*"):
        path.write_bytes(b"IMG1")


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

    @pytest.mark.parametrize(
        ("button", "method"),
        [("Full resolution", "sendDocument"), ("All 2 pictures", "sendMediaGroup")],
    )
    async def test_what_does_not_arrive_is_not_waited_for_in_vain(
        self, clinic: Clinic, button: str, method: str
    ) -> None:
        [doctor] = await clinic.opens()
        ann = await clinic.stage.agreed(1)
        await ann.sends_album([xray(NORMAL, 1), xray(BACTERIAL, 2)])
        for _ in range(2):
            await ann.hears_photo()
        await clinic.stage.sim.quiet()
        await takes(doctor)
        await clinic.stage.sim.fault(method, code=400)
        await doctor.taps(button)
        await doctor.sees("what you asked for, and it may not have arrived")

    async def test_a_case_whose_picture_cannot_be_opened_can_only_be_passed_on(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        number = await clinic.case(await clinic.stage.agreed(1))
        spoil_pictures(clinic)
        await doctor.says("/review")
        card = await doctor.sees("cannot be opened")
        assert number in card.text
        assert [[each.text for each in row] for row in card.buttons] == [["Skip", "Release"]]
        await clinic.stage.sim.user(ADMIN).sees(f"Case {number}: its picture cannot be opened")
        await doctor.taps("Skip", card)
        await doctor.sees("others will look at it")
        assert clinic.state(number) == "answered"

    async def test_a_verdict_noted_before_is_not_sent_once_the_picture_is_lost(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        number = await clinic.case(await clinic.stage.agreed(1))
        card = await takes(doctor)
        await doctor.taps("Normal", card)
        draft = await doctor.sees("Your verdict:")
        spoil_pictures(clinic)
        await clinic.stage.sim.fault("deleteMessage", code=400, times=9)
        await doctor.says("/review")
        await doctor.sees("cannot be opened")
        for button in ("Send", "Ask for a second opinion"):
            await doctor.taps(button, draft)
        await clinic.stage.sim.quiet()
        assert clinic.state(number) == "under_review"
        assert clinic.stage.value("SELECT state FROM opinions") == "draft"
        await doctor.taps("Release")
        await doctor.sees("back in the queue")
        assert clinic.stage.value("SELECT count(*) FROM opinions") == 0

    async def test_no_verdict_is_noted_on_a_card_that_came_without_its_picture(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens()
        await clinic.case(await clinic.stage.agreed(1))
        card = await takes(doctor)
        spoil_pictures(clinic)
        await clinic.stage.sim.fault("deleteMessage", code=400, times=9)
        await doctor.says("/review")
        await doctor.sees("cannot be opened")
        await doctor.taps("Normal", card)
        await clinic.stage.sim.quiet()
        assert clinic.stage.value("SELECT count(*) FROM opinions") == 0

    async def test_a_picture_lost_after_the_verdict_is_not_promised_with_it(
        self, clinic: Clinic
    ) -> None:
        [doctor] = await clinic.opens(results="after_review")
        ann = await clinic.stage.agreed(1)
        await ann.sends_file(xray(BACTERIAL), "scan.jpg")
        await ann.sees("Here a doctor looks first")
        await takes(doctor)
        await doctor.taps("Normal")
        await doctor.sees("Your verdict:")
        spoil_pictures(clinic)
        await doctor.taps("Send")
        await ann.sees("A doctor has looked")
        await clinic.stage.sim.quiet()
        assert not any("went wrong" in each.text for each in await ann.messages())
        assert clinic.stage.value("SELECT count(*) FROM outbox WHERE state = 'failed'") == 0


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
        await doctor.taps("3 slices most like pneumonia")
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
        assert "Experimental: for a CT no answer is named" in first.text
        places = json.loads(clinic.stage.value("SELECT places FROM findings"))
        assert (places["deciding"], places["from_feet"]) == ([6, 8, 3], True)
        await clinic.stage.sim.quiet()
        await ann.sends_file(study, "study.zip")
        again = await ann.hears_photo()
        assert "Experimental: for a CT no answer is named" in again.text
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
        assert (await takes(doctor)).button("slices most like pneumonia") is None
        assert clinic.stage.value("SELECT count(*) FROM images") == 2


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
            assert "肺炎" in heard[-1].text and "不能确定" in heard[-1].text
        first, again = [Image.open(io.BytesIO(await ann.downloads(each))) for each in heard]
        assert first.size == again.size
        assert np.abs(np.asarray(first, int) - np.asarray(again, int)).mean() < 1
