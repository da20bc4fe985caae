"""The one wiring file: settings to storage, classifier, handlers, loops, and back in good order."""

import asyncio
import contextlib
import fcntl
import logging
import shutil
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

from telegram.error import InvalidToken, TelegramError
from telegram.ext import ExtBot

from bot import deliveries, jobs, menus
from bot.application import build, make_bot
from bot.builders import BUILDERS
from bot.context import BotApplication, Services
from bot.outbox import Outbox
from bot.receive import listen, poll
from bot.settings import Settings
from bot.wake import Wake
from bot.worker import SIDE_BY_SIDE, Worker
from classifier.classifier import Classifier
from classifier.model import load_installed
from classifier.reading.isolated import IsolatedReader
from storage import Storage, staff

log = logging.getLogger(__name__)

UNREACHABLE_SECONDS = 5.0


class AlreadyRunning(Exception):
    """Another bot uses this data dir."""


async def run(settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Run the bot until it is told to stop; raises AlreadyRunning, StorageError, BrokenModel."""
    stop = stop or asyncio.Event()
    with _only_one(settings.data_dir), _signals(stop), IsolatedReader() as reader:
        # The reader's children start while the model loads.
        models = await asyncio.to_thread(load_installed, url=settings.classifier_url)
        async with _services(settings) as services, Classifier(reader, models) as classifier:
            bot = make_bot(settings)
            application = build(bot, services)
            if await _introduced(application, stop):
                async with _started(application):
                    await _serve(application, bot, services, classifier, stop)


async def _serve(
    application: BotApplication,
    bot: ExtBot[None],
    services: Services,
    classifier: Classifier,
    stop: asyncio.Event,
) -> None:
    """Run all loops; the first that breaks, or the wish to stop, ends them in order."""
    settings = services.settings
    outbox = Outbox(bot, services, BUILDERS)
    workers = [Worker(f"worker-{n}", bot, services, classifier) for n in range(SIDE_BY_SIDE)]
    jobs.schedule(application)
    incoming = listen(application, settings) if settings.webhook_url else poll(application)
    # In the order in which they end: no more updates, then no more work, then no more words.
    stages: list[list[Coroutine[Any, Any, None]]] = [
        [incoming, menus.publish(bot, services)],
        [worker.run() for worker in workers],
        [outbox.run()],
    ]
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
        for stage_tasks in tasks:
            for task in stage_tasks:
                task.cancel()
            await asyncio.wait(stage_tasks, timeout=5)
        log.info("stopped")


@contextlib.asynccontextmanager
async def _services(settings: Settings) -> AsyncIterator[Services]:
    # A process that was killed may have left what patients sent.
    await asyncio.to_thread(shutil.rmtree, settings.incoming, ignore_errors=True)
    await asyncio.to_thread(settings.incoming.mkdir, mode=0o700)
    key = settings.image_key.get_secret_value() if settings.image_key else None
    async with await Storage.open(settings.data_dir, image_key=key) as storage:
        found = await storage.recover()
        services = Services(settings, storage, Wake())
        await storage.write(staff.seed_admins, settings.admin_ids)
        await services.roles.load(storage)
        await storage.write(deliveries.report_doubtful, services)
        log.info("database open; left behind: %s", found)
        yield services


async def _introduced(application: BotApplication, stop: asyncio.Event) -> bool:
    """Ask Telegram who this bot is until it answers; False if told to stop meanwhile."""
    while not stop.is_set():
        try:
            await application.initialize()
        except InvalidToken:
            raise
        except TelegramError as error:
            log.warning("Telegram cannot be reached (%s); trying again", type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), UNREACHABLE_SECONDS)
        else:
            return True
    return False


@contextlib.asynccontextmanager
async def _started(application: BotApplication) -> AsyncIterator[None]:
    """Start the clock, and let go of everything in the end."""
    await application.start()
    try:
        yield
    finally:
        await application.stop()
        await application.shutdown()


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data dir's lock; the kernel lets go of it however this process ends."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(f"another bot uses {data_dir}") from None
        yield


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT)
    for number in wanted:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)
