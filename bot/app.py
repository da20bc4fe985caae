"""The one wiring file: settings to storage, classifier, handlers, loops, and back in good order."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from datetime import datetime
from typing import Any

from telegram.ext import ExtBot

from bot import broadcasting, deliveries, jobs, memory, menus
from bot.admin import export, model_choice
from bot.application import build
from bot.builders import BUILDERS
from bot.connection import make_bot
from bot.context import BotApplication, Services
from bot.doctor import verdicts
from bot.errors import report
from bot.lock import only_one
from bot.models import Models
from bot.networks import Networks
from bot.outbox import Outbox
from bot.receive import insist, poll
from bot.sending import Messenger
from bot.settings import Settings
from bot.shadow import Shadow
from bot.wake import Wake
from bot.worker import SIDE_BY_SIDE, Worker
from classifier.classifier import Classifier
from classifier.model import MODELS
from classifier.reading.isolated import IsolatedReader
from storage import Storage, ahead, staff

log = logging.getLogger(__name__)

# By then, from the wish to stop, each stage has ended or is left: what it holds goes on after the
# next start. What was being sent then is in doubt, as after a crash.
STAGES_END_BY = (1.0, 2.0, 3.5)
ASIDE_SECONDS = 0.5
# By then the process ends whatever hangs, such as a thread that waits for another machine.
END_SECONDS = 4.5


async def run(
    settings: Settings,
    reader: IsolatedReader,
    networks: Networks,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the bot until it is told to stop; raises AlreadyRunning, StorageError, BrokenModel."""
    stop = stop or asyncio.Event()
    with only_one(settings.data_dir), _signals(stop):
        models, gate, bot = await asyncio.gather(
            asyncio.wrap_future(networks.models),
            asyncio.wrap_future(networks.gate),
            asyncio.to_thread(make_bot, settings),
        )
        async with (
            Classifier(reader, models, gate) as active,
            Classifier(reader, {}, gate) as candidates,
            _services(settings, active, candidates) as services,
        ):
            application = build(bot, services)
            if await _introduced(application, stop):
                async with _started(application):
                    await _serve(application, bot, services, stop)


async def _serve(
    application: BotApplication,
    bot: ExtBot[None],
    services: Services,
    stop: asyncio.Event,
) -> None:
    """Run all loops; the first that breaks, or the wish to stop, ends them in order."""
    jobs.schedule(application)
    stages = _stages(application, bot, services)
    tasks = [[asyncio.create_task(loop) for loop in stage] for stage in stages]
    endless = [tasks[0][0], *tasks[1], *tasks[2]]
    stopping = asyncio.create_task(stop.wait())
    log.info("ready")
    try:
        done, _ = await asyncio.wait([stopping, *endless], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        stopping.cancel()
        await _end(tasks)
        log.info("stopped")


def _stages(
    application: BotApplication, bot: ExtBot[None], services: Services
) -> list[list[Coroutine[Any, Any, None]]]:
    """Give the loops in the order in which they end: first updates, then work, then words."""
    shadow, kept_since = Shadow(services), dict[int, datetime]()
    workers = [
        Worker(f"worker-{n}", bot, services, shadow, kept_since) for n in range(SIDE_BY_SIDE)
    ]
    return [
        [
            _incoming(application, services.settings),
            _aside(services, menus.publish(bot, services), "the menus"),
            _aside(services, _metrics(services), "the metrics"),
            memory.keep_small(),
        ],
        [
            *(worker.run() for worker in workers),
            shadow.run(),
            verdicts.settle_forever(services),
            broadcasting.feed(services),
        ],
        [Outbox(Messenger(bot, services, BUILDERS), services).run()],
    ]


async def _end(tasks: list[list[asyncio.Task[None]]]) -> None:
    """End stage after stage, each within its time."""
    begun = time.monotonic()
    for stage, seconds in zip(tasks, STAGES_END_BY, strict=True):
        for task in stage:
            task.cancel()
        left = begun + seconds - time.monotonic()
        await asyncio.wait(stage, timeout=max(left, 0))


async def _aside(services: Services, work: Coroutine[Any, Any, None], doing: str) -> None:
    """Do what nobody's answer waits for; that it failed is told, and ends nothing else."""
    try:
        await work
    except Exception as error:
        await report(services, error, doing)


# What serves HTTP is imported only where it is wanted: most starts need none of it.


async def _incoming(application: BotApplication, settings: Settings) -> None:
    if not settings.webhook_url:
        await poll(application)
        return
    from bot.webhook import listen

    await listen(application, settings)


async def _metrics(services: Services) -> None:
    if services.settings.metrics_port:
        from bot import metrics

        await metrics.serve(services)


@contextlib.asynccontextmanager
async def _services(
    settings: Settings, active: Classifier, candidates: Classifier
) -> AsyncIterator[Services]:
    # A process that was killed may have left what patients sent.
    await asyncio.to_thread(shutil.rmtree, settings.incoming, ignore_errors=True)
    await asyncio.to_thread(settings.incoming.mkdir, mode=0o700)
    await asyncio.to_thread(export.clear, settings.export_dir)
    opened = await Storage.open(settings.data_dir, image_key=settings.pictures_key)
    async with opened as storage:
        await storage.images.check_key()
        found = await storage.recover()
        await _put_clock_right(storage, settings)
        places = (MODELS, settings.models)
        models = Models(storage, active, candidates, places, settings.classifier_url)
        services = Services(settings, storage, Wake(), models)
        await storage.write(staff.seed_admins, settings.admin_ids)
        await services.roles.load(storage)
        await model_choice.begin(services)
        await storage.write(deliveries.report_doubtful, services)
        log.info("database open; left behind: %s", found)
        yield services


async def _put_clock_right(storage: Storage, settings: Settings) -> None:
    if late := await storage.write(ahead.put_right, settings.lease, settings.undo):
        log.warning("the clock was ahead before: %s times to come were moved nearer", late)


async def _introduced(application: BotApplication, stop: asyncio.Event) -> bool:
    """Ask Telegram who this bot is until it answers; False if told to stop meanwhile."""
    asking = asyncio.create_task(insist(application.initialize))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([asking, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not asking.done():
        asking.cancel()
        return False
    asking.result()
    return True


@contextlib.asynccontextmanager
async def _started(application: BotApplication) -> AsyncIterator[None]:
    """Start the clock, and let go of everything in the end."""
    await application.start()
    try:
        yield
    finally:
        # What was begun beside the handlers, and jobs, are done again where they matter.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ASIDE_SECONDS):
                await application.stop()
        await application.shutdown()


def _end_now() -> None:
    log.warning("ended without waiting for what hangs")
    os._exit(0)


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT)

    def end() -> None:
        stop.set()
        last = threading.Timer(END_SECONDS, _end_now)
        last.daemon = True
        last.start()

    for number in wanted:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)
