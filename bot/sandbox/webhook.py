"""Updates delivered by POST, one after the other, until each is accepted."""

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from bot.sandbox.clock import Clock
from bot.sandbox.errors import Json, bad_request
from bot.sandbox.updates import Updates

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# Seconds until the next try; the last one repeats.
PAUSES = (0.1, 0.2, 0.5, 1.0)
ANSWER_WITHIN = 60
_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")


@dataclass(slots=True)
class _Target:
    url: str = ""
    secret: str = ""
    connections: int = 40
    last_error_at: int = 0
    last_error: str = ""


class Webhook:
    """Where updates go when the bot does not ask for them."""

    def __init__(self, updates: Updates, clock: Clock) -> None:
        self._updates = updates
        self._clock = clock
        self._target = _Target()
        self._task: asyncio.Task[None] | None = None

    async def set(self, url: str, secret: str, connections: int) -> None:
        """Deliver there from now on; an empty address ends it."""
        if url:
            _check(url)
        if not _SECRET.fullmatch(secret):
            raise bad_request("secret token contains unallowed characters")
        await self.stop()
        self._target = _Target(url, secret, connections)
        self._updates.webhook_active = bool(url)
        if url:
            self._updates.stop_polls()
            self._task = asyncio.create_task(self._deliver(self._target))

    async def stop(self) -> None:
        """End the deliveries."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def info(self) -> Json:
        """Answer getWebhookInfo."""
        target = self._target
        body: Json = {
            "url": target.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates),
        }
        if target.url:
            body["max_connections"] = target.connections
        if self._updates.allowed:
            body["allowed_updates"] = self._updates.allowed
        if target.last_error_at:
            body["last_error_date"] = target.last_error_at
            body["last_error_message"] = target.last_error
        return body

    async def _deliver(self, target: _Target) -> None:
        headers = {SECRET_HEADER: target.secret} if target.secret else {}
        # Nothing but this machine is reached, so a self-made certificate is good enough.
        async with httpx.AsyncClient(verify=False, timeout=ANSWER_WITHIN, trust_env=False) as http:
            failures = 0
            while True:
                update = await self._updates.first()
                problem = await _post(http, target.url, update, headers)
                if problem is None:
                    failures = 0
                    self._updates.confirm(update["update_id"] + 1)
                    continue
                target.last_error, target.last_error_at = problem, int(self._clock.now())
                await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise bad_request("bad webhook: invalid webhook URL specified") from None
    if parts.scheme not in ("http", "https"):
        raise bad_request("bad webhook: an HTTP or HTTPS URL must be provided for webhook")
    if host not in LOOPBACK:
        raise bad_request("bad webhook: the sandbox delivers to this machine only")


async def _post(
    http: httpx.AsyncClient, url: str, update: Json, headers: dict[str, str]
) -> str | None:
    """Return what went wrong, or None."""
    try:
        answer = await http.post(url, json=update, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"Connection failed: {type(error).__name__}"
    if answer.is_success:
        return None
    return f"Wrong response from the webhook: {answer.status_code} {answer.reason_phrase}"
