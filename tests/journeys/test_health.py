"""How it does: `/health`, `/stats` and the metrics."""

import io
import re
import socket
import threading
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from bot import jobs
from bot.sandbox.client import User
from classifier.labels import Modality

from ..classifier.conftest import make_model
from .clinic import POLLING
from .pictures import BACTERIAL, NOT_A_CHEST, UNSURE, xray
from .stage import ADMIN, Stage, free_port


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SOON", timedelta(seconds=0.1))


@pytest.fixture
async def admin(stage: Stage) -> User:
    return await stage.agreed(ADMIN)


async def jobs_ran(stage: Stage) -> None:
    while stage.value("SELECT count(*) FROM job_runs") < len(jobs.JOBS):
        await stage.sim.quiet(0.05)


async def test_health_tells_what_check_says_and_how_the_bot_does(stage: Stage, admin: User) -> None:
    await jobs_ran(stage)
    await admin.says("/health")
    told = (await admin.sees("Health · version")).text
    for well in ("data folder", "database", "key of the pictures", "model", "Telegram"):
        assert f"✅ {well}" in told
    assert "❌" not in told
    assert "Answers: stand-in-xray" in told
    assert "Wait for an answer: 0\nWait for a doctor: 0\nMessages: " in told
    assert "Free on the disk: " in told
    assert told.count("✅") == 5 + len(jobs.JOBS)


