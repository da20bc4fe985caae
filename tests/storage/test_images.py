import base64
import errno
import os
import stat
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storage import Storage, erasure, images
from storage.errors import (
    CaseGone,
    ImageDamaged,
    ImageGone,
    ImageKeyWrong,
    StorageBroken,
    StorageFull,
)
from storage.images import Image, ImageKind
from storage.keys import KEY_FILE, load_key

PIXELS = b"these are the pixels of a chest" * 100
KEY = base64.b64encode(bytes(range(32))).decode()


async def put(hands: Any, storage: Storage) -> Image:
    case = await hands.send(await hands.person())
    sealed = await storage.images.seal(PIXELS)
    return await storage.write(images.attach, sealed, case.id, ImageKind.SCAN, "image/webp")


def image_files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "images").rglob("*") if path.is_file())


async def test_an_image_comes_back_and_its_file_holds_no_plaintext(
    hands: Any, storage: Storage, traces: Callable[[bytes], list[str]]
) -> None:
    image = await put(hands, storage)
    assert await storage.images.load(image.id) == PIXELS
    assert await storage.read(images.of_case, image.case_id) == [image]
    assert await storage.read(images.of_case, image.case_id, ImageKind.REPORT) == []
    assert (image.size, image.media_type) == (len(PIXELS), "image/webp")
    assert traces(b"pixels") == []


async def test_the_same_image_twice_looks_different_on_disk(
    hands: Any, storage: Storage, folder: Path
) -> None:
    await put(hands, storage)
    await put(hands, storage)
    first, second = (path.read_bytes() for path in image_files(folder))
    assert first[12:] != second[12:]


async def test_the_name_of_a_file_outlives_a_power_cut(
    hands: Any, storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, list[Path]]] = []
    sync = os.fsync

    def fsync(handle: int) -> None:
        synced.append((os.fstat(handle).st_ino, image_files(folder)))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    await put(hands, storage)
    [path] = image_files(folder)
    places = [place.stat().st_ino for place in (path, path.parent, path.parent.parent)]
    mine = [(place, files) for place, files in synced if place in places]
    assert [place for place, _ in mine] == places
    assert [files == [path] for _, files in mine] == [False, True, True]


@pytest.mark.parametrize("place", [0, 4, 12, 30, -1])
async def test_one_altered_bit_is_noticed(
    hands: Any, storage: Storage, folder: Path, place: int
) -> None:
    image = await put(hands, storage)
    [path] = image_files(folder)
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)
    with pytest.raises((ImageDamaged, ImageKeyWrong)):
        await storage.images.load(image.id)


async def test_an_image_cut_short_is_noticed(hands: Any, storage: Storage, folder: Path) -> None:
    image = await put(hands, storage)
    [path] = image_files(folder)
    for length in (100, 5, 0):
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(ImageDamaged):
            await storage.images.load(image.id)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EPERM])
