"""Announcements on and off, for everybody."""

import json
import zipfile
from io import BytesIO

import pytest

from bot.sandbox.client import User

from .stage import Stage


async def test_announcements_are_turned_off_and_on_again(stage: Stage, ann: User) -> None:
    await ann.says("/announcements")
    await ann.sees("You get announcements from us now and then")
    await ann.taps("Turn announcements off")
    off = await ann.sees("You get no announcements from us")
    assert "safety reach you in any case" in off.text
    assert stage.value("SELECT opted_out_at FROM people") is not None
    await ann.taps("Turn announcements on")
    await ann.sees("You get announcements from us now and then")
    assert stage.value("SELECT opted_out_at FROM people") is None


@pytest.mark.parametrize("mode", ["polling"], indirect=True)
class TestDetails:
    async def test_the_command_is_in_the_menu_and_speaks_chinese(self, stage: Stage) -> None:
        li = await stage.agreed(2, "zh")
        assert (await li.menu())["announcements"] == "开启或关闭通知"
        await li.says("/announcements")
        await li.taps("关闭通知")
        await li.sees("我们不会给您发送通知")

    async def test_a_second_tap_of_the_same_button_changes_nothing(
        self, stage: Stage, ann: User
    ) -> None:
        await ann.says("/announcements")
        shown = await ann.sees("You get announcements")
        chat, since = stage.sandbox.world.chats[ann.id], set()
        for _ in range(2):
            stage.sandbox.world.tap(chat.user, chat.messages[shown.id], "announcements:off")
            await ann.sees("You get no announcements")
            await stage.sim.quiet()
            since.add(stage.value("SELECT opted_out_at FROM people"))
        assert None not in since
        assert len(since) == 1

    async def test_forget_forgets_it_and_my_data_shows_it(self, stage: Stage, ann: User) -> None:
        await ann.says("/announcements")
        await ann.taps("Turn announcements off")
        await ann.sees("You get no announcements")
        await ann.says("/mydata")
        await ann.sees("Everything we hold about you")
        (file,) = [m for m in await ann.messages() if m.document]
        with zipfile.ZipFile(BytesIO(await ann.downloads(file))) as archive:
            told = json.loads(archive.read("my-data.json"))
        assert told["person"]["opted_out_at"] is not None
        await ann.says("/forget")
        await ann.taps("Yes, erase everything")
        await ann.sees("Everything is erased")
        await ann.says("/announcements")
        await ann.sees("You get announcements from us now and then")
