"""What makes no sense is refused with a word, at the control interface and at the Bot API."""

import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse
from telegram import Bot

from bot.sandbox.client import Refused, Sim, User
from bot.sandbox.errors import ApiError
from bot.sandbox.methods import METHODS
from bot.sandbox.parameters import Params
from bot.sandbox.server import Sandbox

from .conftest import picture

ACTS = ["users", "groups", "faults", "flood", "clock"]
ACTS += [f"users/1/{act}" for act in ("messages", "edits", "taps", "block")]
BODIES = [b"", b"{", b"\xff", b"null", b"3", b'"x"', b"[]", b"[" * 100_000, b"{}", b'{"id": "x"}']
# Of wrong kinds and for wrong things.
VALUES: list[Any] = [None, True, -1, 3, 2**70, "", "x", "[1]", "{}", '"a"', '{"a": "\\ud800"}']
VALUES += [[], [None], [3], ["x"], [{}], [[1]], {"a": 1}, {"type": "photo"}, {"type": "chat"}]
VALUES += [{"message_id": "x"}, {"message_id": [1]}, [{"type": "photo", "media": 3}]]
VALUES += [{"keyboard": value} for value in (3, [3], [[3]], [[{}]])]
VALUES += [{"inline_keyboard": value} for value in (None, 3, "x", [3], [[3]])]
VALUES += [[{"type": "bold"}], [{"type": "bold", "offset": "x", "length": 3}]]
NAMES = ["chat_id", "text", "reply_markup", "entities", "caption", "caption_entities", "parse_mode"]
NAMES += ["reply_parameters", "reply_to_message_id", "photo", "document", "media", "message_id"]
NAMES += ["message_ids", "from_chat_id", "callback_query_id", "commands", "scope", "user_id"]
NAMES += ["menu_button", "offset", "limit", "allowed_updates", "url", "max_connections", "file_id"]


@pytest.fixture
async def http(sandbox: Sandbox, ann: User) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        yield http


def refused(answer: httpx.Response) -> str:
    told = answer.json()
    assert (answer.status_code, told["ok"], told["error_code"]) == (400, False, 400), answer.url
    assert "Error(" not in told["description"]
    return str(told["description"])


@pytest.mark.parametrize("act", ACTS)
async def test_an_act_needs_a_json_object_that_names_what_it_needs(
    http: httpx.AsyncClient, act: str
) -> None:
    for body in BODIES:
        assert refused(await http.post(f"/sim/{act}", content=body)).startswith("Bad Request: ")


@pytest.mark.parametrize(
    ("act", "body", "words"),
    [
        ("users", {"users": 3}, "users is not a list"),
        ("users", {"users": [3]}, "users is not a list of objects"),
        ("users", {"users": [{"id": 0}]}, "id is not a whole number from 1 up"),
        ("users", {"users": [{"id": 5, "first_name": 3}]}, "first_name is not a string"),
        ("users", {"users": [{"id": 5, "started": "no"}]}, "started is not true or false"),
        ("users", {"users": [{"id": 5, "colour": "red"}]}, "there is no field colour"),
        ("users", {"users": [{"id": 1 << 52}]}, "cannot have the id"),
        ("users/0/messages", {"text": "x"}, "cannot have the id 0"),
        ("users/1/messages", {"text": ["x"]}, "text is not a string"),
        ("users/1/messages", {"text": "x", "chat_id": "ward"}, "chat_id is not a whole number"),
        ("users/1/messages", {"text": "x", "reply_to": 7}, "message to be replied not found"),
        ("users/1/messages", {"kind": "parcel"}, "the sandbox knows no parcel"),
        ("users/1/edits", {"message_id": [1], "text": "x"}, "message_id is not a whole number"),
        ("users/1/edits", {"message_id": 7, "text": "x"}, "message to edit not found"),
        ("users/1/taps", {"message_id": 7, "data": "x"}, "message to tap not found"),
        ("users/1/taps", {"message_id": 7}, "data is missing"),
        ("users/1/block", {"blocked": "no"}, "blocked is not true or false"),
        ("groups", {"id": -1, "members": []}, "members is not a list that is not empty"),
        ("groups", {"id": -1, "members": ["x"]}, "expected an Array of Integer as members"),
        ("groups", {"id": 1, "members": [1]}, "a group has a negative id"),
        ("flood", {"overall": 0, "per_chat": 1, "burst": 1}, "overall is not a number from"),
        ("clock", {"advance": True}, "advance is not a number"),
        ("clock", {"advance": -1}, "advance is not a number from 0 up"),
        ("clock", {"advance": 1e300}, "at most ten years"),
        ("faults", {"method": "", "code": 500}, "there is no method ''"),
        ("faults", {"method": "flyToTheMoon", "code": 500}, "there is no method 'flyToTheMoon'"),
        ("faults", {"code": 200}, "code is not from 400 to 599"),
        ("faults", {"code": 500, "retry_after": -1}, "retry_after is not a whole number from 0"),
        ("faults", {"code": 500, "times": 0}, "times is not a whole number from 1 up"),
        ("faults", {"code": 500, "share": 2}, "share is not above 0 and at most 1"),
        ("faults", {"delay": -1}, "delay is not a number from 0 up"),
        ("faults", {"after": True}, "a fault has a code"),
        ("faults", {"code": 500, "colour": "red"}, "there is no field colour"),
    ],
)
async def test_a_refusal_names_what_is_wrong(
    http: httpx.AsyncClient, act: str, body: dict[str, Any], words: str
) -> None:
    assert words in refused(await http.post(f"/sim/{act}", json=body))


