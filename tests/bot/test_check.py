import errno
from pathlib import Path

import pytest

from bot import check
from bot.check import LEAST_FREE_MB, check_with
from bot.mending import mend
from bot.settings import load_settings
from storage.errors import StorageFull


async def greeted() -> None:
    """Telegram answers."""


async def data_dir(folder: Path, disk_free_mb: int) -> str:
    """Look at all, and give what mends the data dir."""
    settings = load_settings(token="1:a", data_dir=folder / "data", disk_free_mb=disk_free_mb)
    found = {each.name: each.mend for each in await check_with(settings, dict, greeted)}
    assert not any(mending for name, mending in found.items() if name != "data dir")
    return found["data dir"]


@pytest.mark.parametrize(
    ("free", "asked", "wanted"),
    [(0, 0, LEAST_FREE_MB), (LEAST_FREE_MB - 1, 0, LEAST_FREE_MB), (499, 500, 500)],
)
async def test_a_disk_without_room_is_named_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, asked: int, wanted: int
) -> None:
    monkeypatch.setattr(check, "free_megabytes", lambda folder: free)
    said = await data_dir(tmp_path, asked)
    assert said.startswith(f"{free} MB are free on the disk of {tmp_path}, {wanted} should be;")
    assert "make room" in said


@pytest.mark.parametrize(("free", "asked"), [(LEAST_FREE_MB, 0), (500, 500)])
async def test_a_disk_with_room_is_ok(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, asked: int
) -> None:
    monkeypatch.setattr(check, "free_megabytes", lambda folder: free)
    assert await data_dir(tmp_path, asked) == ""


def test_a_file_that_cannot_be_used_is_named_with_what_mends_it() -> None:
    error = OSError(errno.EROFS, "Read-only file system", "/data/lock")
    assert mend(error) == (
        "/data/lock cannot be used (Read-only file system); check its name, rights and disk"
    )


def test_a_full_disk_is_told_to_be_that() -> None:
    assert "no room" in mend(StorageFull("SQLITE_FULL"))
