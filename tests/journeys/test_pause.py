"""Intake rests while the admins say so: `/pause`, `/resume`."""

import pytest

from bot.sandbox.client import User

from .pictures import xray
from .stage import ADMIN, Stage


@pytest.fixture
async def admin(stage: Stage) -> User:
    return await stage.agreed(ADMIN)


async def test_while_paused_nothing_is_taken_in_and_patients_hear_why(
    stage: Stage, ann: User, admin: User
) -> None:
    await admin.says("/pause We move house & are back <on Monday>.")
    assert "back <on Monday>." in (await admin.sees("not taken in until /resume")).text
    await ann.sends_photo(xray())
    told = await ann.sees("I have not opened yours")
    assert "We move house & are back <on Monday>." in told.text and "120" in told.text
    assert stage.value("SELECT count(*) FROM cases") == 0
    await stage.restart()
    await ann.sends_file(xray())
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM cases") == 0
    await admin.says("/resume")
    await admin.sees("Pictures are taken in again")
    await ann.sends_photo(xray())
    await ann.hears_photo()
    acts = [row[0] for row in stage.rows("SELECT action FROM audit WHERE actor LIKE 'admin:%'")]
    assert acts == ["pause", "resume"]


class TestDetails:
    @pytest.fixture
    def mode(self) -> str:
        return "polling"

    async def test_what_was_taken_in_before_is_finished(
        self, stage: Stage, ann: User, admin: User
    ) -> None:
        await stage.sim.fault("download", delay=30)
        await ann.sends_photo(xray())
        await stage.sim.until(bool, "getFile")
        await admin.says("/pause")
        await admin.sees("not taken in until /resume")
        await stage.sim.release()
        await ann.hears_photo()

    async def test_an_album_hears_it_once(self, stage: Stage, ann: User, admin: User) -> None:
        await admin.says("/pause")
        await admin.sees("not taken in until /resume")
        await ann.sends_album([xray(seed=1), xray(seed=2), xray(seed=3)])
        await stage.sim.quiet()
        told = [m for m in await ann.messages() if "I have not opened yours" in m.text]
        assert len(told) == 1

    async def test_who_has_not_agreed_yet_is_not_asked_in_vain(
        self, stage: Stage, admin: User
    ) -> None:
        await admin.says("/pause")
        await admin.sees("not taken in until /resume")
        ann = stage.sim.user(1, language="zh")
        await ann.sends_photo(xray())
        assert "我们暂时不接收图片" in (await ann.hears()).text
        await ann.hears_nothing()

    async def test_a_message_too_long_changes_nothing(self, stage: Stage, admin: User) -> None:
        await admin.says("/pause " + "x" * 1001)
        await admin.sees("Your message to the patients is too long")
        assert stage.value("SELECT count(*) FROM pause") == 0

    async def test_resume_without_a_pause_says_so(self, stage: Stage, admin: User) -> None:
        await admin.says("/resume")
        await admin.sees("There was no pause")
        assert stage.value("SELECT count(*) FROM audit WHERE action = 'resume'") == 0