async def test_nothing_is_done_where_a_part_is_refused(sim: Sim) -> None:
    before = (await sim.state())["users"]
    with pytest.raises(Refused, match="id is missing"):
        await sim._wire.post("/sim/users", {"users": [{"id": 5}, {}]})
    assert (await sim.state())["users"] == before


@pytest.mark.parametrize(
    "path",
    [
        "chats/x/messages",
        "chats/-9/messages",
        "chats/0/messages",
        "chats/1/events?after=x",
        "chats/1/events?after=-1",
        "chats/1/events?wait=nan",
        "users/1/menu?chat_id=x",
        "outbox?after=x",
        "stream?chats=x",
        "stream?chats=0",
        "files/nothing",
    ],
)
async def test_a_question_about_nothing_is_refused(http: httpx.AsyncClient, path: str) -> None:
    refused(await http.get(f"/sim/{path}"))


async def test_files_need_to_be_files(http: httpx.AsyncClient) -> None:
    path, files = "/sim/users/1/files", [("files", ("x.png", picture()))]
    assert "no file" in refused(await http.post(path, data={"as": "photo"}))
    assert "photo or document" in refused(await http.post(path, data={"as": "x"}, files=files))
    assert "reply_to" in refused(await http.post(path, data={"reply_to": "x"}, files=files))
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(await http.post(path, content=b"garbage", headers=broken))


async def test_what_is_not_there_is_told_as_the_bot_api_does(http: httpx.AsyncClient) -> None:
    for answer, code in (await http.get("/sim/calls"), 404), (await http.put("/sim/clock"), 405):
        assert (answer.status_code, answer.json()["error_code"]) == (code, code)


async def test_no_person_is_the_bot(sandbox: Sandbox, sim: Sim) -> None:
    with pytest.raises(Refused, match="cannot have the id"):
        await sim.user(sandbox.world.bot.id).says("x")


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_no_parameter_of_any_kind_breaks_a_method(
    sandbox: Sandbox, bot: Bot, ann: User, method: str
) -> None:
    sent = (await bot.send_message(1, "x")).message_id
    usual = {"chat_id": 1, "text": "y", "message_id": sent, "from_chat_id": 1, "user_id": 1}
    usual |= {"message_ids": [sent], "action": "typing"}
    for name, value in itertools.product(NAMES, VALUES):
        with contextlib.suppress(ApiError):
            answer = await METHODS[method](sandbox.world, Params(usual | {name: value}))
            JSONResponse(answer)
    await ann.messages()


@pytest.mark.parametrize(
    ("method", "body", "words"),
    [
        ("sendMessage", {"chat_id": "ward", "text": "x"}, "chat not found"),
        ("sendMessage", {"chat_id": 1, "text": "x", "entities": 3}, "Array of Object as entities"),
        ("sendMessage", {"chat_id": 1, "text": "x", "reply_markup": []}, "object expected"),
        ("sendMediaGroup", {"chat_id": 1, "media": [3, 4]}, "Array of Object as media"),
        ("deleteMessages", {"chat_id": 1, "message_ids": ["x"]}, "Array of Integer"),
        ("setMyCommands", {"commands": 3}, "Array of Object as commands"),
        ("setMyCommands", {"commands": [], "scope": {"type": "chat"}}, "chat_id is empty"),
        ("getUpdates", {"allowed_updates": "3"}, "Array of String as allowed_updates"),
    ],
)
async def test_the_bot_api_names_a_parameter_of_the_wrong_kind(
    http: httpx.AsyncClient, sandbox: Sandbox, method: str, body: dict[str, Any], words: str
) -> None:
    assert words in refused(await http.post(f"/bot{sandbox.token}/{method}", json=body))


async def test_a_body_of_the_bot_api_is_an_object_of_whole_characters(
    http: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    for body in (b"[]", b"null", b'{"chat_id": 1, "text": "\\ud800"}', b'{"chat_id": NaN}'):
        headers = {"Content-Type": "application/json"}
        refused(await http.post(f"/bot{sandbox.token}/sendMessage", content=body, headers=headers))
