"""Reviewed pictures taken out for training: only those that may be, and nobody's."""

import asyncio
import csv
import io
import zipfile
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from bot import bundle
from bot import outbox as sender
from bot.sandbox.client import Heard, User
from storage.images import Images
from training.dataset import find_examples

from .pictures import BACTERIAL, NORMAL, xray
from .stage import ADMIN, Stage

LABELS = ("normal", "bacterial", "viral")


@pytest.fixture
def mode() -> str:
    return "polling"


@pytest.fixture
async def admin(stage: Stage) -> User:
    return await stage.agreed(ADMIN)


async def reviewed(stage: Stage, user: User, seed: int, verdict: str) -> Heard:
    """Send a picture, hear the answer, and have a doctor say the last word."""
    await user.sends_photo(xray(NORMAL, seed=seed))
    answer = await user.hears_photo()
    case = stage.value("SELECT max(id) FROM cases")
    stage.change("INSERT INTO reviews VALUES (?, ?, 'one', 0)", case, verdict)
    return answer


async def hears(admin: User, words: str) -> Heard:
    while words not in (heard := await admin.hears()).text:
        pass
    return heard


async def archive(admin: User) -> zipfile.ZipFile:
    sent = await hears(admin, "Archive 1 of")
    return zipfile.ZipFile(io.BytesIO(await admin.downloads(sent)))


async def takes_out(admin: User) -> zipfile.ZipFile:
    await admin.says("/export")
    await admin.taps("Send them here", await hears(admin, "Reviewed pictures"))
    return await archive(admin)


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_an_admin_takes_out_what_training_reads(
    stage: Stage, ann: User, admin: User, tmp_path: Path
) -> None:
    bob = await stage.agreed(2)
    for seed, label in enumerate(LABELS * 2):
        await reviewed(stage, ann if seed < 3 else bob, seed, label)
    await admin.says("/export")
    offer = await hears(admin, "Reviewed pictures")
    assert "Viral pneumonia, chest X-ray: 2 (patients: 2)" in offer.text
    await admin.taps("Send them here", offer)
    bundle_ = await archive(admin)
    bundle_.extractall(tmp_path)
    examples = find_examples(tmp_path / "xray")
    assert sorted(str(each.label) for each in examples) == sorted(LABELS * 2)
    # Each patient has all three labels and is still one patient.
    assert len({each.patient for each in examples}) == 2
    for number in ("1", "2", str(ADMIN)):
        assert not any(f"/{number}_" in name for name in bundle_.namelist())
    assert bundle_.namelist() == sorted(bundle_.namelist())
    numbers = [row["number"] for row in stage.rows("SELECT number FROM cases")]
    assert not any(number in name for name in bundle_.namelist() for number in numbers)
    (act,) = stage.rows("SELECT actor, detail FROM audit WHERE action = 'export'")
    assert act["actor"].startswith("admin:") and act["detail"] == "6 pictures"


async def test_nothing_is_left_that_tells_whose_number_was_whose(
    stage: Stage, ann: User, admin: User
) -> None:
    await reviewed(stage, ann, 1, "viral")
    (name,) = (await takes_out(admin)).namelist()
    await stage.sim.quiet()
    left = stage.rows("SELECT payload FROM outbox")
    assert not any(Path(name).stem in row["payload"] for row in left)


async def test_two_taps_on_an_offer_take_it_up_once(stage: Stage, ann: User, admin: User) -> None:
    await reviewed(stage, ann, 1, "viral")
    await admin.says("/export")
    offer = await hears(admin, "Reviewed pictures")
    await stage.stop()
    for _ in range(2):
        await admin.taps("Send them here", offer)
    await stage.sim.fault("sendDocument", code=502, times=2)
    await stage.start()
    await archive(admin)
    await stage.sim.quiet()
    assert len([m for m in await admin.messages() if m.document]) == 1
    assert stage.value("SELECT count(*) FROM audit WHERE action = 'export'") == 1


