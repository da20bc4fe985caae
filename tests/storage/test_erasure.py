import random
import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storage import Storage, audit, cases, database, dialogs, erasure, history, outbox, people, work
from storage.cases import CaseState, FileKind, Upload, UploadedFile
from storage.database import Database
from storage.errors import CaseGone, IllegalStep, StorageFull
from storage.images import ImageKind
from storage.outbox import Outgoing, OutKind
from storage.transaction import Tx

# Every byte of it below 128, so that it is found whether it is kept as a number or as text.
TELEGRAM_ID = 0x1234567A7B7C
NOTE = "coughing since Tuesday, signed Wilhelmina"
DAY = timedelta(days=1)
# One with which `secure_delete` alone leaves something.
SEED = 2


def image_count(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "images").rglob("*"))


async def full_life(hands: Any, storage: Storage) -> tuple[int, cases.Case]:
    """A person with an answered and a waiting case, messages sent and waiting, and an image."""
    person = await hands.person(TELEGRAM_ID)
    await storage.write(people.consent, person.id, "1")
    case = await hands.answered(person, note=NOTE)
    await storage.write(cases.set_content, case.id, "abcdef12" * 8)
    image = await hands.image(case, ImageKind.REPORT)
    for key in ("first", "second"):
        payload = {"text": NOTE}
        await storage.write(
            outbox.enqueue,
            Outgoing(
                key=f"{case.number}:{key}",
                chat_id=TELEGRAM_ID,
                kind=OutKind.PHOTO,
                payload=payload,
                case_id=case.id,
                image_id=image.id,
            ),
        )
    await storage.write(
        outbox.enqueue, Outgoing(key="hello", chat_id=TELEGRAM_ID, kind=OutKind.MESSAGE)
    )
    [row] = await storage.write(outbox.lease_due)
    await storage.write(outbox.sent, row.id, 1)
    await hands.send(person, note=NOTE)
    return person.id, case


async def test_forget_leaves_no_trace_in_any_file(
    hands: Any, storage: Storage, folder: Path, traces: Callable[[bytes], list[str]]
) -> None:
    person_id, case = await full_life(hands, storage)
    needles = [
        TELEGRAM_ID.to_bytes(6, "big"),
        b"Wilhelmina",
        case.number.encode(),
        b"unique-1",
        b"file-1",
        b"abcdef12",
    ]
    assert all(traces(needle) for needle in needles)
    erased = await storage.erase(erasure.forget, person_id)
    await storage.compact()
    assert (erased.cases, len(erased.images)) == (2, 1)
    needles.append(str(TELEGRAM_ID).encode())
    assert [needle for needle in needles if traces(needle)] == []
    assert image_count(folder) == 0


def begin(tx: Tx, n: int, dice: random.Random) -> None:
    person = people.seen(tx, n + 1, "en")
    for k in range(dice.randrange(1, 4)):
        file = UploadedFile(k, FileKind.PHOTO, f"<FILE{n:04}>" * 6, "u", 1)
        note = f"<NOTE{n:04}>" * dice.randrange(1, 300)
        cases.receive(tx, Upload(person_id=person.id, files=(file,), note=note))


def end(tx: Tx, n: int) -> None:
    person = people.by_telegram_id(tx, n + 1)
    assert person is not None
    erasure.forget(tx, person.id)


async def test_forget_leaves_no_trace_in_pages_that_were_split_and_merged(
    hands: Any, storage: Storage, traces: Callable[[bytes], list[str]]
) -> None:
    dice = random.Random(SEED)
    living: list[int] = []
    gone: list[int] = []

    def come_and_go(tx: Tx) -> None:
        for _ in range(50):
            if living and dice.random() < 0.45:
                gone.append(living.pop(dice.randrange(len(living))))
                end(tx, gone[-1])
            else:
                living.append(len(living) + len(gone))
                begin(tx, living[-1], dice)

    for _ in range(16):
        await storage.write(come_and_go)
    await storage.erase(erasure.forget, (await hands.person(9999)).id)
    await storage.compact()
    kinds = (b"<FILE%04d>", b"<NOTE%04d>")
    assert [n for n in gone for kind in kinds if traces(kind % n)] == []
    assert all(traces(kind % n) for n in living for kind in kinds)


