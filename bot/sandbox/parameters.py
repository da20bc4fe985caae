"""The parameters of one call, however they were sent."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.datastructures import UploadFile
from starlette.requests import Request

from bot.sandbox.errors import ApiError, Json, bad_request
from bot.sandbox.files import LARGEST_UPLOAD

T = TypeVar("T")
CHAT_ID = re.compile(r"-?[0-9]{1,19}")
_KINDS: dict[type, str] = {dict: "Object", list: "Array", int: "Integer", str: "String"}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a call."""

    name: str
    content: bytes
    mime: str


@dataclass(frozen=True, slots=True)
class Params:
    """Values by name; a string may hold JSON, as the Bot API allows."""

    values: Json = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Return a string."""
        value = self.values.get(name)
        return default if value is None else str(value)

    def integer(self, name: str, default: int | None = None) -> int:
        """Return a number; needed if there is no default."""
        value = self.values.get(name, default)
        if value is None or value == "":
            raise bad_request(f"{name} is empty")
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            raise bad_request(f"invalid {name} specified") from None

    def flag(self, name: str) -> bool:
        """Return whether it is set."""
        return str(self.values.get(name, "")).lower() in {"true", "1", "yes"}

    def parsed(self, name: str) -> Any:
        """Return a list or object; None if it was not given."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return read_json(value)
        except ValueError:
            raise bad_request(f"can't parse {name} JSON object") from None

    def record(self, name: str) -> Json | None:
        """Return an object; None if it was not given."""
        value = self.parsed(name)
        if value is not None and not isinstance(value, dict):
            raise bad_request(f"object expected as {name}")
        return value

    def records(self, name: str) -> list[Json]:
        """Return a list of objects; an empty one if it was not given."""
        return checked_list(self.parsed(name), dict, name)

    def chat_id(self, name: str = "chat_id") -> int:
        """Return the chat meant; the sandbox knows chats by number only."""
        text = self.text(name)
        if text and not CHAT_ID.fullmatch(text):
            raise bad_request("chat not found")
        return self.integer(name)

    def known_chat_id(self) -> int | None:
        """Return the chat meant, if there is a plain one."""
        text = self.text("chat_id")
        return int(text) if CHAT_ID.fullmatch(text) else None

    def as_json(self) -> Json:
        """Return what was sent, of files their names and sizes only."""
        files = {
            name: {"file_name": upload.name, "size": len(upload.content)}
            for name, upload in self.uploads.items()
        }
        return self.values | files


def read_json(source: str | bytes) -> Any:
    """Read JSON as strict as Telegram's; ValueError for half characters, NaN and too deep."""
    try:
        value = json.loads(source)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("too deep") from None
    return value


def checked_list(value: object, kind: type[T], name: str) -> list[T]:
    """Return a list in which all is of one kind; None is an empty one."""
    items = [] if value is None else value
    if not isinstance(items, list) or not all(type(item) is kind for item in items):
        raise bad_request(f"expected an Array of {_KINDS[kind]} as {name}")
    return items


async def read_params(request: Request) -> Params:
    """Read query, JSON, form or multipart."""
    values: Json = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            body = read_json(await request.body() or b"{}")
        except ValueError:
            raise bad_request("can't parse request body as JSON") from None
        if not isinstance(body, dict):
            raise bad_request("object expected as request body")
        return Params(values | body)
    uploads: dict[str, Upload] = {}
    too_large = False
    async with request.form(max_part_size=LARGEST_UPLOAD) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                content = await value.read()
                too_large |= len(content) > LARGEST_UPLOAD
                mime = value.content_type or "application/octet-stream"
                uploads[name] = Upload(value.filename or "file", content, mime)
            else:
                values[name] = value
    if too_large:
        raise ApiError(413, "Request Entity Too Large")
    return Params(values, uploads)