@POLLING
async def test_nobody_waits_while_another_machine_does_not_answer(
    stage: Stage, ann: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr("bot.check.check_fit", lambda model: answers.wait(20))
    await admin.says("/health")
    await stage.sim.until(lambda calls: len(calls) > 1, "getMe")
    await ann.says("/help")
    await ann.sees("Send a chest X-ray")
    answers.set()
    await admin.sees("Health · version")


@POLLING
async def test_stats_tell_numbers_and_draw_a_chart(stage: Stage, ann: User, admin: User) -> None:
    for picture in (xray(), xray(BACTERIAL), xray(UNSURE)):
        await ann.sends_photo(picture)
        await ann.hears_photo()
    await ann.sends_photo(xray(NOT_A_CHEST))
    await ann.sees("This does not look like a frontal chest")
    await admin.says("/stats")
    told = (await admin.sees("Pictures: 4 today, 4 in 7 days, 4 in all")).text
    assert "From picture to answer, the last 3: half within" in told
    assert "No estimate, 30 days: 1\n• not a chest: 1" in told
    assert "no doctor has reviewed a case yet" in told
    assert "0 for an answer, 3 for a doctor" in told
    assert "Storage: database" in told
    chart = await admin.hears_photo()
    assert chart.text == "Each day by what was answered."
    assert Image.open(io.BytesIO(await admin.downloads(chart))).size == (1280, 720)


class TestDetails:
    @pytest.fixture
    def mode(self) -> str:
        return "polling"

    async def test_health_tells_what_is_wrong_and_what_mends_it(
        self, stage: Stage, ann: User, admin: User
    ) -> None:
        await jobs_ran(stage)
        await stage.sim.fault("getMe", code=502)
        await admin.says("/pause")
        await admin.sees("not taken in until /resume")
        stage.change("UPDATE cases SET received_at = received_at - 3600000000")
        stage.change("UPDATE job_runs SET outcome = 'StorageFull' WHERE name = 'backup'")
        await admin.says("/health")
        told = (await admin.sees("Health · version")).text
        assert "❌ Telegram: Telegram cannot be reached" in told
        assert "❌ back up the database, " in told and "ago: StorageFull" in told
        assert "No pictures are taken in" in told

    async def test_health_and_stats_speak_chinese(self, stage: Stage) -> None:
        admin = await stage.agreed(ADMIN, "zh")
        await admin.says("/health")
        told = await admin.sees("运行状况")
        assert "✅ 数据库" in told.text and "自动任务" in told.text
        await admin.says("/stats")
        await admin.sees("还没有医生审阅过的病例")
        assert "按结果分色" in (await admin.hears_photo()).text

    async def test_agreement_with_the_doctors_is_told_with_its_interval(
        self, stage: Stage, ann: User, admin: User
    ) -> None:
        for seed in range(4):
            await ann.sends_photo(xray(seed=seed))
            await ann.hears_photo()
            await stage.sim.quiet(0.1)
        for case, verdict in enumerate(("normal", "normal", "normal", "viral"), start=1):
            stage.change("UPDATE cases SET state = 'under_review' WHERE id = ?", case)
            stage.change("UPDATE cases SET state = 'reviewed' WHERE id = ?", case)
            stage.change("INSERT INTO reviews VALUES (?, ?, 'one', 1)", case, verdict)
        await admin.says("/stats")
        told = (await admin.sees("and the doctors, among the last")).text
        assert "they agree in 75% of 4 (95% interval 30%–95%)." in told
        assert "of 4 (30%–95%)" in told.partition("Calibration")[2]

    async def test_the_chart_of_who_is_no_admin_any_more_is_not_drawn(
        self, stage: Stage, admin: User
    ) -> None:
        await stage.agreed(ADMIN + 1)
        stage.change(
            "INSERT INTO staff (telegram_id, role, name, since_at) VALUES (?, 'admin', 'B', 1)",
            ADMIN + 1,
        )
        await stage.sim.fault("sendPhoto", code=502)
        await admin.says("/stats")
        await stage.sim.until(bool, "sendPhoto")
        stage.change("UPDATE staff SET revoked_at = 1 WHERE telegram_id = ?", ADMIN)
        await stage.sim.quiet(1.5)
        assert len(await stage.sim.calls("sendPhoto")) == 1


def listening() -> set[str]:
    """Give the addresses that somebody listens on, as proc(5) writes them."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {line[1] for line in lines if line[3] == "0A"}


class TestMetrics:
    @pytest.fixture
    def mode(self) -> str:
        return "polling"

    @pytest.fixture
    def port(self) -> int:
        return free_port()

    @pytest.fixture
    async def stage(self, off_stage: Stage, port: int) -> Stage:
        await off_stage.start(metrics_port=port)
        return off_stage

    async def scraped(self, port: int) -> dict[tuple[str, ...], float]:
        """Give each value by the name and labels of its metric."""
        async with httpx.AsyncClient() as client:
            response = await client.get(f"http://127.0.0.1:{port}/metrics")
        response.raise_for_status()
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }

    async def test_metrics_tell_scans_queues_messages_jobs_and_models(
        self, stage: Stage, ann: User, port: int
    ) -> None:
        await jobs_ran(stage)
        before = await self.scraped(port)
        assert not [name for name in before if name[0] == "lungbot_scans_total"]
        await ann.sends_photo(xray())
        await ann.hears_photo()
        await ann.sends_photo(xray(NOT_A_CHEST))
        await ann.sees("This does not look like a frontal chest")
        await stage.sim.quiet()
        for _ in range(2):
            found = await self.scraped(port)
            assert found["lungbot_scans_total", "answered"] == 1
            assert found["lungbot_scans_total", "refused"] == 1
            assert found["lungbot_answer_seconds_count",] == 1
        assert found["lungbot_queue", "answer"] == 0 and found["lungbot_queue", "doctor"] == 1
        assert found["lungbot_outbox", "pending"] == 0
        assert found["lungbot_job_last_success_seconds", "backup"] > 1e9
        assert found["lungbot_model_info", "xray", make_model(Modality.XRAY).name] == 1
        assert found["lungbot_intake_paused",] == 0
        assert found["process_resident_memory_bytes",] > 0
        documents = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
        told = tuple(re.findall(r"`(lungbot_\w+)`", documents))
        ours = {name[0] for name in found if name[0].startswith("lungbot_")}
        assert all(name.startswith(told) or name.endswith("_created") for name in ours)
        assert all(any(name.startswith(each) for name in ours) for each in told)

    async def test_metrics_are_only_for_this_machine(
        self, stage: Stage, ann: User, port: int
    ) -> None:
        await self.scraped(port)
        addresses = listening()
        assert f"0100007F:{port:04X}" in addresses
        assert f"00000000:{port:04X}" not in addresses

    async def test_a_port_that_another_program_has_costs_nothing_but_the_metrics(
        self, stage: Stage, ann: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            await stage.restart(metrics_port=taken.getsockname()[1])
            await ann.sends_photo(xray())
            await ann.hears_photo()
        assert "there are no metrics: " in caplog.text

    async def test_a_stop_frees_the_port(self, stage: Stage, ann: User, port: int) -> None:
        await self.scraped(port)
        await stage.restart(metrics_port=port)
        await ann.says("/help")
        await stage.sim.quiet()
        await self.scraped(port)
