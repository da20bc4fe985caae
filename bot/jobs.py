"""The clock: what is done by itself, each time all over and without harm if done twice."""

import asyncio
import logging
from datetime import timedelta

from bot.context import BotApplication, Context
from storage import updates
from storage.backups import prune_backups
from storage.clock import utc_now
from storage.database import BACKUPS
from storage.errors import StorageError

log = logging.getLogger(__name__)

HOURLY = timedelta(hours=1)
SOON = timedelta(seconds=30)
# Telegram keeps an update for a day.
UPDATES_KEPT = timedelta(days=3)


def schedule(application: BotApplication) -> None:
    """Put the jobs on the clock."""
    assert application.job_queue is not None
    application.job_queue.run_repeating(retain, HOURLY, first=SOON)


async def retain(context: Context) -> None:
    """Erase what is older than the retention period, from backups too."""
    settings, storage = context.services.settings, context.storage
    before = utc_now() - settings.retention
    try:
        cases = await storage.expire(before)
        await storage.write(updates.prune, utc_now() - UPDATES_KEPT)
        await asyncio.to_thread(prune_backups, settings.data_dir / BACKUPS, before)
    except StorageError as error:
        log.error("retention failed: %s", type(error).__name__)
        return
    if cases:
        log.info("retention erased %s cases", cases)
