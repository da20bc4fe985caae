"""Who may talk to the sandbox: this machine, and pages that came from it."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.sandbox.errors import ApiError
from bot.sandbox.webhook import LOOPBACK


class Guard:
    """Refuses other hosts (a name that was rebound) and other origins (a foreign page)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed."""
        if scope["type"] == "http" and not _is_ours(Headers(scope=scope)):
            refusal = ApiError(403, "Forbidden: this machine only")
            await refusal.as_response()(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_ours(headers: Headers) -> bool:
    host, origin = headers.get("host", ""), headers.get("origin")
    try:
        if urlsplit(f"//{host}").hostname not in LOOPBACK:
            return False
    except ValueError:
        return False
    return origin is None or origin == f"http://{host}"
