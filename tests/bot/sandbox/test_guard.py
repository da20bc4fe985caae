"""Only this machine, and only its own page."""

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE

import httpx
import pytest

from bot.sandbox.server import Sandbox


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[", ""]
)
async def test_other_host_names_are_refused(sandbox: Sandbox, host: str) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        for path in ("/", "/sim/state", f"/bot{sandbox.token}/getMe"):
            assert (await http.get(path, headers={"Host": host})).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_other_origins_are_refused(sandbox: Sandbox, origin: str) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url, headers={"Origin": origin}) as http:
        assert (await http.post("/sim/reset", json={})).status_code == 403


async def test_its_own_page_is_let_in(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url, headers={"Origin": sandbox.url}) as http:
        assert (await http.post("/sim/reset", json={})).status_code == 200


async def test_it_listens_on_loopback_only(sandbox: Sandbox) -> None:
    port = int(sandbox.url.rpartition(":")[2])
    listening = sandbox._server.servers[0].sockets[0].getsockname()
    assert listening == ("127.0.0.1", port)
    with socket.socket() as other, pytest.raises(OSError):
        other.connect(("127.0.0.2", port))


async def test_the_page_takes_nothing_from_outside(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        page = await http.get("/")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        for path in ("/", "/page.css", "/page.js", "/words.js"):
            text = (await http.get(path)).text.replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in text and "https://" not in text.replace("https?:", "")


async def test_documents_are_handed_out_never_shown(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        files = [("files", ("x.html", b"<script>alert(1)</script>", "text/html"))]
        sent = (await http.post("/sim/users/1/files", data={"as": "document"}, files=files)).json()
        answer = await http.get(f"/sim/files/{sent[0]['document']['file_id']}")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_qr_code_is_shown_where_there_is_one() -> None:
    async with Sandbox(qr=lambda: b"<svg/>") as sandbox, httpx.AsyncClient() as http:
        answer = await http.get(f"{sandbox.url}/sim/qr")
        assert answer.headers["Content-Type"].startswith("image/svg+xml")
    async with Sandbox() as sandbox, httpx.AsyncClient() as http:
        assert (await http.get(f"{sandbox.url}/sim/qr")).status_code == 404


@pytest.mark.parametrize(
    "asked", [["--token", "letters"], ["--port", "65536"], ["--port", "taken"]]
)
async def test_a_start_that_cannot_be_says_why_in_a_line(
    sandbox: Sandbox, asked: list[str]
) -> None:
    taken = sandbox.url.rpartition(":")[2]
    command = ["-m", "bot.sandbox", *(taken if word == "taken" else word for word in asked)]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=PIPE)
    _, told = await process.communicate()
    assert process.returncode == 2 and b"Traceback" not in told and b"Invalid value" in told
