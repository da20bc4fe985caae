"""A webhook's receiver."""

import asyncio
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Listener:
    """Takes updates, after failing `failures` times."""

    def __init__(self) -> None:
        app = Starlette(routes=[Route("/", self._take, methods=["POST"])])
        config = uvicorn.Config(app, port=0, lifespan="off", log_config=None)
        config.timeout_graceful_shutdown = 1
        self._server = uvicorn.Server(config)
        self.texts: list[str] = []
        self.secrets: list[str] = []
        self.failures = 0
        self._came = asyncio.Event()
        self.url = ""

    async def __aenter__(self) -> Self:
        config = self._server.config
        if not config.loaded:
            config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup()
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        self._task = asyncio.create_task(self._server.main_loop())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        await self._task
        await self._server.shutdown()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.texts) < count:
                await self._came.wait()
                self._came.clear()

    async def _take(self, request: Request) -> Response:
        if self.failures:
            self.failures -= 1
            return Response(status_code=500)
        self.texts.append((await request.json())["message"]["text"])
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token", ""))
        self._came.set()
        return Response()
