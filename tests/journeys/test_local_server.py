"""A Bot API server on the same machine, which lays large files down instead of handing them out."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bot.patient import scans
from bot.sandbox.server import Sandbox
from bot.worker import _digest, _take_over

from .pictures import NORMAL, encoded, is_answer, xray
from .stage import Stage


@pytest.fixture
def mode() -> str:
    return "polling"


@pytest.fixture
def laid_down(tmp_path: Path) -> Path:
    return tmp_path / "server"


@pytest.fixture
async def sandbox(laid_down: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(local_files=laid_down) as sandbox:
        yield sandbox


def large() -> bytes:
    """A picture that Telegram itself would not hand out."""
    rows = NORMAL + 0.1 * np.sin(np.arange(4600) / 9)
    picture = encoded(np.broadcast_to(rows, (4600, 4600)), "BMP")
    assert len(picture) > scans.LARGEST
    return picture


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_file_too_large_for_telegram_is_answered_and_taken_off_the_server(
    off_stage: Stage, laid_down: Path
) -> None:
    await off_stage.start(local_mode=True)
    ann = await off_stage.agreed(1)
    await ann.sends_file(large(), "scan.bmp")
    answer = await ann.hears_photo(within=15)
    assert is_answer(await ann.downloads(answer))
    assert not files_in(laid_down) + files_in(off_stage.data_dir / "incoming")


async def test_what_no_server_can_bring_us_is_refused_with_the_real_limit(
    off_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "LARGEST_LOCAL", 2 * scans.MEGABYTE)
    await off_stage.start(local_mode=True)
    ann = await off_stage.agreed(1)
    await ann.sends_file(bytes(3 * scans.MEGABYTE), "study.zip")
    await ann.sees("This file is 3 MB; I can take at most 2 MB")
    assert not await off_stage.sim.calls("getFile")


def test_what_may_not_be_moved_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lying = tmp_path / "lying"
    lying.write_bytes(xray())

    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.rename", forbidden)
    monkeypatch.setattr("os.unlink", forbidden)
    assert _take_over(lying, tmp_path / "taken").read_bytes() == lying.read_bytes()


def test_what_may_not_be_read_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr("bot.worker.shutil.move", forbidden)
    with pytest.raises(PermissionError):
        _take_over(tmp_path / "lying", tmp_path / "taken")


def test_the_order_of_the_parts_does_not_change_what_they_hash_to(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.write_text(path.name)
    assert _digest(paths) == _digest(paths[::-1]) != _digest(paths[:1])
