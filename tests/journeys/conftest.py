import shutil
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot import broadcasting, outbox, pace, worker
from bot.doctor import verdicts
from bot.patient import scans
from bot.sandbox.client import Sim, User
from bot.sandbox.server import Sandbox
from classifier.gate import Gate
from classifier.labels import Modality
from classifier.model import Model, load_installed
from classifier.reading.isolated import IsolatedReader

from ..classifier.conftest import BrightnessGate, make_model
from .clinic import Clinic
from .stage import Stage


@pytest.fixture(scope="session")
def reader() -> Iterator[IsolatedReader]:
    """The children that read files; shared, because their start is slower than a story."""
    with IsolatedReader() as reader:
        yield reader


@pytest.fixture(scope="session")
def real_models() -> Mapping[Modality, Model]:
    return load_installed()


@pytest.fixture(scope="session")
def trusted() -> ssl.SSLContext:
    """All certificates, read once: nothing here is encrypted, and they take as long as a story."""
    return httpx.create_ssl_context()


@pytest.fixture(params=["polling", "webhook"])
def mode(request: pytest.FixtureRequest) -> str:
    """How updates come in; a story about something else names one mode."""
    return str(request.param)


@pytest.fixture
def models() -> Mapping[Modality, Model]:
    """A quick stand-in that judges by brightness; a story may name others."""
    return {Modality.XRAY: make_model(Modality.XRAY)}


@pytest.fixture
def gate() -> Gate:
    """The stand-in that goes with it."""
    return BrightnessGate()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def sim(sandbox: Sandbox) -> AsyncIterator[Sim]:
    async with Sim(sandbox.url) as sim:
        yield sim


@pytest.fixture
async def off_stage(
    sandbox: Sandbox,
    sim: Sim,
    mode: str,
    models: Mapping[Modality, Model],
    gate: Gate,
    reader: IsolatedReader,
    trusted: ssl.SSLContext,
    tmp_path: Path,
    empty_data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Stage]:
    """A bot that is not started yet."""
    monkeypatch.setattr("bot.networks.load_installed", lambda url="": models)
    monkeypatch.setattr("bot.networks.Gate", lambda: gate)
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: trusted)
    monkeypatch.setattr(pace, "BURST", 100)
    monkeypatch.setattr(scans, "QUIET", timedelta(seconds=0.4))
    # Longer than anybody waits: a bell that was not rung must not be made up for.
    for loop in (outbox, worker, verdicts, broadcasting):
        monkeypatch.setattr(loop, "LONGEST_REST", 60.0)
    data_dir = tmp_path / "data"
    shutil.copytree(empty_data_dir, data_dir, dirs_exist_ok=True)
    stage = Stage(sandbox, sim, mode, data_dir, reader)
    yield stage
    await stage.stop()


@pytest.fixture
async def stage(off_stage: Stage) -> Stage:
    """A bot that runs."""
    await off_stage.start()
    return off_stage


@pytest.fixture
async def ann(stage: Stage) -> User:
    """Somebody who has agreed and heard everything up to there."""
    return await stage.agreed(1)


@pytest.fixture
def clinic(off_stage: Stage) -> Clinic:
    """A bot that is not started yet, for doctors."""
    return Clinic(off_stage)
