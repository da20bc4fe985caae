"""Updates in by webhook: one that was not written down is asked for again."""

import asyncio
import hmac
import json
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.context import BotApplication
from bot.loopback import serving
from bot.receive import WANTED, handle, insist, read
from bot.settings import Settings

HOOK_PATH = "/telegram"
LARGEST_UPDATE = 1024 * 1024


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
            update = read(json.loads(body), application.bot)
        except ValueError:
            return Response(status_code=400)
        if update is None:
            return Response()
        who = update.effective_user.id if update.effective_user else 0
        lock = one_at_a_time.setdefault(who, asyncio.Lock())
        async with lock:
            failed = await handle(application, [update])
        return Response(status_code=500 if update.update_id in failed else 200)

    url = settings.webhook_url.rstrip("/") + HOOK_PATH
    # A proxy in front may cut the path off, or not.
    paths = {HOOK_PATH, urlsplit(url).path}
    app = Starlette(routes=[Route(path, take, methods=["POST"]) for path in paths])
    async with serving(app, settings.webhook_port) as server:
        await insist(
            lambda: application.bot.set_webhook(
                url,
                secret_token=secret,
                allowed_updates=WANTED,
                max_connections=20,
            )
        )
        await asyncio.shield(server)
