"""Web servers of ours: for this machine only, behind whatever the operator puts in front."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator

import uvicorn
from starlette.applications import Starlette

HOST = "127.0.0.1"


class Server(uvicorn.Server):
    """A server whose signals are handled by the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


@contextlib.asynccontextmanager
async def serving(app: Starlette, port: int) -> AsyncIterator[asyncio.Task[None]]:
    """Serve meanwhile; in the end what is being answered is finished, and the port is free.

    Raises OSError if another program has the port.
    """
    # Not left to uvicorn, which ends the program where it cannot have the port.
    listening = socket.create_server((HOST, port))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield task
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=4)
