"""The Bot API over HTTP."""

import asyncio
import logging
import re
import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bot.sandbox.errors import ApiError
from bot.sandbox.faults import DOWNLOAD, Fault
from bot.sandbox.methods import METHODS, Method
from bot.sandbox.parameters import Params, read_params
from bot.sandbox.world import World

TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]+")
_log = logging.getLogger(__name__)
_NOT_RECORDED = "getupdates"


class Dropped(Response):
    """A connection that ends before its answer does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Promise one byte and leave; the server then closes the connection."""
        headers = [(b"content-length", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class Api:
    """Answers what python-telegram-bot, or any other client, asks of Telegram."""

    def __init__(self, world: World, token: str) -> None:
        self._world = world
        self._token = token

    def routes(self) -> list[Route]:
        """Return the two kinds of address the Bot API has."""
        return [
            Route("/bot{token}/{method}", self.call, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", self.download),
        ]

    async def call(self, request: Request) -> Response:
        """Carry out one method, unless a fault comes between."""
        try:
            self._check(request.path_params["token"])
            name = request.path_params["method"]
            method = METHODS.get(name.lower())
            if method is None:
                raise ApiError(404, "Not Found: method not found")
            params = await read_params(request)
        except ApiError as error:
            return error.as_response()
        fault = self._world.faults.take(name.lower(), params.known_chat_id())
        if fault is None:
            return await self._carry_out(name, method, params)
        return await self._go_wrong(fault, name, method, params)

    async def download(self, request: Request) -> Response:
        """Hand out a file that getFile prepared."""
        try:
            self._check(request.path_params["token"])
            file = self._world.files.at(request.path_params["path"])
            if file is None:
                raise ApiError(404, "Not Found")
            fault = self._world.faults.take(DOWNLOAD, None)
            if fault is not None:
                await self._world.faults.delay(fault)
                if fault.drop:
                    return Dropped()
                if error := fault.error():
                    raise error
            content = await asyncio.to_thread(self._world.files.content, file)
        except ApiError as error:
            return error.as_response()
        return Response(content, media_type="application/octet-stream")

    def _check(self, token: str) -> None:
        if not TOKEN.fullmatch(token):
            raise ApiError(404, "Not Found")
        if not secrets.compare_digest(token, self._token):
            raise ApiError(401, "Unauthorized")

    async def _carry_out(self, name: str, method: Method, params: Params) -> Response:
        try:
            if self._world.flood is not None:
                self._world.flood.check(name.lower(), params.known_chat_id())
            result = await method(self._world, params)
        except ApiError as error:
            self._record(name, params, str(error.code))
            return error.as_response()
        except Exception:
            _log.exception("the sandbox failed at %s", name)
            self._record(name, params, "500")
            return ApiError(500, "Internal Server Error: the sandbox failed").as_response()
        self._record(name, params, "ok")
        return JSONResponse({"ok": True, "result": result})

    async def _go_wrong(self, fault: Fault, name: str, method: Method, params: Params) -> Response:
        await self._world.faults.delay(fault)
        error = fault.error()
        if fault.after or not (error or fault.drop):
            answer = await self._carry_out(name, method, params)
            if not (error or fault.drop):
                return answer
        else:
            self._record(name, params, str(error.code) if error else "lost")
        return error.as_response() if error else Dropped()

    def _record(self, name: str, params: Params, outcome: str) -> None:
        if name.lower() != _NOT_RECORDED:
            self._world.record(name, params.as_json(), outcome)
