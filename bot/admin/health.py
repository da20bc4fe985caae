"""Is everything well? What `run_bot.py check` says, and how the running bot does."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from babel.dates import format_timedelta
from telegram import Update

from bot import __version__
from bot.check import Check, check_with
from bot.context import Context, Services
from bot.jobs import JOBS
from bot.replies import Acting, reply_as
from bot.say import say
from bot.texts.catalogue import Texts
from bot.upkeep import free_megabytes
from storage import jobs, pause, queues, reviews
from storage.clock import utc_now
from storage.jobs import WELL, JobRun
from storage.pause import Pause
from storage.queues import Queues
from storage.reviews import Waiting
from storage.staff import Role
from storage.transaction import Tx


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in the database."""

    queues: Queues
    reviews: Waiting
    runs: dict[str, JobRun]
    pause: Pause | None


async def show(update: Update, context: Context) -> None:
    """Look at everything and tell; no other update waits for a machine that does not answer."""
    context.application.create_task(_tell(update, context), update)


async def _tell(update: Update, context: Context) -> None:
    services = context.services
    settings = services.settings
    looked = await context.storage.read(_look, services)
    used = services.models.active.models
    checks = await check_with(settings, lambda: used, context.bot.get_me)
    free = await asyncio.to_thread(free_megabytes, settings.data_dir)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        parts = _parts(services, acting.texts, looked, checks, free)
        say(tx, key, acting.chat, "\n\n".join("\n".join(lines) for lines in parts))

    await reply_as(Role.ADMIN, update, context, reply)


def _look(tx: Tx, services: Services) -> Looked:
    waiting = reviews.waiting(tx, services.settings.service_level)
    return Looked(queues.look(tx), waiting, jobs.runs(tx), pause.current(tx))


def _parts(
    services: Services, texts: Texts, looked: Looked, checks: Sequence[Check], free: int
) -> Iterator[list[str]]:
    up = _span(texts, utc_now() - services.started_at)
    yield [texts("health.title", version=__version__, up=up)]
    yield [_check(texts, each) for each in checks] + _models(texts, services)
    yield [_intake(texts, looked.pause), *_waiting(texts, looked), texts("health.disk", free=free)]
    yield [texts("health.jobs"), *(_job(texts, job.name, looked.runs) for job in JOBS)]


def _check(texts: Texts, check: Check) -> str:
    name = texts(f"check.{check.name.replace(' ', '_').lower()}")
    if check.mend:
        return texts("health.broken", name=name, mend=escape(check.mend))
    return texts("health.well", name=name)


def _models(texts: Texts, services: Services) -> list[str]:
    used = {"active": services.models.active, "shadow": services.models.candidates}
    return [
        texts(f"health.model.{part}", model=escape(model.name))
        for part, classifier in used.items()
        for model in classifier.models.values()
    ]


def _intake(texts: Texts, resting: Pause | None) -> str:
    if resting is None:
        return texts("health.open")
    return texts("health.paused", ago=_ago(texts, resting.since_at))


def _waiting(texts: Texts, looked: Looked) -> Iterator[str]:
    for sentence, count, since in (
        ("health.cases", looked.queues.cases.length, looked.queues.cases.since),
        ("health.reviews", looked.reviews.count, looked.reviews.since),
    ):
        oldest = texts("health.oldest", ago=_ago(texts, since)) if since else ""
        yield texts(sentence, count=count) + oldest
    counts = {state.value: queue.length for state, queue in looked.queues.outbox.items()}
    yield texts("health.outbox", **counts)


def _job(texts: Texts, name: str, runs: dict[str, JobRun]) -> str:
    run, title = runs.get(name), texts(f"job.{name}")
    if run is None:
        return texts("health.job_never", name=title)
    ago = _ago(texts, run.ran_at)
    if run.outcome == WELL:
        return texts("health.job_well", name=title, ago=ago)
    return texts("health.job_failed", name=title, ago=ago, error=escape(run.outcome))


def _ago(texts: Texts, since: datetime) -> str:
    return _span(texts, utc_now() - since)


def _span(texts: Texts, time: timedelta) -> str:
    return format_timedelta(time, locale=texts.language.value)
