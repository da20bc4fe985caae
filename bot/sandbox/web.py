"""The web page, its live events and its pictures."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.sandbox import people
from bot.sandbox.errors import ApiError, Json, bad_request
from bot.sandbox.messages import Log
from bot.sandbox.world import World

PAGE = Path(__file__).with_name("page")
# A comment this often keeps the stream open and tells of watchers that left.
HEARTBEAT = 15.0
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Web:
    """What the browser loads."""

    def __init__(self, world: World, qr: Callable[[], bytes] | None) -> None:
        self._world = world
        self._qr = qr
        self._queues: set[asyncio.Queue[Json]] = set()

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/", _page("page.html")),
            Route("/page.css", _page("page.css")),
            *(Route(f"/{path.name}", _page(path.name)) for path in sorted(PAGE.glob("*.js"))),
            Route("/sim/stream", self.stream),
            Route("/sim/files/{file_id}", self.file),
            Route("/sim/qr", self.qr),
        ]

    def close(self) -> None:
        """End the streams."""
        for queue in self._queues:
            queue.put_nowait({"event": "closed"})

    async def stream(self, request: Request) -> Response:
        """Send the events of `chats` as they happen, as server-sent events."""
        try:
            logs = [
                people.chat_at(self._world, number).log
                for number in request.query_params.get("chats", "").split(",")
            ]
        except ApiError as error:
            return error.as_response()
        return StreamingResponse(
            self._events(logs), media_type="text/event-stream", headers=_HEADERS
        )

    async def _events(self, logs: list[Log]) -> AsyncIterator[str]:
        queue: asyncio.Queue[Json] = asyncio.Queue()
        self._queues.add(queue)
        for log in logs:
            log.watch(queue)
        try:
            event: Json = {"event": "hello"}
            while event["event"] != "closed":
                yield f"data: {json.dumps(event)}\n\n"
                event = await _next(queue)
                if event["event"] == "reset":
                    break
        finally:
            self._queues.discard(queue)
            for log in logs:
                log.unwatch(queue)

    async def file(self, request: Request) -> Response:
        """Show a photo, or hand out a document."""
        file = self._world.files.find(request.path_params["file_id"])
        if file is None:
            return bad_request("there is no such file").as_response()
        try:
            content = await asyncio.to_thread(self._world.files.content, file)
        except ApiError as error:
            return error.as_response()
        if file.side:
            return Response(content, media_type="image/jpeg", headers=_HEADERS)
        saved = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}"}
        kind = "application/octet-stream"
        return Response(content, media_type=kind, headers=_HEADERS | saved)

    async def qr(self, request: Request) -> Response:
        """Show the QR code of the bot's deep link, where the caller gave one."""
        if self._qr is None:
            return ApiError(404, "Not Found").as_response()
        image = await asyncio.to_thread(self._qr)
        kind = "image/png" if image.startswith(b"\x89PNG") else "image/svg+xml"
        return Response(image, media_type=kind, headers=_HEADERS)


async def _next(queue: "asyncio.Queue[Json]") -> Json:
    """Return the next event, or a heartbeat."""
    try:
        return await asyncio.wait_for(queue.get(), HEARTBEAT)
    except TimeoutError:
        return {"event": "beat"}


def _page(name: str) -> Callable[[Request], Response]:
    def show(request: Request) -> Response:
        return FileResponse(PAGE / name, headers=_HEADERS)

    return show
