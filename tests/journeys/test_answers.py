"""The answer, its buttons, and every kind of no."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from bot.sandbox.client import Refused, User
from classifier.gate import Gate
from classifier.labels import Modality
from classifier.model import Model, load_installed
from storage import erasure
from storage.errors import CaseGone, StorageBusy
from storage.transaction import Tx

from .clinic import POLLING
from .pictures import (
    BACTERIAL,
    NORMAL,
    NOT_A_CHEST,
    UNSURE,
    chest,
    ct_series,
    ct_slice,
    is_answer,
    xray,
    zipped,
)
from .stage import Stage

# What is said hangs on no way to fetch it; both are told of in delivery, failures and sending.
pytestmark = POLLING

MEGABYTE = 1 << 20


class TestWithTheRealModel:
    @pytest.fixture
    def models(self, real_models: Mapping[Modality, Model]) -> Mapping[Modality, Model]:
        return real_models

    @pytest.fixture
    def gate(self) -> Gate:
        return Gate()

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
        assert model == load_installed()[Modality.XRAY].name

    async def test_a_drawn_chest_is_answered_or_refused(self, stage: Stage, ann: User) -> None:
        await ann.sends_file(chest(), "chest.jpg")
        done = await ann.sees(" Case ", within=10)
        assert stage.value("SELECT number FROM cases") in done.text


async def test_of_a_named_kind_it_is_said_that_it_may_be_wrong(stage: Stage, ann: User) -> None:
    said = "The model finds most likely: {}"
    for brightness, name, may_be_wrong in (
        (BACTERIAL, "Bacterial pneumonia", True),
        (NORMAL, "Normal", False),
    ):
        await ann.sends_file(xray(brightness), "scan.jpg")
        answer = await ann.hears_photo()
        assert answer.text.startswith(said.format(name))
        assert ("the kind may be wrong" in answer.text) is may_be_wrong


async def test_what_does_this_mean_is_explained(stage: Stage, ann: User) -> None:
    await ann.sends_photo(xray())
    await ann.taps("What does this mean?", await ann.hears_photo())
    explained = await ann.sees("The colours show where the model looked")
    assert "only a doctor can tell" in explained.text
    assert (await ann.sees_toast()).text == ""


async def test_ask_a_doctor_is_kept_once(stage: Stage, ann: User) -> None:
    sql = "INSERT INTO staff (telegram_id, role, name, since_at) VALUES (7, 'doctor', 'Li', 1)"
    stage.change(sql)
    await stage.agreed(7)
    await ann.sends_photo(xray())
    answer = await ann.hears_photo()
    await ann.taps("Ask a doctor", answer)
    await ann.sees("in front of the doctors")
    asked = stage.rows("SELECT doctor_asked_at, state FROM cases")
    assert asked[0]["doctor_asked_at"] is not None
    await ann.taps("Ask a doctor", answer)
    await ann.sees("The doctors already have your picture")
    assert stage.rows("SELECT doctor_asked_at, state FROM cases") == asked


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


async def test_asking_a_doctor_about_a_picture_that_is_gone_deafens_nobody(
    stage: Stage, ann: User
) -> None:
    await ann.sends_photo(xray())
    answer = await ann.hears_photo()
    await stage.sim.quiet()
    stage.change("DELETE FROM review_queue")
    stage.change(
        """UPDATE cases SET erased_at = 1, erased_why = 'retention', note = NULL, content = NULL"""
    )
    await ann.taps("Ask a doctor", answer)
    await ann.sees("This is no longer here")
    assert (await stage.sim.state())["pending_updates"] == 0


async def test_an_update_that_can_never_be_handled_is_not_asked_for_again(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise CaseGone

    monkeypatch.setattr("storage.history.newest", gone)
    await ann.says("/history")
    said = await ann.sees("Something went wrong on our side")
    assert "picture" not in said.text
    await stage.sim.quiet()
    assert (await stage.sim.state())["pending_updates"] == 0
    await ann.says("/help")
    await ann.sees("Send a chest X-ray")


async def test_deleting_twice_with_one_tap_deletes_once_and_takes_all_messages_away(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete, tries = erasure.delete_case, []

    def busy(tx: Tx, case_id: int) -> erasure.Erased:
        tries.append(case_id)
        erased = delete(tx, case_id)
        if len(tries) == 1:
            raise StorageBusy
        return erased

    monkeypatch.setattr(erasure, "delete_case", busy)
    await ann.sends_photo(xray())
    await ann.taps("Delete this", await ann.hears_photo())
    await ann.taps("Yes, delete")
    await ann.sees("Deleted.", within=8)
    await stage.sim.quiet()
    assert len(tries) == 2
    assert not any(message.photo for message in await ann.messages() if message.from_bot)


async def test_what_telegram_keeps_in_the_chat_is_named_and_emptied_when_a_picture_is_deleted(
    stage: Stage, ann: User
) -> None:
    await ann.sends_photo(xray())
    answer = await ann.hears_photo()
    await stage.sim.quiet()
    three_days = timedelta(days=3)
    stage.change("UPDATE outbox SET changed_at = changed_at - ?", three_days // timedelta(0, 0, 1))
    await stage.sim.advance(three_days.total_seconds())
    await ann.taps("Delete this", answer)
    await ann.taps("Yes, delete")
    await ann.sees("I empty them instead")
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM images") == 0
    [left] = [message for message in await ann.messages() if message.id == answer.id]
    assert left.text == "…" and left.photo != answer.photo


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
    await ann.sees("This does not look like a frontal chest X-ray or a chest CT")
    await ann.sees("I could not give an estimate")
    await stage.sim.quiet()
    assert not any(message.photo for message in await ann.messages() if message.from_bot)
    assert stage.value("SELECT count(*) FROM findings") == 0
    assert stage.value("SELECT reason FROM cases") == "not_chest"
    # What may be anything private is not kept.
    assert stage.value("SELECT count(*) FROM images") == 0
    assert not [path for path in (stage.data_dir / "images").rglob("*") if path.is_file()]


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
    refused = await ann.sees("This file is 21 MB")
    assert "at most 20 MB" in refused.text and "JPEG Lossless" in refused.text
    assert await stage.sim.calls("getFile") == []
    assert stage.value("SELECT count(*) FROM cases") == 0


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


@pytest.mark.parametrize("id_known", [True, False])
@pytest.mark.parametrize("is_gone", [True, False])
async def test_a_picture_whose_kept_files_cannot_be_opened_is_worked_on_anew(
    stage: Stage, ann: User, id_known: bool, is_gone: bool
) -> None:
    await ann.sends_file(xray())
    first = await ann.hears_photo()
    await stage.sim.quiet()
    for path in (stage.data_dir / "images").glob("??/*"):
        path.unlink() if is_gone else path.write_bytes(b"IMG1")
    if not id_known:
        stage.change("UPDATE scans SET unique_id = 'another'")
    await ann.sends_file(xray())
    anew = await ann.hears_photo()
    await stage.sim.quiet()
    assert anew.text != first.text and is_answer(await ann.downloads(anew))
    assert stage.value("SELECT count(*) FROM cases WHERE state = 'answered'") == 2
    said = " ".join(message.text for message in await ann.messages())
    assert "sent this very picture before" not in said and "went wrong" not in said
    await ann.sends_file(xray())
    await ann.sees("You have sent this very picture before")
    assert (await ann.hears_photo()).text == anew.text


async def test_a_refused_file_again_gets_the_same_refusal_and_no_second_case(
    stage: Stage, ann: User
) -> None:
    broken = b"\xff\xd8\xff\xe0 this was a JPEG once"
    await ann.sends_file(broken)
    await ann.sees("damaged or incomplete")
    await ann.sends_file(broken)
    await ann.sees("You have sent this very picture before")
    await stage.sim.quiet()
    stage.change("UPDATE scans SET unique_id = 'another'")
    await ann.sends_file(broken)
    await stage.sim.quiet()
    heard = [message.text for message in await ann.messages() if message.from_bot]
    assert len([text for text in heard if "damaged or incomplete" in text]) == 3
    assert len([text for text in heard if "this very picture before" in text]) == 2
    assert stage.value("SELECT count(*) FROM cases WHERE duplicate_of IS NULL") == 1


async def test_a_ct_again_is_shown_again_and_not_worked_out_again(stage: Stage, ann: User) -> None:
    scan = ct_slice(1, "1.2.3")
    await ann.sends_file(scan)
    first = await ann.hears_photo()
    await ann.sends_file(scan)
    again = await ann.hears_photo()
    assert again.text == first.text and "CT" in again.text
    assert is_answer(await ann.downloads(again))
    assert stage.value("SELECT count(*) FROM cases WHERE duplicate_of IS NULL") == 1


async def test_a_refusal_of_long_ago_is_not_held_against_the_file(stage: Stage, ann: User) -> None:
    await ann.sends_file(b"just some words")
    await ann.sees("not a picture we can read")
    await stage.sim.quiet()
    stage.change("UPDATE cases SET received_at = received_at - ?", 86_400_000_000)
    await ann.sends_file(b"just some words")
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM cases WHERE duplicate_of IS NULL") == 2


async def test_an_answer_given_again_is_drawn_in_the_language_read_now(
    stage: Stage, ann: User
) -> None:
    await ann.sends_file(xray())
    first = await ann.downloads(await ann.hears_photo())
    await ann.says("/language")
    await ann.taps("中文")
    await ann.sees("以后使用中文")
    await ann.sends_file(xray())
    again = await ann.hears_photo()
    assert "模型认为最可能是" in again.text
    chinese = await ann.downloads(again)
    assert is_answer(chinese) and chinese != first
    await ann.says("/language")
    await ann.taps("English")
    await ann.sees("From now on in English")
    await ann.sends_file(xray())
    assert await ann.downloads(await ann.hears_photo()) == first


async def test_the_same_file_of_somebody_else_is_a_case_of_theirs(stage: Stage, ann: User) -> None:
    bob = await stage.agreed(2)
    await ann.sends_file(xray())
    await ann.hears_photo()
    await bob.sends_file(xray())
    answer = await bob.hears_photo()
    (first, second) = stage.rows("SELECT number FROM cases ORDER BY id")
    assert second["number"] in answer.text and first["number"] not in answer.text


@pytest.mark.parametrize("button", ["doctor", "delete", "deleted"])
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


async def test_what_waits_for_a_doctor_can_be_deleted(off_stage: Stage) -> None:
    await off_stage.start(results="after_review")
    ann = await off_stage.agreed(1)
    await ann.sends_photo(xray())
    await ann.taps("Delete this", await ann.sees("Here a doctor looks"))
    await ann.taps("Yes, delete")
    await ann.sees("Deleted")
    await off_stage.sim.quiet()
    assert off_stage.value("SELECT count(*) FROM images") == 0
    assert off_stage.value("SELECT count(*) FROM review_queue") == 0
    assert not [each for each in await ann.messages() if "Here a doctor looks" in each.text]


async def test_after_review_the_picture_waits_for_a_doctor(off_stage: Stage) -> None:
    stage = off_stage
    await stage.start(results="after_review")
    ann = await stage.agreed(1)
    await ann.sends_file(xray(BACTERIAL))
    await ann.sees("Here a doctor looks before you get the answer")
    await ann.sees("You get the answer after a doctor has looked. Case")
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
