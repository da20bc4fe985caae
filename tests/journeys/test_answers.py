"""The answer, its buttons, and every kind of no."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.sandbox.client import Refused, User
from classifier.labels import Modality
from classifier.model import Model, load_installed

from .pictures import (
    BACTERIAL,
    NOT_A_CHEST,
    UNSURE,
    chest,
    ct_series,
    is_answer,
    xray,
    zipped,
)
from .stage import Stage

MEGABYTE = 1 << 20


class TestWithTheRealModel:
    @pytest.fixture
    def models(self, real_models: Mapping[Modality, Model]) -> Mapping[Modality, Model]:
        return real_models

    async def test_a_real_xray_is_answered(
        self, stage: Stage, ann: User, shared_data: Path
    ) -> None:
        folder = shared_data / "xray" / "original-size"
        xrays = sorted(path for path in folder.rglob("*") if path.is_file())
        await ann.sends_file(xrays[0].read_bytes(), "xray.jpg")
        answer = await ann.hears_photo(within=10)
        assert is_answer(await ann.downloads(answer))
        assert answer.text.startswith(("The model finds most likely", "The model is unsure"))
        model = stage.value("SELECT model FROM findings")
        assert model == load_installed()[Modality.XRAY].card.name

    async def test_a_drawn_chest_is_answered_or_refused(self, stage: Stage, ann: User) -> None:
        await ann.sends_file(chest(), "chest.jpg")
        done = await ann.sees(" Case ", within=10)
        assert stage.value("SELECT number FROM cases") in done.text


async def test_what_does_this_mean_is_explained(stage: Stage, ann: User) -> None:
    await ann.sends_photo(xray())
    await ann.taps("What does this mean?", await ann.hears_photo())
    explained = await ann.sees("The colours show where the model looked")
    assert "only a doctor can tell" in explained.text
    assert (await ann.sees_toast()).text == ""


async def test_ask_a_doctor_is_kept_once(stage: Stage, ann: User) -> None:
    await ann.sends_photo(xray())
    answer = await ann.hears_photo()
    await ann.taps("Ask a doctor", answer)
    await ann.sees("in front of the doctors")
    await ann.taps("Ask a doctor", answer)
    await ann.sees("The doctors already have your picture")
    assert stage.value("SELECT doctor_asked_at FROM cases") is not None


async def test_delete_this_asks_and_then_erases_picture_answer_and_messages(
    stage: Stage, ann: User
) -> None:
    await ann.sends_photo(xray(), "a note")
    answer = await ann.hears_photo()
    await ann.taps("Delete this", answer)
    await ann.taps("No")
    await ann.sees("Nothing was erased")
    assert stage.value("SELECT count(*) FROM images") == 2
    await ann.taps("Delete this", answer)
    await ann.taps("Yes, delete")
    await ann.sees("Deleted.")
    await stage.sim.quiet()
    assert not any(message.photo for message in await ann.messages() if message.from_bot)
    for table in ("images", "findings", "scans"):
        assert stage.value(f"SELECT count(*) FROM {table}") == 0
    assert not [path for path in (stage.data_dir / "images").rglob("*") if path.is_file()]
    assert stage.value("SELECT note FROM cases") is None
    await ann.says("/history")
    await ann.sees("You have no pictures here")


@pytest.mark.parametrize("mode", ["polling"], indirect=True)
async def test_delete_takes_the_repeated_answer_out_of_the_chat_too(
    stage: Stage, ann: User
) -> None:
    await ann.sends_file(xray())
    await ann.hears_photo()
    await ann.sends_file(xray())
    await ann.taps("Delete this", await ann.hears_photo())
    await ann.taps("Yes, delete")
    await ann.sees("Deleted.")
    await stage.sim.quiet()
    assert not any(message.photo for message in await ann.messages() if message.from_bot)


async def test_unsure_names_no_class(stage: Stage, ann: User) -> None:
    await ann.sends_photo(xray(UNSURE))
    answer = await ann.hears_photo()
    assert "The model is unsure" in answer.text
    assert "bacterial" not in answer.text.lower() and "normal" not in answer.text.lower()
    assert stage.value("SELECT label FROM findings") is None


async def test_what_is_no_lung_is_said_kindly_and_not_classified(stage: Stage, ann: User) -> None:
    await ann.sends_photo(xray(NOT_A_CHEST))
    await ann.sees("This does not look like a chest X-ray or a chest CT")
    await ann.sees("I could not give an estimate")
    await stage.sim.quiet()
    assert not any(message.photo for message in await ann.messages() if message.from_bot)
    assert stage.value("SELECT count(*) FROM findings") == 0
    assert stage.value("SELECT reason FROM cases") == "not_chest"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xd8\xff\xe0 this was a JPEG once", "damaged or incomplete"),
        (b"just some words", "not a picture we can read"),
        (zipped([]), "no scan inside"),
        (zipped([zipped(ct_series(3))]), "archive inside the zip"),
        (zipped([*ct_series(3), *ct_series(3)]), "more than one"),
    ],
    ids=["broken", "no picture", "empty zip", "nested zip", "two series"],
)
@pytest.mark.parametrize("mode", ["polling"], indirect=True)
async def test_each_refusal_has_its_own_kind_sentence(
    stage: Stage, ann: User, content: bytes, sentence: str
) -> None:
    await ann.sends_file(content, "scan.dcm")
    refused = await ann.sees(sentence)
    assert "lease" in refused.text
    await ann.sees("I could not give an estimate")
    assert stage.value("SELECT state FROM cases") == "refused"


async def test_a_file_too_large_for_telegram_is_refused_at_once(stage: Stage, ann: User) -> None:
    await ann.sends_file(bytes(21 * MEGABYTE), "study.zip")
    refused = await ann.sees("This file has 21 MB")
    assert "at most 20 MB" in refused.text and "JPEG Lossless" in refused.text
    assert await stage.sim.calls("getFile") == []
    assert stage.value("SELECT count(*) FROM cases") == 0


@pytest.mark.parametrize("mode", ["polling"], indirect=True)
async def test_a_file_telegram_has_no_more_is_asked_for_again(stage: Stage, ann: User) -> None:
    await stage.sim.fault(
        "getFile",
        code=400,
        description="Bad Request: wrong file_id or the file is temporarily unavailable",
    )
    await ann.sends_file(xray())
    assert "send" in (await ann.sees("Telegram did not hand me the file")).text


async def test_the_same_file_again_gets_the_earlier_answer_and_no_second_case(
    stage: Stage, ann: User
) -> None:
    await ann.sends_file(xray())
    first = await ann.hears_photo()
    await ann.sends_file(xray())
    await ann.sees("You have sent this very picture before")
    again = await ann.hears_photo()
    assert await ann.downloads(again) == await ann.downloads(first)
    number = stage.value("SELECT number FROM cases")
    assert number in again.text and again.text == first.text
    await ann.says("/history")
    listed = await ann.sees("Your last pictures:")
    assert listed.text.count(number) == 1 and listed.text.count("\n") == 1


@pytest.mark.parametrize("mode", ["polling"], indirect=True)
async def test_the_same_content_under_another_id_is_the_same_picture(
    stage: Stage, ann: User
) -> None:
    await ann.sends_file(xray())
    await ann.hears_photo()
    stage.change("UPDATE scans SET unique_id = 'another'")
    await ann.sends_file(xray())
    await ann.sees("You have sent this very picture before")
    await ann.hears_photo()
    assert stage.value("SELECT count(*) FROM cases WHERE duplicate_of IS NOT NULL") == 1
    assert stage.value("SELECT count(*) FROM findings") == 1


@pytest.mark.parametrize("mode", ["polling"], indirect=True)
async def test_the_same_file_of_somebody_else_is_a_case_of_theirs(stage: Stage, ann: User) -> None:
    bob = await stage.agreed(2)
    await ann.sends_file(xray())
    await ann.hears_photo()
    await bob.sends_file(xray())
    answer = await bob.hears_photo()
    (first, second) = stage.rows("SELECT number FROM cases ORDER BY id")
    assert second["number"] in answer.text and first["number"] not in answer.text


@pytest.mark.parametrize("button", ["doctor", "delete", "deleted"])
@pytest.mark.parametrize("mode", ["polling"], indirect=True)
async def test_nobody_reaches_another_persons_case_by_its_number(
    stage: Stage, ann: User, button: str
) -> None:
    await ann.sends_photo(xray())
    await ann.hears_photo()
    number = stage.value("SELECT number FROM cases")
    bob = await stage.agreed(2)
    await bob.sends_photo(xray(BACTERIAL))
    await bob.hears_photo()
    theirs = await bob.sees("Done. Case")
    # The sandbox, like Telegram, lets nobody tap what is not there; a modified client can try.
    with pytest.raises(Refused):
        await bob._act(
            "taps", {"message_id": theirs.id, "data": f"{button}:{number}", "chat_id": bob.id}
        )
    chat = stage.sandbox.world.chats[bob.id]
    stage.sandbox.world.tap(chat.user, chat.messages[theirs.id], f"{button}:{number}")
    if button == "delete":
        # The question holds the number that was given and nothing of the case.
        await bob.taps("Yes, delete")
    await bob.sees("This is no longer here")
    assert stage.value("SELECT count(*) FROM images WHERE case_id = 1") == 2
    assert stage.value("SELECT doctor_asked_at FROM cases WHERE id = 1") is None


async def test_after_review_the_picture_waits_for_a_doctor(off_stage: Stage) -> None:
    stage = off_stage
    await stage.start(results="after_review")
    ann = await stage.agreed(1)
    await ann.sends_file(xray(BACTERIAL))
    await ann.sees("Here a doctor looks first")
    await ann.sees("A doctor will look first. Case")
    # Neither the list nor the same file again gives the answer away.
    await ann.says("/history")
    assert "acterial" not in (await ann.sees("Your last pictures:")).text
    await ann.sends_file(xray(BACTERIAL))
    stage.change("UPDATE scans SET unique_id = 'another'")
    await ann.sends_file(xray(BACTERIAL))
    await stage.sim.quiet()
    assert not any(message.photo for message in await ann.messages() if message.from_bot)
    assert stage.rows("SELECT state, doctor_asked_at FROM cases")[0]["state"] == "answered"
    assert stage.value("SELECT doctor_asked_at FROM cases") is not None
