"""Who is let through, and that no button stands in another's way."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, settings
from hypothesis import strategies as st
from telegram import Update

from bot.access import Holds, Roles
from bot.admin import handlers as admin
from bot.application import build
from bot.connection import make_bot
from bot.context import BotApplication, Services
from bot.doctor import handlers as doctor
from bot.models import Models
from bot.patient import others
from bot.settings import load_settings
from bot.wake import Wake
from classifier.classifier import Classifier
from storage import Storage, staff
from storage.staff import Role

PATIENT, DOCTOR, ADMIN, BOTH = 1, 2, 3, 4
HELD = {
    PATIENT: frozenset[Role](),
    DOCTOR: frozenset({Role.DOCTOR}),
    ADMIN: frozenset({Role.ADMIN}),
    BOTH: frozenset(Role),
}
BUTTONS = [
    *((Role.DOCTOR, pattern, tap) for pattern, tap in doctor.TAPS.items()),
    *((Role.ADMIN, pattern, tap) for pattern, tap in admin.TAPS.items()),
]
ONE = settings(max_examples=1, database=None, derandomize=True, phases=[Phase.generate])


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with await Storage.open(tmp_path) as storage:
        for number, roles in HELD.items():
            for role in roles:
                await storage.write(staff.add, number, role, f"Member {number}")
        yield storage


@pytest.fixture
async def application(storage: Storage) -> BotApplication:
    given = load_settings(token="42:secret", data_dir="unused")
    none = Classifier(None, {}, None)  # type: ignore[arg-type]  # nothing is read
    services = Services(given, storage, Wake(), Models(storage, none, none, ()))
    await services.roles.load(storage)
    return build(make_bot(given), services)


def tap(bot: Any, number: int, data: str) -> Update:
    chat = {"id": number, "type": "private"}
    sender = {"id": number, "is_bot": False, "first_name": "P"}
    message = {"message_id": 1, "date": 1, "chat": chat, "text": "…"}
    query = {"id": "1", "from": sender, "chat_instance": "1", "message": message, "data": data}
    return Update.de_json({"update_id": 1, "callback_query": query}, bot)


def taker(application: BotApplication, update: Update) -> object:
    """Give what the first handler that fits would call."""
    for handler in application.handlers[0]:
        check = handler.check_update(update)
        if check is not None and check is not False:
            return handler.callback
    return None


def sample(pattern: str) -> str:
    text = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
    return find(text, lambda _: True, settings=ONE)


@pytest.mark.parametrize(
    ("role", "pattern", "callback"), BUTTONS, ids=[pattern for _, pattern, _ in BUTTONS]
)
async def test_a_button_reaches_its_own_handler_and_only_for_its_role(
    application: BotApplication, role: Role, pattern: str, callback: object
) -> None:
    data = sample(pattern)
    for number, roles in HELD.items():
        expected = callback if role in roles else others.old_tap
        assert taker(application, tap(application.bot, number, data)) == expected, data


@pytest.mark.parametrize("pattern", [pattern for _, pattern, _ in BUTTONS])
def test_a_pattern_begins_where_the_data_begins(pattern: str) -> None:
    assert pattern.startswith("^") and ":" in pattern


async def test_a_role_counts_from_the_next_load_on(storage: Storage) -> None:
    roles = Roles()
    assert roles.of(BOTH) == frozenset()
    await roles.load(storage)
    assert roles.of(BOTH) == {Role.DOCTOR, Role.ADMIN}
    member = await storage.read(staff.member, BOTH, Role.DOCTOR)
    assert member is not None
    await storage.write(staff.revoke, member.id)
    await roles.load(storage)
    assert roles.of(BOTH) == {Role.ADMIN}
    assert roles.of(PATIENT) == frozenset()


async def test_what_was_read_earlier_never_replaces_what_was_read_later(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles, go_on, read = Roles(), asyncio.Event(), storage.read

    async def slowly(*given: Any) -> Any:
        found = await read(*given)
        await go_on.wait()
        return found

    monkeypatch.setattr(storage, "read", slowly)
    earlier = asyncio.create_task(roles.load(storage))
    await asyncio.sleep(0)
    member = await read(staff.member, DOCTOR, Role.DOCTOR)
    assert member is not None
    await storage.write(staff.revoke, member.id)
    monkeypatch.setattr(storage, "read", read)
    later = asyncio.create_task(roles.load(storage))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(earlier, later)
    assert roles.of(DOCTOR) == frozenset()


async def test_an_update_without_a_sender_holds_no_role(storage: Storage) -> None:
    roles = Roles()
    await roles.load(storage)
    assert not Holds(roles, *Role).filter(Update(1))
