"""Updates in, by polling or webhook: none is confirmed to Telegram before it is written down."""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from telegram import Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bot.connection import pause_asked
from bot.context import BotApplication
from bot.loopback import serving
from bot.settings import Settings

log = logging.getLogger(__name__)

WANTED = (Update.MESSAGE, Update.CALLBACK_QUERY, Update.MY_CHAT_MEMBER)
POLL_SECONDS = 25
FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
HOOK_PATH = "/telegram"
LARGEST_UPDATE = 1024 * 1024


async def poll(application: BotApplication) -> None:
    """Fetch updates until cancelled; the next fetch confirms only what was handled."""
    bot, offset, wait = application.bot, None, FIRST_WAIT
    await insist(bot.delete_webhook)
    while True:
        try:
            updates = await bot.get_updates(
                offset=offset, timeout=POLL_SECONDS, allowed_updates=WANTED
            )
        except InvalidToken:
            raise
        except TelegramError as error:
            if isinstance(error, Conflict):
                log.error("another program fetches this bot's updates")
            wait = min(wait * 2, LONGEST_WAIT)
            asked = pause_asked(error).total_seconds() if isinstance(error, RetryAfter) else wait
            await asyncio.sleep(asked)
            continue
        wait = FIRST_WAIT
        failed = await handle(application, updates)
        first = min(failed, default=float("inf"))
        confirmed = [update.update_id for update in updates if update.update_id < first]
        offset = max(confirmed) + 1 if confirmed else offset
        if len(confirmed) < len(updates):
            await asyncio.sleep(wait)


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
        for update in theirs:
            await application.process_update(update)

    await asyncio.gather(*map(one_by_one, by_person.values()))
    return application.take_failed({update.update_id for update in updates})


async def listen(application: BotApplication, settings: Settings) -> None:
    """Serve the webhook until cancelled; an update that was not written down is asked for again."""
    assert settings.webhook_secret is not None
    secret = settings.webhook_secret.get_secret_value()
    # Forgotten with the last update that waits for it.
    one_at_a_time: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def take(request: Request) -> Response:
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            return Response(status_code=403)
        if int(request.headers.get("Content-Length", LARGEST_UPDATE + 1)) > LARGEST_UPDATE:
            return Response(status_code=413)
        body = await request.body()
        try:
            update = Update.de_json(json.loads(body), application.bot)
        except (ValueError, TypeError, KeyError):
            return Response(status_code=400)
        who = update.effective_user.id if update.effective_user else 0
        lock = one_at_a_time.setdefault(who, asyncio.Lock())
        async with lock:
            failed = await handle(application, [update])
        return Response(status_code=500 if update.update_id in failed else 200)

    app = Starlette(routes=[Route(HOOK_PATH, take, methods=["POST"])])
    async with serving(app, settings.webhook_port) as server:
        await insist(
            lambda: application.bot.set_webhook(
                settings.webhook_url.rstrip("/") + HOOK_PATH,
                secret_token=secret,
                allowed_updates=WANTED,
                max_connections=20,
            )
        )
        await asyncio.shield(server)
