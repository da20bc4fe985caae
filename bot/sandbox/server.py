"""The sandbox as a server on this machine: in a test's event loop, or for `run_bot.py try`."""

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bot.sandbox.api import Api
from bot.sandbox.control import Control
from bot.sandbox.errors import ApiError
from bot.sandbox.guard import Guard
from bot.sandbox.messages import User
from bot.sandbox.personas import PERSONAS, Persona
from bot.sandbox.web import Web
from bot.sandbox.world import World

HOST = "127.0.0.1"
BOT_ID = 4_200_000_000
# Seconds that open connections get to end.
GRACE = 1
Picture = Callable[[], bytes]


class Sandbox:
    """A local Telegram; an async context manager. All state is in memory."""

    def __init__(
        self,
        *,
        port: int = 0,
        token: str = "",
        username: str = "lung_scan_bot",
        name: str = "Lung scan",
        qr: Picture | None = None,
        personas: tuple[Persona, ...] = PERSONAS,
        local_files: Path | None = None,
    ) -> None:
        """Serve on `port` (0: any free one); `qr` draws the deep link's QR code, PNG or SVG.

        With `local_files` it is a local Bot API server: getFile lays files down in that folder.
        """
        self.token = token or f"{BOT_ID}:{secrets.token_urlsafe(24)}"
        number = int(self.token.partition(":")[0])
        bot = User(id=number, first_name=name, username=username, is_bot=True, started=True)
        self.world = World(bot, personas, local_files)
        self._web = Web(self.world, qr)
        self._port = port
        routes = [*Api(self.world, self.token).routes(), *Control(self.world).routes()]
        handlers = {HTTPException: _refuse}
        app = Guard(Starlette(routes=routes + self._web.routes(), exception_handlers=handlers))
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level=logging.CRITICAL,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=GRACE,
                timeout_keep_alive=75,
            )
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Return the base of all addresses; also what `client.Sim` takes."""
        return f"http://{HOST}:{self._port}"

    @property
    def api_url(self) -> str:
        """Return the base of the Bot API; `/bot<token>/<method>` is appended."""
        return self.url

    @property
    def file_url(self) -> str:
        """Return the base of downloads; `/file/bot<token>/<path>` is appended."""
        return self.url

    @property
    def page_url(self) -> str:
        """Return the address of the web page."""
        return f"{self.url}/"

    async def __aenter__(self) -> Self:
        """Open the port and serve."""
        # asyncio turns Nagle's 40 ms off only where the protocol is named.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, self._port))
        except OSError as error:
            listener.close()
            raise OSError(f"port {self._port}: {error.strerror}") from None
        self._port = listener.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End what waits, and stop."""
        await self.world.webhook.stop()
        self.world.updates.stop_polls(closed=True)
        self._web.close()
        self._server.leaving.set()
        if self._task is not None:
            await self._task


async def _refuse(request: Request, error: Exception) -> Response:
    """Say in the Bot API's way what Starlette refused by itself."""
    assert isinstance(error, HTTPException)
    begin = "Bad Request: " if error.status_code == 400 else ""
    return ApiError(error.status_code, begin + error.detail).as_response()


class _Server(uvicorn.Server):
    """Leaves signals to the program it runs in, and stops at once when told."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.leaving = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait for the end."""
        await self.leaving.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
