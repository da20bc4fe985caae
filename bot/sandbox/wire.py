"""The way of a test to the control interface."""

from typing import Any

import httpx

from bot.sandbox.errors import Json

# Many people act at once; each long poll holds a connection.
KEPT_OPEN = 200
LONGEST_ANSWER = 60


class Refused(Exception):
    """The sandbox did not take an act, as Telegram's own app would not."""


class Wire:
    """Asks and acts; raises Refused."""

    def __init__(self, url: str) -> None:
        """Talk to the sandbox at its `url`."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_OPEN)
        # Plain HTTP on this machine; not to load certificates makes it quick to open.
        self._http = httpx.AsyncClient(
            base_url=url, timeout=LONGEST_ANSWER, limits=limits, trust_env=False, verify=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def file(self, file_id: str) -> bytes:
        """Return a file's bytes."""
        return (await self._send("GET", f"/sim/files/{file_id}")).content

    async def get(self, path: str, params: Json | None = None) -> Any:
        """Ask."""
        return await self.ask("GET", path, params=params)

    async def post(self, path: str, body: Json) -> Any:
        """Act."""
        return await self.ask("POST", path, json=body)

    async def upload(self, path: str, fields: Json, files: list[tuple[str, bytes]]) -> Any:
        """Act with files."""
        parts = [("files", file) for file in files]
        return await self.ask("POST", path, data=fields, files=parts)

    async def ask(self, verb: str, path: str, **parts: Any) -> Any:
        """Send a request and return its JSON."""
        return (await self._send(verb, path, **parts)).json()

    async def _send(self, verb: str, path: str, **parts: Any) -> httpx.Response:
        answer = await self._http.request(verb, path, **parts)
        if answer.is_error:
            raise Refused(answer.json()["description"])
        return answer
