"""The same picture or album, sent once more: what is said of it, and what deleting takes along."""

import pytest

from bot.sandbox.client import User
from classifier.labels import Modality
from storage.staff import Role

from ..classifier.conftest import make_model
from .clinic import Clinic, says, takes
from .pictures import BACTERIAL, NORMAL, UNSURE, ct_series, ct_slice, xray, zipped
from .stage import Stage

pytestmark = pytest.mark.parametrize("mode", ["polling"], indirect=True)
OTHER_NAME = "UPDATE scans SET unique_id = 'another'"


async def test_an_album_sent_again_gives_each_picture_no_others_answer(
    stage: Stage, ann: User
) -> None:
    files = [
        ("a.jpg", xray(NORMAL, 1)),
        ("b.jpg", xray(BACTERIAL, 2)),
        ("c.jpg", xray(UNSURE, 3)),
        ("d.dcm", ct_slice(1, "1.2.3")),
    ]
    await ann.sends_album(files, as_files=True)
    first = [await ann.hears_photo() for _ in files]
    drawn = [await ann.downloads(each) for each in first]
    await stage.sim.quiet()
    await ann.sends_album(files, as_files=True)
    for _ in files:
        again = await ann.hears_photo()
        before = first[drawn.index(await ann.downloads(again))]
        assert "not a diagnosis" in again.text
        if "Bacterial pneumonia" in before.text:
            assert again.text == before.text
        else:
            assert "most likely" not in again.text and "unsure" not in again.text


async def test_deleting_takes_along_what_was_written_beside_the_same_picture(
    stage: Stage, ann: User
) -> None:
    await ann.sends_file(xray(), "scan.jpg", "first words")
    await ann.hears_photo()
    stage.change(OTHER_NAME)
    await ann.sends_file(xray(), "scan.jpg", "second words")
    again = await ann.hears_photo()
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM cases WHERE note IS NOT NULL") == 2
    await ann.taps("Delete this", again)
    await ann.taps("Yes, delete")
    await ann.sees("Deleted.")
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM cases WHERE note IS NOT NULL") == 0
    assert stage.value("SELECT count(*) FROM scans") == 0
    left = [each.text for each in await ann.messages() if each.from_bot]
    assert not [text for text in left if "Case" in text or "the answer of that time" in text]


@pytest.mark.parametrize("renamed", [False, True])
async def test_what_is_written_beside_the_same_picture_reaches_the_doctor(
    clinic: Clinic, renamed: bool
) -> None:
    [doctor] = await clinic.opens()
    ann = await clinic.stage.agreed(1)

    async def sends(note: str) -> None:
        if renamed:
            clinic.stage.change(OTHER_NAME)
        await ann.sends_file(xray(BACTERIAL), "scan.jpg", note)
        await clinic.stage.sim.quiet()

    for note in ("First words", "Fever for five days", "Fever for five days"):
        await sends(note)
    card = await takes(doctor)
    assert "Fever for five days\nFirst words" in card.text
    assert card.text.count("Fever") == 1
    await says(doctor, "Viral pneumonia")
    await ann.sees("A doctor has looked")
    await sends("Allergic to penicillin")
    await ann.sees("No doctor will read what you wrote beside it")


async def test_a_ct_is_looked_at_again_once_there_is_a_model(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = zipped(ct_series())
    for _ in range(2):
        await ann.sends_file(series, "ct.zip")
        await ann.hears_photo()
        await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM cases") == 1
    both = {modality: make_model(modality) for modality in Modality}
    monkeypatch.setattr("bot.networks.load_installed", lambda url="": both)
    await stage.restart()
    await ann.sends_file(series, "ct.zip")
    assert "Experimental" in (await ann.hears_photo()).text
    assert stage.value("SELECT count(*) FROM findings") == 1


async def test_in_a_crowd_who_waits_for_a_doctor_hears_so_again(off_stage: Stage) -> None:
    await off_stage.start(results="after_review")
    ann = await off_stage.agreed(1)
    await ann.sends_file(xray(BACTERIAL))
    await ann.sees("You get the answer after a doctor has looked. Case")
    await off_stage.sim.quiet()
    off_stage.change(OTHER_NAME)
    others = range(1000, 1060)
    await off_stage.sim.fault("sendMessage", retry_after=2)
    await off_stage.sim.add_users(others)
    for number in others:
        off_stage.change(
            """INSERT INTO outbox
                   (key, chat_id, kind, payload, fleeting, written_at, next_try_at, changed_at)
               VALUES (?, ?, 'message', '{"text": "hello", "buttons": []}', 0, 1, 1, 1)""",
            f"crowd:{number}",
            number,
        )
    before = len(await ann.messages())
    await ann.sends_file(xray(BACTERIAL))
    await off_stage.sim.quiet(4)
    heard = [each.text for each in (await ann.messages())[before:] if each.from_bot]
    assert len(heard) == 1 and "there is no doctor on this bot" in heard[0]
    assert "emergency number" in heard[0] and "Case" in heard[0]
    assert off_stage.value("SELECT reason FROM cases WHERE id = 2") == "duplicate"


async def test_who_waits_for_a_doctor_hears_so_again_where_the_first_word_was_lost(
    off_stage: Stage,
) -> None:
    await off_stage.start(results="after_review")
    ann = await off_stage.agreed(1)
    await ann.sends_file(xray())
    await ann.sees("Here a doctor looks")
    await off_stage.sim.quiet()
    off_stage.change(OTHER_NAME)
    before = len(await ann.messages())
    await off_stage.sim.fault("sendMessage", drop=True, chat_id=1)
    await ann.sends_file(xray())
    await off_stage.sim.quiet(2)
    heard = [each.text for each in (await ann.messages())[before:] if each.from_bot]
    assert len(heard) == 1 and "there is no doctor on this bot" in heard[0]
    assert "emergency number" in heard[0] and "Case" in heard[0]


async def test_where_a_doctor_looks_first_and_there_is_none_nothing_is_promised(
    off_stage: Stage,
) -> None:
    await off_stage.start(results="after_review")
    ann = await off_stage.agreed(1)
    assert off_stage.value("SELECT count(*) FROM staff WHERE role = ?", Role.DOCTOR) == 0
    await ann.sends_file(xray(BACTERIAL))
    told = await ann.sees("there is no doctor on this bot at the moment")
    assert "do not wait for an answer here" in told.text and "call your emergency" in told.text
    await ann.says("/history")
    assert "waiting for a doctor" in (await ann.sees("Your last pictures")).text