async def test_a_disk_without_room_for_it_is_not_filled_by_writing_the_file_anew(
    hands: Any, storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_id, _ = await full_life(hands, storage)
    await storage.erase(erasure.forget, person_id)
    await storage.database.scrub()
    size = storage.database.path.stat().st_size
    free = shutil.disk_usage(folder)._replace(free=size)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(StorageFull):
        await storage.compact()
    assert (folder / "bot.sqlite3-wal").stat().st_size == 0
    monkeypatch.undo()
    await storage.compact()
    assert await storage.read(erasure.remnants) == 0


async def test_what_filled_the_disk_all_the_same_leaves_the_log(
    hands: Any, storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(tx: Tx) -> None:
        raise StorageFull

    person_id, _ = await full_life(hands, storage)
    await storage.erase(erasure.forget, person_id)
    assert (folder / "bot.sqlite3-wal").stat().st_size > 0
    monkeypatch.setattr(database, "_vacuum", fill)
    with pytest.raises(StorageFull):
        await storage.compact()
    assert (folder / "bot.sqlite3-wal").stat().st_size == 0


async def test_what_forget_leaves_is_anonymous(hands: Any, storage: Storage) -> None:
    person_id, case = await full_life(hands, storage)
    await storage.erase(erasure.forget, person_id)
    left = await storage.read(history.record, case.id)
    assert left.case.person_id is None
    assert left.case.number != case.number
    assert (left.files, left.images, left.case.note) == ((), (), None)
    assert [finding.label for finding in left.findings] == ["bacterial"]
    assert await storage.read(people.get, person_id) is None
    assert await storage.read(outbox.waiting) == 0
    assert await storage.read(work.queue) == work.Queue(0, 0, 0.2)
    [line] = await storage.read(audit.lines)
    assert (line.actor, line.action, line.case_id) == (audit.PATIENT, "forget", None)


async def test_forget_leaves_others_alone(hands: Any, storage: Storage) -> None:
    person_id, _ = await full_life(hands, storage)
    other = await hands.person(2)
    case = await hands.send(other, note="mine")
    out = Outgoing(key="o", chat_id=2, kind=OutKind.MESSAGE, case_id=case.id)
    await storage.write(outbox.enqueue, out)
    await storage.erase(erasure.forget, person_id)
    record = await storage.read(history.export, other.id)
    assert record is not None and record.cases[0].case.note == "mine"
    assert await storage.read(outbox.waiting) == 1


async def test_who_was_forgotten_comes_back_as_a_stranger(hands: Any, storage: Storage) -> None:
    person_id, case = await full_life(hands, storage)
    await storage.erase(erasure.forget, person_id)
    assert (await storage.erase(erasure.forget, person_id)).cases == 0
    again = await hands.person(TELEGRAM_ID)
    assert again.id != person_id
    assert not await storage.read(people.has_consent, again.id, "1")
    assert await storage.read(history.newest, again.id) == ()
    assert await storage.read(history.own, again.id, case.number) is None


async def test_a_worker_notices_that_its_case_was_taken_back(hands: Any, storage: Storage) -> None:
    person = await hands.person()
    case = await hands.send(person)
    await hands.take("worker")
    await storage.erase(erasure.forget, person.id)
    with pytest.raises(IllegalStep) as said:
        await storage.write(cases.advance, case.id, CaseState.READ, worker="worker")
    assert said.value.before == CaseState.WITHDRAWN


async def test_deleting_one_case_erases_it_and_nothing_else(
    hands: Any, storage: Storage, folder: Path, traces: Callable[[bytes], list[str]]
) -> None:
    person_id, case = await full_life(hands, storage)
    await storage.erase(erasure.delete_case, case.id)
    left = await storage.read(history.newest, person_id)
    assert [record.case.state for record in left] == [CaseState.RECEIVED]
    assert await storage.read(history.own, person_id, case.number) is None
    assert await storage.read(history.findings, case.id) == ()
    assert await storage.read(outbox.waiting) == 1
    await storage.database.scrub()
    assert traces(b"abcdef12") == []
    assert traces(b"unique-1") == []
    assert image_count(folder) == 0
    with pytest.raises(CaseGone):
        await storage.erase(erasure.delete_case, case.id)


async def test_a_deleted_case_counts_for_limits(hands: Any, storage: Storage) -> None:
    person = await hands.person()
    case = await hands.send(person)
    await storage.erase(erasure.delete_case, case.id)
    assert await storage.read(history.received_since, person.id, person.first_seen_at) == 1
    assert (await storage.read(cases.get, case.id)).state == CaseState.WITHDRAWN
    assert await hands.take() is None


async def test_a_case_under_review_that_is_deleted_is_reviewed_no_more(
    hands: Any, storage: Storage
) -> None:
    case = await hands.bring(await hands.send(await hands.person()), CaseState.UNDER_REVIEW)
    await storage.erase(erasure.delete_case, case.id)
    assert (await storage.read(cases.get, case.id)).state == CaseState.ANSWERED


async def test_retention_erases_images_and_texts_and_keeps_the_findings(
    hands: Any, storage: Storage, folder: Path, traces: Callable[[bytes], list[str]]
) -> None:
    person_id, case = await full_life(hands, storage)
    hands.wait(30 * DAY)
    fresh = await hands.answered(await hands.person(2), note="fresh")
    await hands.image(fresh)
    assert await storage.expire(hands.time - DAY) == 2
    assert await storage.expire(hands.time - DAY) == 0
    assert traces(b"Wilhelmina") == []
    assert image_count(folder) == 1
    [shown] = await storage.read(history.newest, person_id)
    assert (shown.case.id, len(shown.findings), shown.files) == (case.id, 1, ())
    assert (await storage.read(cases.get, fresh.id)).note == "fresh"
    await storage.erase(erasure.delete_case, case.id)
    assert await storage.read(history.newest, person_id) == ()


@pytest.mark.parametrize("table", ["scans", "findings", "images"])
async def test_the_database_itself_lets_nothing_into_an_erased_case(
    hands: Any, storage: Storage, table: str, a_finding: cases.StoredFinding
) -> None:
    case = await hands.send(await hands.person())
    await storage.erase(erasure.delete_case, case.id)
    inserts = {
        "scans": "INSERT INTO scans (case_id, message_id, kind, file_id, unique_id)"
        " VALUES (1, 1, 'photo', 'f', 'u')",
        "findings": "INSERT INTO findings (case_id, model, modality, normal, bacterial, viral,"
        " doubts, slices, seconds, made_at) VALUES (1, 'm', 'ct', 1, 0, 0, '[]', 1, 0, 1)",
        "images": "INSERT INTO images (id, case_id, kind, media_type, size, added_at)"
        " VALUES ('00000000000000000000000000000000', 1, 'scan', 'image/png', 1, 1)",
    }
    with pytest.raises(sqlite3.IntegrityError, match="erased"):
        await storage.write(lambda tx: tx.run(inserts[table]))
    with pytest.raises(CaseGone):
        await storage.write(cases.add_finding, case.id, a_finding)


async def test_an_album_whose_case_was_taken_back_starts_a_new_one(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    first = Upload(person_id=person.id, files=(hands.file(),), album="album")
    case = await storage.write(cases.receive, first)
    await storage.erase(erasure.delete_case, case.id)
    later = Upload(person_id=person.id, files=(hands.file(),), album="album")
    assert (await storage.write(cases.receive, later)).id != case.id


@pytest.fixture
def written_anew(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each time that the whole file is written anew."""
    compact, times = Database.compact, []

    async def noted(self: Database) -> bool:
        times.append("now")
        return await compact(self)

    monkeypatch.setattr(Database, "compact", noted)
    return times


async def test_the_file_is_written_anew_only_if_something_was_erased(
    hands: Any, storage: Storage, written_anew: list[str]
) -> None:
    case = await hands.answered(await hands.person())
    assert await storage.expire(hands.time - DAY) == 0
    assert written_anew == []
    await storage.erase(erasure.delete_case, case.id)
    for _ in range(2):
        await storage.expire(hands.time - DAY)
    assert written_anew == ["now"]
    hands.wait(2 * DAY)
    await hands.answered(await hands.person())
    hands.wait(2 * DAY)
    assert await storage.expire(hands.time - DAY) == 1
    assert written_anew == ["now", "now"]


async def test_what_erasing_left_is_not_forgotten_over_a_restart(
    hands: Any, storage: Storage, folder: Path, written_anew: list[str]
) -> None:
    await storage.erase(erasure.forget, (await hands.person()).id)
    await storage.close()
    async with await Storage.open(folder, clock=hands.now) as after:
        await after.expire(hands.time - DAY)
        await after.expire(hands.time - DAY)
    assert written_anew == ["now"]


async def test_what_is_erased_while_the_file_is_written_anew_is_not_missed(
    hands: Any, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = await hands.person(1), await hands.person(2)

    async def meanwhile(self: Database) -> bool:
        await storage.erase(erasure.forget, bob.id)
        return True

    await storage.erase(erasure.forget, ann.id)
    monkeypatch.setattr(Database, "compact", meanwhile)
    await storage.compact()
    assert await storage.read(erasure.remnants) == 1


async def test_who_is_forgotten_is_not_left_in_an_open_question(
    hands: Any, storage: Storage
) -> None:
    person = await hands.person()
    await storage.write(dialogs.begin, person.telegram_id, "consent", {}, DAY)
    await storage.erase(erasure.forget, person.id)
    assert await storage.read(dialogs.current, person.telegram_id) is None