async def test_an_image_that_cannot_be_read_is_damaged_and_holds_up_no_start(
    hands: Any, storage: Storage, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, unreadable = await put(hands, storage), await put(hands, storage)
    read = Path.read_bytes

    def fails(path: Path) -> bytes:
        if path.name == unreadable.id:
            raise OSError(number, os.strerror(number))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", fails)
    with pytest.raises(ImageDamaged):
        await storage.images.load(unreadable.id)
    assert await storage.images.load(whole.id) == PIXELS
    await storage.images.check_key()


async def test_one_image_cannot_stand_in_for_another(
    hands: Any, storage: Storage, folder: Path
) -> None:
    image = await put(hands, storage)
    await put(hands, storage)
    first, second = image_files(folder)
    first.write_bytes(second.read_bytes())
    second.write_bytes(first.read_bytes())
    with pytest.raises(ImageDamaged):
        await storage.images.load(image.id if first.name == image.id else first.name)


async def test_a_wrong_key_is_told_from_a_damaged_file(hands: Any, folder: Path) -> None:
    image = await put(hands, hands.storage)
    await hands.storage.close()
    async with await Storage.open(folder, image_key=KEY) as other:
        with pytest.raises(ImageKeyWrong):
            await other.images.load(image.id)
    async with await Storage.open(folder) as again:
        assert await again.images.load(image.id) == PIXELS


async def test_a_wrong_key_is_noticed_by_the_newest_image_that_is_there(
    hands: Any, folder: Path
) -> None:
    await hands.storage.images.check_key()
    kept = [await put(hands, hands.storage) for _ in range(3)]
    await hands.storage.images.check_key()
    await hands.storage.close()
    gone, damaged = (folder / "images" / image.id[:2] / image.id for image in kept[1:])
    gone.unlink()
    damaged.write_bytes(b"IMG1")
    async with await Storage.open(folder, image_key=KEY) as other:
        with pytest.raises(ImageKeyWrong):
            await other.images.check_key()
        sealed = await other.images.seal(PIXELS)
        newer = await other.write(images.attach, sealed, kept[0].case_id, ImageKind.SCAN)
        await other.images.check_key()
        assert other.images.opens(newer.id)
        assert not any(other.images.opens(image.id) for image in kept)


async def test_an_image_that_is_gone_is_said_to_be_gone(
    hands: Any, storage: Storage, folder: Path
) -> None:
    with pytest.raises(ImageGone):
        await storage.images.load("0" * 32)
    image = await put(hands, storage)
    image_files(folder)[0].unlink()
    with pytest.raises(ImageGone):
        await storage.images.load(image.id)


async def test_a_case_erased_meanwhile_gets_no_image(
    hands: Any, storage: Storage, folder: Path
) -> None:
    case = await hands.send(await hands.person())
    await storage.erase(erasure.delete_case, case.id)
    sealed = await storage.images.seal(PIXELS)
    with pytest.raises(CaseGone):
        await storage.write(images.attach, sealed, case.id, ImageKind.SCAN)


async def test_files_a_crash_left_are_swept_and_fresh_ones_are_not(
    hands: Any, storage: Storage, folder: Path
) -> None:
    image = await put(hands, storage)
    old, fresh = await storage.images.seal(PIXELS), await storage.images.seal(PIXELS)
    for path in image_files(folder):
        if path.name != fresh.id:
            os.utime(path, (0, time.time() - 2 * 3600))
    assert (await storage.recover()).strays == 1
    assert {path.name for path in image_files(folder)} == {image.id, fresh.id}
    assert await storage.images.sweep(timedelta(0)) == 1
    assert old.id not in {path.name for path in image_files(folder)}


async def test_a_file_left_by_a_crash_while_the_clock_ran_ahead_is_swept(
    storage: Storage, folder: Path
) -> None:
    left = await storage.images.seal(PIXELS)
    path = folder / "images" / left.id[:2] / left.id
    os.utime(path, (0, time.time() + 365 * 86400))
    assert (await storage.recover()).strays == 1
    assert not path.exists()


async def test_a_file_that_goes_meanwhile_hinders_no_sweeping(
    hands: Any, storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(hands, storage)
    left = await storage.images.seal(PIXELS)
    listed = [*image_files(folder), folder / "images" / "00" / ("0" * 32)]
    monkeypatch.setattr(Path, "glob", lambda *_: reversed(listed))
    assert await storage.images.sweep(timedelta(0)) == 1
    assert not (folder / "images" / left.id[:2] / left.id).exists()


async def test_a_full_disk_is_said_and_leaves_no_half_image(
    storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        await storage.images.seal(PIXELS)
    assert image_files(folder) == []


def test_a_key_is_made_once_and_only_its_owner_may_read_it(folder: Path) -> None:
    key = load_key(folder)
    assert len(key) == 32
    path = folder / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert load_key(folder) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [path]


def test_the_name_of_the_key_outlives_a_power_cut(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    load_key(folder)
    assert synced == [path.stat().st_ino for path in (folder / KEY_FILE, folder)]


def test_a_key_of_the_settings_is_used_and_not_written(folder: Path) -> None:
    assert load_key(folder, KEY) == load_key(folder, KEY.replace("+", "-")) == bytes(range(32))
    assert not folder.exists()


@pytest.mark.parametrize("text", ["short", "AAAA", "!" * 44, "ключ"])
def test_a_malformed_key_is_refused_without_being_shown(folder: Path, text: str) -> None:
    with pytest.raises(ImageKeyWrong) as said:
        load_key(folder, text)
    assert text not in str(said.value)
    folder.mkdir()
    (folder / KEY_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ImageKeyWrong):
        load_key(folder)


async def test_a_lost_key_is_not_replaced_while_there_are_images(
    hands: Any, storage: Storage, folder: Path
) -> None:
    await put(hands, storage)
    await storage.close()
    (folder / KEY_FILE).unlink()
    with pytest.raises(ImageKeyWrong, match="missing"):
        await Storage.open(folder)


async def test_a_data_dir_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageBroken):
        await Storage.open(tmp_path / "file" / "data")
