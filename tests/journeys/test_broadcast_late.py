"""An announcement whose time came while the bot was off."""

import time

import pytest

from bot.sandbox.client import User

from .stage import ADMIN, Stage
from .test_broadcast import WORDS, begin, composed, copies, known, reported, sent

HOUR = 3600


@pytest.fixture
def mode() -> str:
    return "polling"


@pytest.fixture
async def ann(stage: Stage) -> User:
    return await known(stage, 1)


@pytest.fixture
async def boss(stage: Stage, ann: User) -> User:
    return await known(stage, ADMIN)


async def off_at_its_time(
    stage: Stage, boss: User, late: float, kind: str = "Announcement", *, revoked: bool = False
) -> None:
    """Schedule it, and start the bot so many seconds after its time."""
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss, kind=kind)
    await boss.taps("Send later")
    await boss.sees("When?")
    await boss.says("in 3 days")
    await boss.taps("Yes, send it then")
    await boss.sees("Goes out on")
    await stage.stop()
    stage.change("UPDATE broadcasts SET due_at = ?", int((time.time() - late) * 1e6))
    if revoked:
        stage.change(
            "INSERT INTO staff (telegram_id, role, name, since_at) VALUES (9002, 'admin', 'Two', 0)"
        )
        stage.change("UPDATE staff SET revoked_at = 1 WHERE telegram_id = ?", ADMIN)
    await stage.start()


async def test_within_an_hour_it_goes_out(stage: Stage, ann: User, boss: User) -> None:
    await off_at_its_time(stage, boss, HOUR - 60)
    await ann.sees(WORDS)


async def test_later_it_is_shown_again_and_goes_out_when_the_admin_says_so(
    stage: Stage, ann: User, boss: User
) -> None:
    await off_at_its_time(stage, boss, HOUR + 1)
    await boss.sees("Announcement 1 was to go out on")
    question = await boss.sees("Announcement 2 · to: patients")
    assert "Recipients: 1" in question.text and question.button("Send later")
    await stage.sim.quiet()
    assert await copies(ann, WORDS) == 0 and await copies(boss, WORDS) == 2
    await sent(boss)
    await ann.sees(WORDS)
    assert "sent: 1" in (await reported(boss)).text
    assert await copies(ann, WORDS) == 1
    actions = [row["action"] for row in stage.rows("SELECT action FROM audit WHERE id > 1")]
    assert actions[-2:] == ["broadcast_missed", "broadcast_confirmed"]


async def test_a_safety_notice_goes_out_however_late(stage: Stage, ann: User, boss: User) -> None:
    await off_at_its_time(stage, boss, 100 * HOUR, "Safety notice")
    await ann.sees(WORDS)


async def test_another_admin_is_asked_if_its_writer_is_none_any_more(
    stage: Stage, ann: User, boss: User
) -> None:
    second = await known(stage, 9002)
    await off_at_its_time(stage, boss, 2 * HOUR, revoked=True)
    await second.sees("Announcement 1 was to go out on")
    await second.sees(WORDS)
    await second.taps("Throw away", await second.sees("Announcement 2 · to: patients"))
    await second.sees("Nobody gets it")
    assert await copies(ann, WORDS) == 0
