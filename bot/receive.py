"""Updates in, here by polling: none is confirmed to Telegram before it is written down."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from telegram import Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError
from telegram.ext import ExtBot

from bot.connection import pause_asked, updates_from
from bot.context import BotApplication

log = logging.getLogger(__name__)

WANTED = (Update.MESSAGE, Update.CALLBACK_QUERY, Update.MY_CHAT_MEMBER)
POLL_SECONDS = 25
FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0


async def poll(application: BotApplication) -> None:
    """Fetch updates until cancelled; the next fetch confirms only what was handled."""
    bot, offset, wait = application.bot, None, FIRST_WAIT
    await insist(bot.delete_webhook)
    while True:
        try:
            found = await updates_from(bot, offset, POLL_SECONDS, WANTED)
        except InvalidToken:
            raise
        except (TelegramError, KeyError) as error:
            # A KeyError is an answer without a result.
            if isinstance(error, Conflict):
                log.error("another program fetches this bot's updates")
            wait = min(wait * 2, LONGEST_WAIT)
            asked = pause_asked(error).total_seconds() if isinstance(error, RetryAfter) else wait
            await asyncio.sleep(asked)
            continue
        wait = FIRST_WAIT
        failed = await handle(
            application, [update for each in found if (update := read(each, bot))]
        )
        first = min(failed, default=float("inf"))
        confirmed = [each["update_id"] for each in found if each["update_id"] < first]
        offset = max(confirmed) + 1 if confirmed else offset
        if len(confirmed) < len(found):
            await asyncio.sleep(wait)


def read(given: dict[str, Any], bot: ExtBot[None]) -> Update | None:
    """Read an update; None for one that cannot be read, or is of a kind that nobody asked for.

    Such as an edited message, which is no new one.
    """
    try:
        update = Update.de_json(given, bot)
        return update if any(getattr(update, kind) for kind in WANTED) else None
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        log.error("an update that cannot be read is passed over (%s)", type(error).__name__)
        return None


async def insist(
    call: Callable[[], Awaitable[object]],
    hopeless: tuple[type[TelegramError], ...] = (InvalidToken,),
) -> None:
    """Ask Telegram until it has done it; raises what is `hopeless`."""
    wait = FIRST_WAIT
    while True:
        try:
            await call()
            return
        except hopeless:
            raise
        except TelegramError as error:
            # Its text is Telegram's word on our address or secret, and no person's.
            log.warning("Telegram did not take it (%s); trying again", error.message)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)


async def handle(application: BotApplication, updates: Sequence[Update]) -> set[float]:
    """Handle updates, those of one person in order; give the ids of those not written down."""
    by_person: dict[int, list[Update]] = {}
    for update in updates:
        who = update.effective_user.id if update.effective_user else 0
        by_person.setdefault(who, []).append(update)

    async def one_by_one(theirs: list[Update]) -> None:
        for index, update in enumerate(theirs):
            await application.process_update(update)
            if application.has_failed(update.update_id):
                # What came after it must not overtake it.
                for later in theirs[index + 1 :]:
                    application.mark_failed(later.update_id)
                return

    await asyncio.gather(*map(one_by_one, by_person.values()))
    return application.take_failed({update.update_id for update in updates})
