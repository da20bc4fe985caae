from datetime import timedelta
from typing import Any

from storage import Storage, dialogs
from storage.dialogs import Dialog

MINUTE = timedelta(minutes=1)


async def test_a_question_stays_open_until_it_is_closed(storage: Storage) -> None:
    await storage.write(dialogs.begin, 7, "invite", {"role": "doctor", "name": "李"}, MINUTE)
    asked = Dialog("invite", {"role": "doctor", "name": "李"})
    assert await storage.read(dialogs.current, 7) == asked
    assert await storage.read(dialogs.current, 8) is None
    assert await storage.write(dialogs.end, 7)
    assert not await storage.write(dialogs.end, 7)
    assert await storage.read(dialogs.current, 7) is None


async def test_a_new_question_takes_the_place_of_the_old_one(storage: Storage) -> None:
    await storage.write(dialogs.begin, 7, "invite", {}, MINUTE)
    await storage.write(dialogs.begin, 7, "comment", {"case": 3}, MINUTE)
    assert await storage.read(dialogs.current, 7) == Dialog("comment", {"case": 3})


async def test_after_its_time_nothing_is_asked_and_nothing_of_it_stays(
    hands: Any, storage: Storage
) -> None:
    await storage.write(dialogs.begin, 7, "comment", {"words": "private"}, MINUTE)
    hands.wait(MINUTE)
    assert await storage.read(dialogs.current, 7) is None
    assert not await storage.write(dialogs.end, 7)
    await storage.write(dialogs.begin, 7, "comment", {"words": "private"}, MINUTE)
    hands.wait(MINUTE)
    await storage.write(dialogs.begin, 8, "invite", {}, MINUTE)
    count = await storage.read(lambda tx: tx.value("SELECT count(*) FROM dialogs"))
    assert count == 1


async def test_a_question_outlives_a_restart(hands: Any, storage: Storage, folder: Any) -> None:
    await storage.write(dialogs.begin, 7, "invite", {"role": "admin"}, MINUTE)
    await storage.close()
    async with await Storage.open(folder, clock=hands.now) as reopened:
        assert await reopened.read(dialogs.current, 7) == Dialog("invite", {"role": "admin"})
