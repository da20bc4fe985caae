"""What doctors hear without asking, and when they do not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot.context import Services
from bot.doctor import digest
from bot.doctor.digest import changed_by, is_due
from bot.models import Models
from bot.sandbox.client import User
from bot.settings import load_settings
from bot.wake import Wake
from storage import Storage, doctors, people, staff
from storage.doctors import Preferences
from storage.staff import Member, Role
from storage.transaction import Tx

from .stage import Stage

SHANGHAI, BERLIN = "Asia/Shanghai", "Europe/Berlin"
USUAL = Preferences(SHANGHAI)
# Seven in the morning in Shanghai, midnight in Berlin.
DAWN = datetime(2026, 11, 2, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    """A time that is turned by hand."""

    def __init__(self) -> None:
        self.time = DAWN

    def now(self) -> datetime:
        return self.time


class House:
    """Doctors, a queue, and what they are told."""

    def __init__(self, services: Services, clock: Clock) -> None:
        self.services = services
        self.clock = clock

    async def doctor(
        self, number: int, wanted: Preferences = USUAL, *, has_written: bool = True
    ) -> Member:
        def add(tx: Tx) -> Member:
            if has_written:
                people.seen(tx, number, None)
            member = staff.add(tx, number, Role.DOCTOR, "Dr. Li")
            doctors.prefer(tx, member.id, wanted)
            return member

        return await self.services.storage.write(add)

    async def case_waits(self, since: datetime) -> None:
        def add(tx: Tx) -> None:
            case_id = tx.insert(
                "cases",
                number=f"{tx.value('SELECT count(*) FROM cases'):08}",
                received_at=since,
                changed_at=since,
                next_try_at=since,
            )
            tx.insert("review_queue", case_id=case_id, urgency=0.0, since_at=since)

        await self.services.storage.write(add)

    async def told(self) -> list[tuple[int, str]]:
        """Let the jobs run twice, and give what was said since."""
        before = len(await self._said())
        for _ in range(2):
            await digest.send_digests(self.services)
            await digest.send_reminders(self.services)
        return (await self._said())[before:]

    async def _said(self) -> list[tuple[int, str]]:
        sql = "SELECT chat_id, payload ->> 'text' AS text FROM outbox ORDER BY id"
        rows = await self.services.storage.read(lambda tx: tx.rows(sql))
        return [(row["chat_id"], row["text"]) for row in rows]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = Clock()
    settings = load_settings(token="1:t", data_dir=tmp_path, default_language="en")
    async with await Storage.open(tmp_path, clock=clock.now) as storage:
        yield House(Services(settings, storage, Wake(), cast(Models, None)), clock)


async def test_the_digest_comes_once_a_day_in_each_doctors_morning(house: House) -> None:
    await house.doctor(1)
    await house.doctor(2, replace(USUAL, zone=BERLIN))
    await house.case_waits(DAWN - 2 * HOUR)
    heard: list[tuple[datetime, int]] = []
    for _ in range(48):
        heard += [(house.clock.time, chat) for chat, text in await house.told() if "Daily" in text]
        house.clock.time += HOUR
    # At eight: midnight in UTC for Shanghai, seven in UTC for Berlin in winter.
    assert [(at - DAWN, chat) for at, chat in heard] == [
        (1 * HOUR, 1),
        (8 * HOUR, 2),
        (25 * HOUR, 1),
        (32 * HOUR, 2),
    ]


@pytest.mark.parametrize(
    ("left_at", "to", "heard_at"),
    [
        # Westwards at ten in the morning: in New York it is the evening before.
        (3, "America/New_York", 14),
        # To Berlin, where it is three at night, and at ten in the evening, when it is three there.
        (3, BERLIN, 8),
        (15, BERLIN, 32),
        # Eastwards, where the next day has begun.
        (8, "Pacific/Kiritimati", 19),
    ],
)
async def test_a_doctor_who_travels_loses_no_morning_and_has_none_twice(
    house: House, left_at: int, to: str, heard_at: int
) -> None:
    doctor = await house.doctor(1)
    await house.case_waits(DAWN - 2 * HOUR)
    house.clock.time += HOUR
    assert len(await house.told()) == 1
    house.clock.time = DAWN + left_at * HOUR

    def move(tx: Tx) -> None:
        wanted = replace(doctors.preferences(tx, doctor.id, SHANGHAI), zone=to)
        doctors.prefer(tx, doctor.id, digest.moved(wanted, tx.time))

    await house.services.storage.write(move)
    heard: list[int] = []
    for passed in range(left_at, heard_at + 25):
        house.clock.time = DAWN + passed * HOUR
        heard += [passed for _, text in await house.told() if "Daily" in text]
    assert heard == [heard_at, heard_at + 24]


async def test_who_never_wrote_or_blocked_the_bot_is_told_nothing_until_they_write(
    house: House,
) -> None:
    await house.doctor(1, has_written=False)
    await house.doctor(2)
    await house.services.storage.write(people.block, 2)
    await house.case_waits(DAWN - 30 * HOUR)
    house.clock.time += HOUR
    assert await house.told() == []
    for number in (1, 2):
        await house.services.storage.write(people.seen, number, None)
    assert [chat for chat, _ in await house.told()] == [1, 2, 1, 2]


async def test_the_digest_tells_what_waits(house: House) -> None:
    await house.doctor(1)
    await house.case_waits(DAWN - 30 * HOUR)
    await house.case_waits(DAWN - 2 * HOUR)
    house.clock.time += HOUR
    text = next(text for _, text in await house.told() if "Daily" in text)
    assert "Waiting: 2, the oldest for 1 day" in text and "Longer than 24 h: 1" in text


async def test_a_digest_missed_is_caught_up_but_not_at_night(house: House) -> None:
    await house.doctor(1)
    house.clock.time = DAWN + 16 * HOUR
    assert await house.told() == []
    house.clock.time = DAWN + 10 * HOUR
    assert len(await house.told()) == 1


async def test_each_case_is_reminded_of_once_and_not_in_quiet_hours(house: House) -> None:
    await house.doctor(1, replace(USUAL, digested_on=datetime(2026, 11, 3).date(), hour=23))
    await house.doctor(2, replace(USUAL, zone=BERLIN, hour=23))
    await house.case_waits(DAWN - 23 * HOUR)
    assert await house.told() == []
    house.clock.time += HOUR
    [(chat, text)] = await house.told()
    assert chat == 1 and "waited longer than 24 h: 1" in text
    await house.case_waits(DAWN - 22 * HOUR)
    house.clock.time += 8 * HOUR
    reminded = await house.told()
    assert [chat for chat, _ in reminded] == [1, 2]
    assert " h: 1" in reminded[0][1] and " h: 2" in reminded[1][1]
    house.clock.time += HOUR
    assert await house.told() == []


async def test_a_case_in_somebodys_hands_is_reminded_of_once_it_is_free(house: House) -> None:
    wanted = replace(USUAL, digested_on=datetime(2026, 11, 3).date(), hour=23)
    await house.doctor(1, wanted)
    await house.case_waits(DAWN - 25 * HOUR)
    write = house.services.storage.write
    for state in ("read", "classified", "answered", "under_review"):
        await write(lambda tx, state=state: tx.run("UPDATE cases SET state = :s", s=state))
    assert await house.told() == []
    await write(lambda tx: tx.run("UPDATE cases SET state = 'answered'"))
    [(_, text)] = await house.told()
    assert "waited longer than 24 h: 1" in text


async def test_a_case_in_somebodys_hands_is_not_lost_behind_one_that_was_reminded_of(
    house: House,
) -> None:
    wanted = replace(USUAL, digested_on=datetime(2026, 11, 3).date(), hour=23)
    await house.doctor(1, wanted)
    write = house.services.storage.write

    async def steps(case_id: int, *states: str) -> None:
        sql = "UPDATE cases SET state = :state, changed_at = :now WHERE id = :id"
        for state in states:
            await write(lambda tx, state=state: tx.run(sql, state=state, id=case_id))

    for case_id in (1, 2):
        await house.case_waits(DAWN - 25 * HOUR)
        await steps(case_id, "read", "classified", "answered")
    await steps(1, "under_review")
    house.clock.time += HOUR
    assert [" h: 1" in text for _, text in await house.told()] == [True]
    house.clock.time += HOUR
    await steps(1, "answered")
    assert [" h: 1" in text for _, text in await house.told()] == [True]
    # Once: what was reminded of while it was free is not told again when it is free again.
    house.clock.time += HOUR
    await steps(2, "under_review")
    house.clock.time += HOUR
    await steps(2, "answered")
    house.clock.time += HOUR
    assert await house.told() == []


async def test_a_case_that_a_doctor_skipped_is_reminded_of_once_they_may_take_it(
    house: House,
) -> None:
    doctor = await house.doctor(
        1, replace(USUAL, digested_on=datetime(2026, 11, 3).date(), hour=23)
    )
    await house.case_waits(DAWN - 25 * HOUR)

    def skip(tx: Tx) -> None:
        tx.insert("review_skips", case_id=1, doctor_id=doctor.id, until_at=DAWN + HOUR)

    await house.services.storage.write(skip)
    assert await house.told() == []
    house.clock.time += HOUR
    [(_, text)] = await house.told()
    assert "waited longer than 24 h: 1" in text


async def test_who_turned_it_off_and_who_was_revoked_hear_nothing(house: House) -> None:
    await house.doctor(1, replace(USUAL, news=False))
    revoked = await house.doctor(2)
    await house.services.storage.write(staff.revoke, revoked.id)
    await house.case_waits(DAWN - 48 * HOUR)
    house.clock.time += 2 * HOUR
    assert await house.told() == []


@pytest.mark.parametrize(
    ("asked", "changes"),
    [
        ("7", {"hour": 7}),
        ("23-6", {"quiet_from": 23, "quiet_until": 6}),
        ("22\uff0d6", {"quiet_from": 22, "quiet_until": 6}),
        ("0 – 0", {"quiet_from": 0, "quiet_until": 0}),
        ("europe/berlin", {"zone": BERLIN}),
        ("America/New York", {"zone": "America/New_York"}),
    ],
)
def test_wishes_are_read_as_people_write_them(asked: str, changes: dict[str, Any]) -> None:
    assert changed_by(USUAL, asked) == replace(USUAL, **changes)


@pytest.mark.parametrize("asked", ["24", "-1", "1-2-3", "Mars/Olympus", "22-", "<b>"])
def test_what_is_no_wish_changes_nothing(asked: str) -> None:
    assert changed_by(USUAL, asked) is None


@pytest.mark.parametrize(
    ("start", "end", "quiet"),
    [(22, 7, {22, 23, 0, 1, 2, 3, 4, 5, 6}), (1, 4, {1, 2, 3}), (0, 0, set()), (5, 5, set())],
)
def test_quiet_hours_may_go_over_midnight(start: int, end: int, quiet: set[int]) -> None:
    wanted = replace(USUAL, quiet_from=start, quiet_until=end)
    assert {hour for hour in range(24) if wanted.is_quiet(hour)} == quiet


def test_an_hour_chosen_in_quiet_hours_is_kept() -> None:
    assert is_due(replace(USUAL, hour=6), DAWN - HOUR)


@pytest.mark.parametrize("mode", ["polling", "webhook"], indirect=True)
async def test_a_doctor_changes_when_they_hear_of_work(off_stage: Stage) -> None:
    async with await Storage.open(off_stage.data_dir) as storage:
        await storage.write(staff.add, 71, Role.DOCTOR, "Dr. Li")
    await off_stage.start()
    doctor: User = off_stage.sim.user(71, language="en")
    await doctor.says("/digest")
    told = await doctor.sees("Overview at 8:00, time zone Asia/Shanghai")
    assert "Quiet from 22:00 to 7:00" in told.text
    await doctor.taps("Turn off")
    await doctor.sees("are off")
    await doctor.taps("Turn on")
    await doctor.says("/digest Europe/Berlin")
    await doctor.sees("time zone Europe/Berlin")
    await doctor.says("/digest sometimes")
    await doctor.sees("To change it, write for example")
    assert off_stage.value("SELECT zone FROM doctor_preferences") == "Europe/Berlin"
