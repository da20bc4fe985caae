"""The clock: what is done by itself and how often; each run is kept, so none is missed for good."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import upkeep
from bot.context import BotApplication, Context, Services
from bot.doctor import digest, leases
from bot.errors import report
from storage import jobs
from storage.clock import utc_now
from storage.errors import StorageError
from storage.jobs import WELL, JobRun

# How often the clock looks what is due, and when first.
TICK = timedelta(seconds=15)
SOON = timedelta(seconds=30)
AGAIN_AFTER_FAILURE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Job:
    """Something done by itself; a second run at once must do no harm."""

    name: str
    every: timedelta
    run: Callable[[Services], Awaitable[None]]

    def is_due(self, last: JobRun | None, now: datetime) -> bool:
        """Tell whether its time has come since its last run."""
        # A run still to come is one of a clock that was wrong and has been put back.
        if last is None or last.ran_at > now:
            return True
        failed = last.outcome != WELL
        return last.ran_at + (min(self.every, AGAIN_AFTER_FAILURE) if failed else self.every) <= now


JOBS = (
    Job("leases", timedelta(seconds=30), leases.expire_leases),
    Job("digest", timedelta(minutes=5), digest.send_digests),
    Job("reminders", timedelta(minutes=5), digest.send_reminders),
    Job("retention", timedelta(hours=1), upkeep.retain),
    Job("backup", timedelta(days=1), upkeep.back_up),
    Job("disk", timedelta(minutes=5), upkeep.watch_disk),
    Job("stuck", timedelta(minutes=1), upkeep.find_stuck),
)


def schedule(application: BotApplication) -> None:
    """Put the clock on; it asks the table, so that what it missed while off is done once."""
    assert application.job_queue is not None
    application.job_queue.run_repeating(tick, TICK, first=SOON)


async def tick(context: Context) -> None:
    """Do what is due, one after the other."""
    services = context.services
    runs = await services.storage.read(jobs.runs)
    for job in JOBS:
        if job.is_due(runs.get(job.name), utc_now()):
            await _run(services, job)


async def _run(services: Services, job: Job) -> None:
    outcome = WELL
    try:
        await job.run(services)
    except Exception as error:
        outcome = type(error).__name__
        await report(services, error, f"job {job.name}")
    with suppress(StorageError):
        await services.storage.write(jobs.ran, job.name, outcome)
    services.wake.all()
