from typing import Any

from storage import Storage, alarms, jobs, pause, troubles
from storage.jobs import WELL
from storage.troubles import QUIET

from .conftest import MINUTE


async def test_a_run_that_fails_keeps_when_it_last_went_well(hands: Any, storage: Storage) -> None:
    await storage.write(jobs.ran, "backup", WELL)
    well = hands.time
    hands.wait(MINUTE)
    await storage.write(jobs.ran, "backup", "StorageFull")
    run = (await storage.read(jobs.runs))["backup"]
    assert (run.ran_at, run.outcome, run.well_at) == (hands.time, "StorageFull", well)
    hands.wait(MINUTE)
    await storage.write(jobs.ran, "backup", WELL)
    run = (await storage.read(jobs.runs))["backup"]
    assert run.well_at == run.ran_at == hands.time


async def test_a_job_that_never_went_well_says_so(storage: Storage) -> None:
    await storage.write(jobs.ran, "backup", "StorageFull")
    assert (await storage.read(jobs.runs))["backup"].well_at is None


async def test_an_alarm_begins_once_until_it_ends(storage: Storage) -> None:
    assert await storage.write(alarms.begin, "disk")
    assert not await storage.write(alarms.begin, "disk")
    assert await storage.write(alarms.begin, "cases")
    await storage.write(alarms.end, "disk")
    assert await storage.write(alarms.begin, "disk")


async def test_a_kind_of_error_is_told_once_a_day_with_its_count(
    hands: Any, storage: Storage
) -> None:
    assert await storage.write(troubles.note, "KeyError", "bot/a.py:1") == 1
    for _ in range(5):
        assert await storage.write(troubles.note, "KeyError", "bot/a.py:1") == 0
    assert await storage.write(troubles.note, "KeyError", "bot/b.py:1") == 1
    assert await storage.write(troubles.note, "ValueError", "bot/a.py:1") == 1
    hands.wait(QUIET)
    assert await storage.write(troubles.note, "KeyError", "bot/a.py:1") == 6
    assert await storage.write(troubles.note, "KeyError", "bot/a.py:1") == 0


async def test_an_error_not_seen_for_long_is_forgotten(hands: Any, storage: Storage) -> None:
    await storage.write(troubles.note, "KeyError", "bot/a.py:1")
    hands.wait(MINUTE)
    await storage.write(troubles.prune, hands.time)
    assert await storage.write(troubles.note, "KeyError", "bot/a.py:1") == 1


async def test_a_pause_goes_on_until_it_is_ended(hands: Any, storage: Storage) -> None:
    assert await storage.read(pause.current) is None
    await storage.write(pause.begin, None)
    since = hands.time
    hands.wait(MINUTE)
    await storage.write(pause.begin, "back on <Monday>")
    now = await storage.read(pause.current)
    assert now == pause.Pause("back on <Monday>", since)
    assert await storage.write(pause.end)
    assert not await storage.write(pause.end)
    assert await storage.read(pause.current) is None