async def test_who_agreed_to_an_older_text_or_erased_is_left_out(
    stage: Stage, ann: User, admin: User
) -> None:
    bob, eve = await stage.agreed(2), await stage.agreed(3)
    await reviewed(stage, ann, 1, "viral")
    await reviewed(stage, bob, 2, "viral")
    answer = await reviewed(stage, eve, 3, "viral")
    await reviewed(stage, ann, 4, "unreadable")
    stage.change(
        "UPDATE consents SET version = '2026-11' WHERE person_id = "
        "(SELECT id FROM people WHERE telegram_id = 2)"
    )
    await eve.taps("Delete this", answer)
    await eve.taps("Yes, delete")
    await eve.sees("Deleted")
    await admin.says("/export")
    offer = await hears(admin, "Reviewed pictures")
    assert "Viral pneumonia, chest X-ray: 1 (patients: 1)" in offer.text
    assert "older text that does not mention training: 1" in offer.text
    assert "another finding or unreadable: 1" in offer.text
    await admin.taps("Send them here", offer)
    assert len((await archive(admin)).namelist()) == 1


async def test_a_picture_erased_before_its_archive_is_made_is_not_in_it(
    stage: Stage, ann: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BACKOFF", timedelta(seconds=0.05))
    await reviewed(stage, ann, 1, "viral")
    answer = await reviewed(stage, ann, 2, "viral")
    await stage.sim.fault("sendDocument", code=502, times=1000)
    await admin.says("/export")
    await admin.taps("Send them here", await hears(admin, "Reviewed pictures"))
    await stage.sim.until(bool, "sendDocument")
    await ann.taps("Delete this", answer)
    await ann.taps("Yes, delete")
    await ann.sees("Deleted")
    await stage.sim.clear_faults()
    assert len((await archive(admin)).namelist()) == 1


async def test_what_is_too_large_comes_in_several_archives_with_the_same_numbers(
    stage: Stage, ann: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reviewed(stage, ann, 1, "viral")
    await reviewed(stage, ann, 2, "normal")
    largest = stage.value("SELECT max(size) FROM images WHERE kind = 'scan'")
    monkeypatch.setattr(bundle, "LARGEST_PART", largest + 1)
    await admin.says("/export")
    await admin.taps("Send them here", await hears(admin, "Reviewed pictures"))
    names = []
    for number in (1, 2):
        sent = await hears(admin, f"Archive {number} of 2")
        assert sent.file_name == f"reviewed-{number}-of-2.zip"
        names += zipfile.ZipFile(io.BytesIO(await admin.downloads(sent))).namelist()
    assert len({Path(name).name.partition("_")[0] for name in names}) == 1
    assert {Path(name).name.partition("_")[2] for name in names} == {"001.png", "002.png"}


async def test_a_folder_on_the_server(off_stage: Stage, tmp_path: Path) -> None:
    place = tmp_path / "exports"
    await off_stage.start(export_dir=place)
    admin, ann = await off_stage.agreed(ADMIN), await off_stage.agreed(1)
    for seed, label in enumerate(LABELS):
        await reviewed(off_stage, ann, seed, label)
    await admin.says("/export spring-1")
    sent = await hears(admin, "Folder spring-1 on the server: see the file")
    table = list(csv.DictReader(io.StringIO((await admin.downloads(sent)).decode("utf-8-sig"))))
    assert [(row["label"], row["pictures"]) for row in table] == [
        ("bacterial", "1"),
        ("normal", "1"),
        ("viral", "1"),
    ]
    assert len(find_examples(place / "spring-1" / "xray")) == 3
    assert [path.name for path in place.iterdir()] == ["spring-1"]
    await admin.says("/export spring-1")
    await hears(admin, "There is a folder spring-1 already")


def hold_second(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Keep the second picture that is loaded from now on waiting; gives "it waits" and "go on"."""
    load, numbers, waits, go_on = Images.load, count(1), asyncio.Event(), asyncio.Event()

    async def hold(images: Images, image_id: str) -> bytes:
        if next(numbers) == 2:
            waits.set()
            await go_on.wait()
        return await load(images, image_id)

    monkeypatch.setattr(Images, "load", hold)
    return waits, go_on


async def test_a_folder_cut_off_by_a_restart_leaves_nothing_and_its_admin_hears_of_it(
    off_stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "exports"
    await off_stage.start(export_dir=place)
    admin, ann = await off_stage.agreed(ADMIN), await off_stage.agreed(1)
    for seed in (1, 2):
        await reviewed(off_stage, ann, seed, "viral")
    waits, _ = hold_second(monkeypatch)
    await admin.says("/export spring")
    await waits.wait()
    assert len(list(place.rglob("*.png"))) == 1
    await off_stage.restart(export_dir=place)
    await hears(admin, "The export into the folder spring was interrupted")
    assert not list(place.iterdir())
    await admin.says("/export spring")
    await hears(admin, "Folder spring")
    assert len(list((place / "spring").rglob("*.png"))) == 2


async def test_of_two_admins_who_want_the_same_folder_one_gets_it_and_nothing_else_is_left(
    off_stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "exports"
    await off_stage.start(export_dir=place, admin_ids=(ADMIN, ADMIN + 1))
    slow, quick = await off_stage.agreed(ADMIN), await off_stage.agreed(ADMIN + 1)
    ann = await off_stage.agreed(1)
    for seed in (1, 2):
        await reviewed(off_stage, ann, seed, "viral")
    waits, go_on = hold_second(monkeypatch)
    await slow.says("/export spring")
    await waits.wait()
    await quick.says("/export spring")
    assert (await hears(quick, "Folder spring")).file_name == "spring.csv"
    go_on.set()
    assert b"could not be written" in await slow.downloads(await hears(slow, "Folder spring"))
    assert [path.name for path in place.iterdir()] == ["spring"]
    assert len(list(place.rglob("*.png"))) == 2


async def test_an_archive_in_doubt_is_told_of(stage: Stage, ann: User, admin: User) -> None:
    await reviewed(stage, ann, 1, "viral")
    await stage.sim.fault("sendDocument", drop=True)
    await admin.says("/export")
    await admin.taps("Send them here", await hears(admin, "Reviewed pictures"))
    await hears(admin, "may not have arrived")
    assert stage.value("SELECT count(*) FROM outbox WHERE fleeting") == 0


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "..", ".hidden", "a/b", "a b", "x" * 65])
async def test_no_name_leads_out_of_the_folder(off_stage: Stage, tmp_path: Path, name: str) -> None:
    await off_stage.start(export_dir=tmp_path / "exports")
    admin, ann = await off_stage.agreed(ADMIN), await off_stage.agreed(1)
    await reviewed(off_stage, ann, 1, "viral")
    await admin.says(f"/export {name}")
    await hears(admin, "Please give the folder a name")
    assert not (tmp_path / "exports").exists()
    assert stage_has_no_export(off_stage)


def stage_has_no_export(stage: Stage) -> bool:
    return stage.value("SELECT count(*) FROM audit WHERE action = 'export'") == 0


async def test_without_a_place_on_the_server_the_admin_hears_so(
    stage: Stage, ann: User, admin: User
) -> None:
    await reviewed(stage, ann, 1, "viral")
    await admin.says("/export spring")
    await hears(admin, "EXPORT_DIR")


async def test_a_place_that_cannot_be_written_is_told_of(off_stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("a file, not a folder")
    await off_stage.start(export_dir=tmp_path / "exports")
    admin, ann = await off_stage.agreed(ADMIN), await off_stage.agreed(1)
    await reviewed(off_stage, ann, 1, "viral")
    await admin.says("/export spring")
    sent = await hears(admin, "Folder spring on the server: see the file")
    assert b"could not be written" in await admin.downloads(sent)


async def test_before_any_review_there_is_nothing_to_take_out(
    stage: Stage, ann: User, admin: User
) -> None:
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    await admin.says("/export")
    await hears(admin, "no reviewed picture yet")


async def test_nobody_but_an_admin_takes_anything_out(stage: Stage, ann: User) -> None:
    await ann.says("/export")
    await ann.sees("I do not know this command")
