"""What is defined when something is broken: the classifier, the model, the disk, the database."""

import asyncio
import errno
import json
import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from http.server import ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot import menus, worker
from bot.lock import AlreadyRunning
from bot.logs import ScrubbingFormatter
from bot.networks import Networks
from bot.sandbox.client import Sim, User
from bot.sandbox.server import Sandbox
from bot.worker import Worker
from classifier.card import BrokenModel
from classifier.engines import Output
from classifier.engines.remote import JSON_LENGTH, RemoteEngine
from classifier.labels import FloatArray, Modality
from classifier.model import MODELS, Model
from storage.database import Database
from storage.errors import StorageFull
from storage.images import Images, Sealed

from ..classifier.conftest import make_model
from ..classifier.test_remote import Server
from .clinic import POLLING
from .pictures import xray
from .process import ROOT, BotProcess
from .stage import ADMIN, SECRET, Stage, free_port

ODD = ROOT / "tests" / "journeys" / "odd_bot.py"


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


class Far(Server):
    """The stand-in network, on a V2 server of its own."""

    def do_POST(self) -> None:
        length = int(self.headers[JSON_LENGTH])
        content = self.rfile.read(int(self.headers["Content-Length"]))
        (said,) = json.loads(content[:length])["inputs"]
        inputs = np.frombuffer(content[length:], "<f4").reshape(said["shape"])
        output = make_model(Modality.XRAY).engine.run(inputs)
        header, body = self._answer({"logits": output.logits, "features": output.features})
        self.send_response(200)
        self.send_header(JSON_LENGTH, str(len(header)))
        self.end_headers()
        self.wfile.write(header + body)


class TestAClassifierFarAway:
    @pytest.fixture
    def port(self) -> int:
        return free_port()

    @pytest.fixture
    def models(self, port: int) -> Mapping[Modality, Model]:
        model = make_model(Modality.XRAY)
        engine = RemoteEngine(f"http://127.0.0.1:{port}", "far")
        return {Modality.XRAY: replace(model, engine=engine)}

    async def test_a_server_that_is_down_is_waited_for(
        self, stage: Stage, ann: User, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "OUTAGE_WAIT", timedelta(seconds=0.1))
        monkeypatch.setattr(worker, "GIVE_UP_AFTER", 1)
        await ann.sends_photo(xray())
        await stage.sim.until(lambda calls: len(calls) >= 3, "getFile")
        with ThreadingHTTPServer(("127.0.0.1", port), Far) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            await ann.hears_photo()
            server.shutdown()
        assert stage.value("SELECT attempts FROM cases") == 1


class Held:
    """An engine that waits until it is let go."""

    def __init__(self, model: Model) -> None:
        self.engine = model.engine
        self.begun, self.go_on = threading.Event(), threading.Event()

    def run(self, inputs: FloatArray) -> Output:
        self.begun.set()
        self.go_on.wait(20)
        return self.engine.run(inputs)


class TestAnEngineThatTakesLong:
    @pytest.fixture
    def held(self) -> Iterator[Held]:
        held = Held(make_model(Modality.XRAY))
        yield held
        held.go_on.set()

    @pytest.fixture
    def models(self, held: Held) -> Mapping[Modality, Model]:
        return {Modality.XRAY: replace(make_model(Modality.XRAY), engine=held)}

    async def test_handlers_return_and_everybody_is_answered_meanwhile(
        self, stage: Stage, ann: User, held: Held
    ) -> None:
        bob = await stage.agreed(2)
        await ann.sends_photo(xray())
        await asyncio.to_thread(held.begun.wait, 10)
        # The picture is worked on, and its update is done with.
        assert (await stage.sim.state())["pending_updates"] == 0
        for user in (ann, bob):
            await user.says("/help")
            await user.sees("Send a chest X-ray")
        await bob.sends_photo(xray(seed=2))
        await bob.sees("Looking at your picture")
        assert not any(message.photo for message in await ann.messages() if message.from_bot)
        held.go_on.set()
        await ann.hears_photo()
        await bob.hears_photo()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS, tmp_path / "models"))


def take_away(models: Path) -> None:
    shutil.rmtree(next(models.glob("*xray*")))


def change(models: Path) -> None:
    file = next(models.glob("*xray*/*.onnx"))
    file.write_bytes(file.read_bytes() + b"x")


