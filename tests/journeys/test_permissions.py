"""Each command and each button, for each role, in private and in a group; taken from the menus."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import Phase, find, settings
from hypothesis import strategies as st

from bot import menus
from bot.admin import handlers as admin
from bot.doctor import handlers as doctor
from bot.texts.catalogue import Texts
from classifier.report_texts import Language
from storage import Storage, outbox, staff
from storage.outbox import Outgoing
from storage.staff import Role
from storage.transaction import Tx

from .stage import ADMIN, Stage

TEXTS = Texts(Language.ENGLISH)
GROUP = -100
ACTS = "SELECT count(*) FROM audit WHERE actor <> 'system'"
PEOPLE: Mapping[int, frozenset[Role]] = {
    1: frozenset(),
    2: frozenset({Role.DOCTOR}),
    3: frozenset({Role.DOCTOR, Role.ADMIN}),
    ADMIN: frozenset({Role.ADMIN}),
}
COMMANDS = menus.commands_of(frozenset(Role))
BUTTONS = [(Role.DOCTOR, each) for each in doctor.TAPS] + [
    (Role.ADMIN, each) for each in admin.TAPS
]
ONE = settings(max_examples=1, database=None, derandomize=True, phases=[Phase.generate])


@pytest.fixture
async def company(off_stage: Stage) -> Stage:
    """A bot that knows a patient, a doctor, an admin, and somebody who is both."""
    async with await Storage.open(off_stage.data_dir) as storage:
        await storage.write(staff.seed_admins, [ADMIN])
        for number, roles in PEOPLE.items():
            for role in roles:
                await storage.write(staff.add, number, role, f"Member {number}")
    await off_stage.start()
    for number in PEOPLE:
        off_stage.sim.user(number, language="en")
    return off_stage


@pytest.fixture
def pushed(company: Stage, monkeypatch: pytest.MonkeyPatch) -> dict[int, dict[str, Any]]:
    """What Telegram told the bot, by the number of the update."""
    updates, told = company.sandbox.world.updates, {}
    push = updates.push

    def keep(kind: str, payload: dict[str, Any]) -> int | None:
        number = push(kind, payload)
        if number is not None:
            told[number] = payload
        return number

    monkeypatch.setattr(updates, "push", keep)
    return told


async def handled(stage: Stage, pushed: Mapping[int, object]) -> None:
    """Wait until the bot has written down all that was said to it."""
    async with asyncio.timeout(30):
        while stage.value("SELECT count(*) FROM updates") < len(pushed):
            await stage.sim.quiet(0.02)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Outgoing]:
    """All that the bot wrote to be sent."""
    enqueue, found = outbox.enqueue, list[Outgoing]()

    def keep(tx: Tx, out: Outgoing) -> bool:
        is_new = enqueue(tx, out)
        if is_new:
            found.append(out)
        return is_new

    monkeypatch.setattr(outbox, "enqueue", keep)
    return found


async def test_a_command_answers_its_role_and_is_unknown_to_all_others(
    company: Stage, pushed: dict[int, dict[str, Any]], written: list[Outgoing]
) -> None:
    for number in PEOPLE:
        for command in (*COMMANDS, "no_such_command"):
            await company.sim.user(number).says(f"/{command}")
    await handled(company, pushed)
    assert len(pushed) == len(PEOPLE) * (len(COMMANDS) + 1)
    for update, message in pushed.items():
        who, command = message["from"]["id"], message["text"].removeprefix("/")
        replies = (out for out in written if out.key.partition(":")[0] == f"u{update}")
        heard = [out.payload.get("text", "") for out in replies]
        assert heard, f"{command} is silent for {who}"
        known = command in menus.commands_of(PEOPLE[who])
        assert (heard == [TEXTS("unknown.command")]) != known, f"{command} for {who}: {heard}"


async def test_in_a_group_no_command_does_anything_but_the_one_refusal(
    company: Stage, pushed: dict[int, dict[str, Any]], written: list[Outgoing]
) -> None:
    await company.sim.add_group(GROUP, list(PEOPLE))
    acts = company.value(ACTS)
    for number in PEOPLE:
        for command in COMMANDS:
            await company.sim.user(number).says(f"/{command}", chat=GROUP)
    await handled(company, pushed)
    [said] = written
    assert said.chat_id == GROUP and said.payload["text"] == TEXTS("group")
    assert company.value(ACTS) == acts
    for table in ("people", "cases", "dialogs"):
        assert company.value(f"SELECT count(*) FROM {table}") == 0, table


def tap(number: int, pattern: str) -> dict[str, Any]:
    """A tap on a button that a pattern stands for."""
    data = find(
        st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True), lambda _: True, settings=ONE
    )
    bot = {"id": 42, "is_bot": True, "first_name": "Bot"}
    chat = {"id": number, "type": "private", "first_name": "P"}
    message = {"message_id": 1, "date": 1, "chat": chat, "from": bot, "text": "…"}
    sender = {"id": number, "is_bot": False, "first_name": "P", "language_code": "en"}
    return {
        "id": f"{number}",
        "from": sender,
        "chat_instance": "1",
        "message": message,
        "data": data,
    }


async def test_a_button_of_a_role_does_nothing_for_all_others(company: Stage) -> None:
    acts = company.value(ACTS)
    strangers = [
        (number, pattern)
        for number, roles in PEOPLE.items()
        for role, pattern in BUTTONS
        if role not in roles
    ]
    for number, pattern in strangers:
        company.sandbox.world.updates.push("callback_query", tap(number, pattern))
    calls = await company.sim.until(
        lambda calls: len(calls) == len(strangers), "answerCallbackQuery"
    )
    assert {call.params["text"] for call in calls} == {TEXTS("button.old")}
    for table in ("outbox", "dialogs", "people"):
        assert company.value(f"SELECT count(*) FROM {table}") == 0, table
    assert company.value(ACTS) == acts


async def test_the_menu_of_each_person_is_that_of_their_roles(company: Stage) -> None:
    wanted = 3 * len([roles for roles in PEOPLE.values() if roles]) + 3
    await company.sim.until(lambda calls: len(calls) >= wanted, "setMyCommands")
    for number, roles in PEOPLE.items():
        assert tuple(await company.sim.user(number).menu()) == menus.commands_of(roles)


def test_every_command_registered_for_a_role_is_in_its_menu_and_the_other_way_round() -> None:
    assert set(doctor.COMMANDS) == set(menus.OF_ROLE[Role.DOCTOR])
    assert set(admin.COMMANDS) == set(menus.OF_ROLE[Role.ADMIN])


def test_no_two_rooms_share_a_command_or_a_question() -> None:
    assert len(COMMANDS) == len(set(COMMANDS))
    assert not set(doctor.DIALOGS) & set(admin.DIALOGS)
