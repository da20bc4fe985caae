"""Metrics for Prometheus: what the database tells, looked up when they are asked for."""

import asyncio
import logging
from datetime import datetime

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.context import Services
from bot.loopback import serving
from bot.upkeep import free_megabytes
from storage import jobs, pause, queues, reviews, statistics
from storage.cases import CaseState
from storage.clock import utc_now
from storage.jobs import JobRun
from storage.queues import Queues
from storage.reviews import Waiting
from storage.statistics import Ended
from storage.transaction import Tx

log = logging.getLogger(__name__)

PATH = "/metrics"
SECONDS = (0.5, 1, 2, 3, 5, 10, 20, 30, 60, 300, 1800)


class Metrics:
    """Counts on from the newest event at the start, as counters of a process do."""

    def __init__(self, services: Services, newest_event: int) -> None:
        self._services = services
        self._seen = newest_event
        self._one_at_a_time = asyncio.Lock()
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._scans = Counter(
            "lungbot_scans", "Pictures by how they ended", ["outcome"], registry=registry
        )
        self._seconds = Histogram(
            "lungbot_answer_seconds",
            "From a picture to its answer",
            buckets=SECONDS,
            registry=registry,
        )
        self._queue = self._gauge("queue", "Pictures and cases that wait", "for")
        self._oldest = self._gauge("oldest_seconds", "How long the oldest of them waits", "for")
        self._outbox = self._gauge("outbox", "Messages that are not sent", "state")
        self._job = self._gauge("job_last_success_seconds", "When a job last went well", "job")
        self._model = self._gauge("model_info", "The models in use", "modality", "model")
        self._paused = self._gauge("intake_paused", "1 while no picture is taken in")
        self._free = self._gauge("disk_free_bytes", "Room on the disk of the data dir")

    async def text(self) -> bytes:
        """Look everything up and write it down as Prometheus reads it."""
        async with self._one_at_a_time:
            self._take(*await self._services.storage.read(self._look))
            folder = self._services.settings.data_dir
            self._free.set(await asyncio.to_thread(free_megabytes, folder) * 1024 * 1024)
            return generate_latest(self._registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"lungbot_{name}", what, labels, registry=self._registry)

    def _look(self, tx: Tx) -> tuple[list[Ended], Queues, Waiting, dict[str, JobRun], bool]:
        return (
            statistics.ended(tx, self._seen),
            queues.look(tx),
            reviews.waiting(tx, self._services.settings.service_level),
            jobs.runs(tx),
            pause.current(tx) is not None,
        )

    def _take(
        self,
        ended: list[Ended],
        found: Queues,
        waiting: Waiting,
        runs: dict[str, JobRun],
        paused: bool,
    ) -> None:
        for each in ended:
            self._seen = each.id
            self._scans.labels(each.outcome).inc()
            if each.outcome == CaseState.ANSWERED:
                self._seconds.observe(each.after.total_seconds())
        self._queue.labels("answer").set(found.cases.length)
        self._queue.labels("doctor").set(waiting.count)
        self._oldest.labels("answer").set(_age(found.cases.since))
        self._oldest.labels("doctor").set(_age(waiting.since))
        for state, queue in found.outbox.items():
            self._outbox.labels(state).set(queue.length)
        for run in runs.values():
            if run.well_at is not None:
                self._job.labels(run.name).set(run.well_at.timestamp())
        self._model.clear()
        for modality, model in self._services.models.active.models.items():
            self._model.labels(modality, model.name).set(1)
        self._paused.set(paused)


async def serve(services: Services) -> None:
    """Answer Prometheus until cancelled."""
    port = services.settings.metrics_port
    newest = await services.storage.read(statistics.newest_event)
    metrics = Metrics(services, newest)

    async def answer(request: Request) -> Response:
        return Response(await metrics.text(), media_type=CONTENT_TYPE_LATEST)

    try:
        async with serving(Starlette(routes=[Route(PATH, answer)]), port) as server:
            await asyncio.shield(server)
    except OSError as error:
        # No patient needs them.
        log.error("there are no metrics: %s", error)


def _age(since: datetime | None) -> float:
    return (utc_now() - since).total_seconds() if since else 0.0
