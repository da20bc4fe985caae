"""What is defined when something is broken: the classifier, the model, the disk, the database."""

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot import worker
from bot.app import AlreadyRunning
from bot.logs import ScrubbingFormatter
from bot.sandbox.client import User
from classifier.card import BrokenModel
from classifier.engines import Output
from classifier.labels import FloatArray, Modality
from classifier.model import MODELS, Model, load_installed
from storage.database import Database
from storage.errors import StorageFull

from ..classifier.conftest import make_model
from .pictures import xray
from .stage import ADMIN, SECRET, Stage


@pytest.fixture
def mode() -> str:
    return "polling"


class Broken:
    """An engine that fails so many times."""

    def __init__(self, model: Model, times: int) -> None:
        self.engine = model.engine
        self.times = times

    def run(self, inputs: FloatArray) -> Output:
        self.times -= 1
        if self.times >= 0:
            raise RuntimeError("out of memory at Somebody^Secret")
        return self.engine.run(inputs)


class TestAClassifierThatIsDown:
    @pytest.fixture(params=[1, 1000])
    def times(self, request: pytest.FixtureRequest) -> int:
        return int(request.param)

    @pytest.fixture
    def models(self, times: int, monkeypatch: pytest.MonkeyPatch) -> Mapping[Modality, Model]:
        monkeypatch.setattr(worker, "GIVE_UP_AFTER", 2)
        model = make_model(Modality.XRAY)
        return {Modality.XRAY: replace(model, engine=Broken(model, times))}

    async def test_it_is_tried_again_and_then_told_to_patient_and_admins(
        self, stage: Stage, ann: User, times: int
    ) -> None:
        admin = await stage.agreed(ADMIN)
        await ann.sends_photo(xray())
        if times == 1:
            await ann.hears_photo()
            assert stage.value("SELECT attempts FROM cases") == 2
            return
        await ann.sees("Something went wrong on our side")
        number = stage.value("SELECT number FROM cases")
        told = await admin.sees(f"Case {number} failed 2 times")
        assert "RuntimeError" in told.text and "Somebody" not in told.text
        assert stage.value("SELECT state FROM cases") == "failed"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS, tmp_path / "models"))


def test_a_missing_model_is_named_and_the_bot_does_not_start(installed: Path) -> None:
    shutil.rmtree(next(installed.glob("*xray*")))
    with pytest.raises(BrokenModel, match="no X-ray model"):
        load_installed(installed)


def test_a_model_file_with_another_sha256_is_named(installed: Path) -> None:
    file = next(installed.glob("*xray*/*.onnx"))
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(BrokenModel, match=r"\.onnx"):
        load_installed(installed)


async def test_a_broken_model_ends_the_start_and_frees_the_data_dir(
    off_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(url: str = "") -> None:
        raise BrokenModel("model.onnx is not the card's")

    with monkeypatch.context() as patch:
        patch.setattr("bot.app.load_installed", broken)
        await off_stage.start()
        with pytest.raises(BrokenModel):
            await off_stage.stop()
    await off_stage.start()
    await off_stage.agreed(1)


async def test_a_second_bot_on_the_same_data_dir_is_refused(stage: Stage, ann: User) -> None:
    from bot import app

    with pytest.raises(AlreadyRunning):
        await app.run(stage.settings())
    await ann.says("/help")
    await ann.sees("Send a chest X-ray")


async def test_a_full_disk_loses_nothing(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Database.write
    full = True

    async def no_room(self: Database, *args: object, **kwargs: object) -> object:
        if full:
            raise StorageFull("SQLITE_FULL")
        return await write(self, *args, **kwargs)

    monkeypatch.setattr(Database, "write", no_room)
    await ann.sends_photo(xray())
    await asyncio.sleep(0.5)
    # Telegram still holds the update, because it was not confirmed.
    assert (await stage.sim.state())["pending_updates"] == 1
    full = False
    await ann.hears_photo()
    assert stage.value("SELECT count(*) FROM cases") == 1


async def test_a_database_locked_by_another_process_is_waited_for(stage: Stage, ann: User) -> None:
    other = sqlite3.connect(stage.data_dir / "bot.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await ann.sends_photo(xray())
    await ann.hears_nothing(1)
    other.execute("ROLLBACK")
    other.close()
    await ann.hears_photo()
    assert stage.value("SELECT count(*) FROM cases") == 1


@pytest.mark.parametrize("mode", ["webhook"])
async def test_a_webhook_without_the_secret_is_refused(stage: Stage, ann: User) -> None:
    import httpx

    url = f"{stage.settings().webhook_url}/telegram"
    update = {"update_id": 999_999}
    async with httpx.AsyncClient() as http:
        for headers in ({}, {"X-Telegram-Bot-Api-Secret-Token": "guess"}):
            assert (await http.post(url, json=update, headers=headers)).status_code == 403
        right = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        assert (await http.post(url, content=b"{", headers=right)).status_code == 400


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_no_log_holds_secrets_names_or_words(
    off_stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = off_stage
    caplog.set_level(logging.INFO)
    # As `set_up_logs` has it.
    for noisy in ("httpx", "apscheduler"):
        monkeypatch.setattr(logging.getLogger(noisy), "level", logging.WARNING)
    monkeypatch.setattr(worker, "OUTAGE_SECONDS", 0.05)
    monkeypatch.setattr("bot.app.UNREACHABLE_SECONDS", 0.05)
    await stage.sim.fault("getMe", drop=True)
    await stage.start()
    ann = stage.sim.user(1, language="en", name="Annabella")
    await ann.starts("word-in-a-link")
    await ann.taps("I have read this")
    await stage.sim.fault("getFile", drop=True)
    await stage.sim.fault("sendPhoto", code=400, description="Bad Request: word-from-telegram")
    await ann.sends_file(xray(), "word-in-a-name.jpg", "word-in-a-caption")
    await ann.sees("Done. Case")
    await ann.sends_file(b"word-in-a-file", "word-in-a-name.dcm")
    await ann.sees("not a picture we can read")
    await ann.says("word-in-a-message")
    await ann.sees("I can only read pictures")
    await stage.sim.quiet()
    await stage.stop()
    formatter = ScrubbingFormatter(stage.settings().secrets)
    logged = "\n".join(formatter.format(record) for record in caplog.records)
    assert "ready" in logged
    for secret in (*stage.settings().secrets, "Annabella", "word-"):
        assert secret not in logged
    for path in (path for path in stage.data_dir.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert b"Annabella" not in content and b"word-in-a-name" not in content
        assert b"word-in-a-message" not in content
        assert b"word-in-a-name" not in str(path).encode()