# It ends before any update could come in.
@pytest.mark.parametrize("mode", ["polling"])
@pytest.mark.parametrize(
    ("spoil", "named"),
    [(take_away, ".onnx: No such file"), (change, ".onnx: sha256")],
    ids=["missing", "sha256"],
)
async def test_a_model_that_is_missing_or_changed_ends_the_program_and_is_named(
    sandbox: Sandbox,
    sim: Sim,
    mode: str,
    tmp_path: Path,
    installed: Path,
    spoil: Callable[[Path], None],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil(installed)
    monkeypatch.setenv("MODELS", str(installed))
    async with BotProcess(sandbox, sim, tmp_path / "data", mode, ODD) as process:
        assert await process.run_to_the_end() == 2
        said = process.log.read_text()
    assert "The model cannot be used" in said and named in said
    assert "Traceback" not in said


async def test_a_broken_model_ends_the_start_and_frees_the_data_dir(
    off_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(url: str = "") -> None:
        raise BrokenModel("model.onnx is not the card's")

    with monkeypatch.context() as patch:
        patch.setattr("bot.networks.load_installed", broken)
        await off_stage.start()
        with pytest.raises(BrokenModel):
            await off_stage.stop()
    await off_stage.start()
    await off_stage.agreed(1)


async def test_a_second_bot_on_the_same_data_dir_is_refused(stage: Stage, ann: User) -> None:
    from bot import app

    with pytest.raises(AlreadyRunning):
        await app.run(stage.settings(), stage.reader, Networks(""))
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


@pytest.mark.parametrize("error", [StorageFull("No space"), OSError(errno.ENOSPC, "No space")])
async def test_a_disk_that_fills_up_while_pictures_are_worked_on_loses_none(
    stage: Stage, ann: User, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, full = Worker._answer, True

    async def no_room(self: Worker, *given: Any) -> None:
        if full:
            raise error
        await answer(self, *given)

    monkeypatch.setattr(Worker, "_answer", no_room)
    monkeypatch.setattr(worker, "GIVE_UP_AFTER", 1)
    monkeypatch.setattr(worker, "OUTAGE_WAIT", timedelta(seconds=0.05))
    await ann.sends_photo(xray())
    await stage.sim.until(lambda calls: len(calls) >= 3, "getFile")
    full = False
    await ann.hears_photo()
    assert stage.value("SELECT attempts FROM cases") == 1


@pytest.mark.parametrize("mode", ["polling"])
async def test_a_disk_that_fills_up_while_pictures_are_kept_is_not_filled_further(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal, tries, full = Images.seal, count(1), True

    async def no_room(self: Images, picture: bytes) -> Sealed:
        # Of two pictures in an album, each with its answer, the last.
        if next(tries) % 4 == 0 and full:
            raise StorageFull("No space")
        return await seal(self, picture)

    monkeypatch.setattr(Images, "seal", no_room)
    monkeypatch.setattr(worker, "OUTAGE_WAIT", timedelta(seconds=0.05))
    await ann.sends_album([xray(), xray(seed=2)])
    await stage.sim.until(lambda calls: len(calls) >= 6, "getFile")
    full = False
    await ann.hears_photo()
    await stage.sim.quiet()
    kept = {path.name for path in (stage.data_dir / "images").glob("??/*")}
    assert kept == {row["id"] for row in stage.rows("SELECT id FROM images")}


async def test_a_database_locked_by_another_process_is_waited_for(stage: Stage, ann: User) -> None:
    other = sqlite3.connect(stage.data_dir / "bot.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await ann.sends_photo(xray())
    await ann.hears_nothing(1)
    other.execute("ROLLBACK")
    other.close()
    await ann.hears_photo()
    assert stage.value("SELECT count(*) FROM cases") == 1


@POLLING
async def test_menus_that_cannot_be_set_are_told_and_end_nothing(
    stage: Stage, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(menus, "publish_for", broken)
    admin = await stage.agreed(ADMIN)
    await stage.restart()
    await admin.sees("RuntimeError")
    await ann.sends_photo(xray())
    await ann.hears_photo()


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
        for nothing in (b"null", b"[]", b"1"):
            assert (await http.post(url, content=nothing, headers=right)).status_code == 200


@pytest.mark.parametrize("mode", ["webhook"])
async def test_a_webhook_is_heard_at_the_whole_address_too(stage: Stage, ann: User) -> None:
    url = stage.settings().webhook_url
    for path in ("/", "/behind/a/proxy", "/and/a/slash/"):
        await stage.restart(webhook_url=url + path)
        await ann.says("/help")
        assert "/forget" in (await ann.hears()).text


async def test_no_log_holds_secrets_names_or_words(
    off_stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = off_stage
    caplog.set_level(logging.INFO)
    # As `set_up_logs` has it.
    for noisy in ("httpx", "apscheduler"):
        monkeypatch.setattr(logging.getLogger(noisy), "level", logging.WARNING)
    monkeypatch.setattr(worker, "OUTAGE_WAIT", worker.timedelta(seconds=0.05))
    monkeypatch.setattr("bot.receive.FIRST_WAIT", 0.05)
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
    await ann.sees("I can only read chest X-rays")
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
