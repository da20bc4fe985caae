"""What came to the control interface, read field by field; what is wrong is named."""

import math
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from bot.sandbox.errors import ApiError, Json, bad_request
from bot.sandbox.parameters import read_json


@dataclass(frozen=True, slots=True)
class Given:
    """Fields by name; one without a default is needed. Those of forms and queries are strings."""

    values: Json

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string."""
        value = self._value(name, default)
        if not isinstance(value, str):
            raise _wrong(name, "a string")
        return value

    def integer(self, name: str, default: int | None = None, least: int | None = None) -> int:
        """Return a whole number."""
        return int(_number(int, name, "a whole number", self._value(name, default), least))

    def number(self, name: str, default: float | None = None, least: float | None = None) -> float:
        """Return a finite number."""
        return _number(float, name, "a number", self._value(name, default), least)

    def flag(self, name: str, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise _wrong(name, "true or false")
        return value

    def items(self, name: str) -> list[Any]:
        """Return a list with something in it."""
        value = self._value(name, None)
        if not isinstance(value, list) or not value:
            raise _wrong(name, "a list that is not empty")
        return value

    def objects(self, name: str) -> "list[Given]":
        """Return a list of objects."""
        items = self.items(name)
        if not all(isinstance(item, dict) for item in items):
            raise _wrong(name, "a list of objects")
        return [Given(item) for item in items]

    def only(self, *names: str) -> None:
        """Refuse a field of another name."""
        for name in self.values.keys() - set(names):
            raise bad_request(f"there is no field {name}")

    def _value(self, name: str, default: object) -> Any:
        value = self.values.get(name)
        value = default if value is None else value
        if value is None:
            raise bad_request(f"{name} is missing")
        return value


async def read_given(request: Request) -> Given:
    """Read the body, which is one JSON object."""
    try:
        body = read_json(await request.body())
    except ValueError:
        raise bad_request("the body is not JSON") from None
    if not isinstance(body, dict):
        raise bad_request("the body is not a JSON object")
    return Given(body)


def _number(
    kind: type[int] | type[float], name: str, what: str, value: object, least: float | None
) -> float:
    allowed = (int, str) if kind is int else (int, float, str)
    try:
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise ValueError
        number = kind(value)
        if not math.isfinite(number):
            raise ValueError
    except (ValueError, OverflowError):
        raise _wrong(name, what) from None
    if least is not None and number < least:
        raise _wrong(name, f"{what} from {least} up")
    return number


def _wrong(name: str, wanted: str) -> ApiError:
    return bad_request(f"{name} is not {wanted}")
