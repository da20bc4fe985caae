"""Every way to send a picture, and what is told meanwhile."""

import asyncio

import pytest

from bot import worker
from bot.sandbox.client import User

from .pictures import BACTERIAL, ct_series, ct_slice, is_answer, xray, zipped
from .stage import Stage


async def test_a_photo_is_answered_with_the_annotated_picture(stage: Stage, ann: User) -> None:
    await ann.sends_photo(xray())
    answer = await ann.hears_photo()
    assert is_answer(await ann.downloads(answer))
    assert "normal" in answer.text.lower()
    assert "This is not a diagnosis" in answer.text and "120" in answer.text
    assert "<b>" not in answer.text
    number = stage.value("SELECT number FROM cases")
    assert number in answer.text
    await ann.sees(f"Done. Case {number}")
    assert stage.value("SELECT state FROM cases") == "answered"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "TIFF", "BMP"])
async def test_a_picture_as_file_is_read_by_content_not_name(ann: User, kind: str) -> None:
    await ann.sends_file(xray(BACTERIAL, kind=kind), "whatever.txt")
    assert "bacterial" in (await ann.hears_photo()).text.lower()


async def test_a_dicom_file_is_read(stage: Stage, ann: User) -> None:
    await ann.sends_file(ct_slice(1, "1.2.3"), "IM0001")
    shown = await ann.hears_photo()
    assert "CT" in shown.text
    assert [button.text for row in shown.buttons for button in row] == ["Delete this"]
    assert stage.value("SELECT reason FROM cases") == "no_ct_model"


async def test_a_zip_of_a_series_is_one_study(stage: Stage, ann: User) -> None:
    await ann.sends_file(zipped(ct_series(8)), "study.zip")
    assert "CT" in (await ann.hears_photo()).text
    await stage.sim.quiet()
    assert len([message for message in await ann.messages() if message.photo]) == 1


async def test_a_ct_that_is_shown_without_an_estimate_can_be_deleted(
    stage: Stage, ann: User
) -> None:
    await ann.sends_file(ct_slice(1, "1.2.3"))
    await ann.taps("Delete this", await ann.hears_photo())
    await ann.taps("Yes, delete")
    await ann.sees("Deleted.")
    assert stage.value("SELECT count(*) FROM images") == 0


async def test_an_album_of_photos_is_one_case(stage: Stage, ann: User) -> None:
    await ann.sends_album([xray(seed=seed) for seed in range(3)], "left and right")
    for _ in range(3):
        await ann.hears_photo()
    await stage.sim.quiet()
    heard = [message for message in await ann.messages() if message.from_bot]
    assert len([message for message in heard if message.photo]) == 3
    assert len([message for message in heard if message.text.startswith("Done.")]) == 1
    assert stage.rows("SELECT note FROM cases")[0]["note"] == "left and right"
    assert stage.value("SELECT count(*) FROM cases") == 1
    assert stage.value("SELECT count(*) FROM scans") == 3


async def test_an_album_of_slices_is_one_study(stage: Stage, ann: User) -> None:
    files = [(f"{n}.dcm", content) for n, content in enumerate(ct_series(5))]
    await ann.sends_album(files, as_files=True)
    await ann.hears_photo()
    await stage.sim.quiet()
    assert len([message for message in await ann.messages() if message.photo]) == 1
    assert stage.value("SELECT count(*) FROM cases") == 1


async def test_several_in_a_row_are_answered_in_order(stage: Stage, ann: User) -> None:
    for seed in range(4):
        await ann.sends_photo(xray(seed=seed), f"number {seed}")
    answers = [await ann.hears_photo() for _ in range(4)]
    rows = stage.rows("SELECT number, note FROM cases ORDER BY id")
    assert [row["note"] for row in rows] == [f"number {seed}" for seed in range(4)]
    for row, answer in zip(rows, answers, strict=True):
        assert row["number"] in answer.text


async def test_a_caption_is_kept_as_the_patients_note_and_shown_to_nobody(
    stage: Stage, ann: User
) -> None:
    await ann.sends_photo(xray(), "<b>my son</b> has a fever & coughs")
    assert "fever" not in (await ann.hears_photo()).text
    assert stage.value("SELECT note FROM cases") == "<b>my son</b> has a fever & coughs"


async def test_one_progress_message_is_edited_not_repeated(stage: Stage, ann: User) -> None:
    before = len(await ann.messages())
    await stage.sim.fault("getFile", delay=30)
    await ann.sends_photo(xray())
    progress = await ann.hears()
    assert progress.text.startswith(("Received", "Looking"))
    await ann.sees("Looking at your picture")
    await stage.sim.release()
    await ann.hears_photo()
    done = await ann.sees("Done. Case")
    assert done.id == progress.id and done.edited
    await stage.sim.quiet()
    # The picture sent, the progress, the answer.
    assert len(await ann.messages()) - before == 3


async def test_the_chat_action_is_kept_alive(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ACTION_SECONDS", 0.1)
    await stage.sim.fault("getFile", delay=0.8)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    assert (await ann.actions()).count("upload_photo") >= 3


async def test_a_slow_download_keeps_its_lease(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ACTION_AFTER", 0)
    monkeypatch.setattr(worker, "ACTION_SECONDS", 0.1)
    monkeypatch.setattr(worker, "LEASE", worker.timedelta(seconds=0.8))
    await stage.sim.fault("download", delay=1.5)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    assert stage.value("SELECT attempts FROM cases") == 1


async def test_people_are_served_side_by_side(stage: Stage) -> None:
    ann, bob = await stage.agreed(1), await stage.agreed(2)
    await stage.sim.fault("download", delay=30)
    await ann.sends_photo(xray(seed=1))
    await stage.sim.until(bool, "getFile")
    await bob.sends_photo(xray(seed=2))
    await bob.hears_photo()
    assert not any(message.photo for message in await ann.messages() if message.from_bot)
    await stage.sim.release()
    await ann.hears_photo()
    await asyncio.sleep(0)
