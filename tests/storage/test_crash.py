"""A process killed while it writes; what it was told is committed must be there, and whole."""

import random
import signal
import subprocess
import sys
from pathlib import Path

from storage import Storage
from storage.backups import verify
from storage.transaction import Tx

ROUNDS = 8
MEMBER = """
import asyncio, sys
from pathlib import Path
from storage import Storage, cases, images, outbox, people, updates
from storage.cases import FileKind, Upload, UploadedFile
from storage.outbox import Outgoing, OutKind

def take_in(tx, n):
    assert updates.first_time(tx, n)
    person = people.seen(tx, n % 7, "en")
    file = UploadedFile(n, FileKind.PHOTO, "f", "u", 1)
    case = cases.receive(tx, Upload(person_id=person.id, files=(file,)))
    out = Outgoing(key=f"{n}", chat_id=n % 7, kind=OutKind.MESSAGE, case_id=case.id)
    outbox.enqueue(tx, out)
    return case.id

async def main(folder, n):
    async with await Storage.open(Path(folder)) as storage:
        await storage.recover()
        async def go_on(n, step):
            while True:
                case_id = await storage.write(take_in, n)
                sealed = await storage.images.seal(b"pixels")
                await storage.write(images.attach, sealed, case_id, "scan")
                for row in await storage.write(outbox.lease_due, 1):
                    await storage.write(outbox.sent, row.id, n)
                print(n, flush=True)
                n += step
        await asyncio.gather(*(go_on(n + i, 4) for i in range(4)))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def run_and_kill(folder: Path, first: int, lines: int) -> list[int]:
    """Let a process write and kill it after so many writes; gives what it said is committed."""
    command = [sys.executable, "-c", MEMBER, str(folder), str(first)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    return [int(line) for line in said if line.endswith("\n")]


def strays(tx: Tx) -> list[dict[str, int]]:
    """Give the updates of which only a part was written."""
    return tx.rows(
        """SELECT update_id FROM updates WHERE
               (SELECT count(*) FROM scans WHERE message_id = update_id) <> 1
            OR (SELECT count(*) FROM outbox WHERE key = CAST(update_id AS TEXT)) <> 1"""
    )


async def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_half(folder: Path) -> None:
    dice = random.Random(3)
    said: list[int] = []
    first = 1
    for _ in range(ROUNDS):
        said += run_and_kill(folder, first, dice.randrange(1, 40))
        async with await Storage.open(folder) as storage:
            kept = {row["update_id"] for row in await storage.read(all_updates)}
            assert set(said) <= kept
            assert await storage.read(strays) == []
            counted = await storage.read(counts)
            assert counted["updates"] == counted["cases"] == counted["outbox"] == counted["scans"]
            assert counted["events"] == counted["cases"]
            for image in await storage.read(image_ids):
                assert await storage.images.load(image) == b"pixels"
            found = await storage.recover()
            assert found.unknown <= 4
            assert await storage.read(pending) + await storage.read(done) == len(kept)
        verify(folder / "bot.sqlite3")
        first = max(kept) + 1
    assert len(said) > ROUNDS


def all_updates(tx: Tx) -> list[dict[str, int]]:
    return tx.rows("SELECT update_id FROM updates")


def image_ids(tx: Tx) -> list[str]:
    return [row["id"] for row in tx.rows("SELECT id FROM images")]


def pending(tx: Tx) -> int:
    return int(tx.value("SELECT count(*) FROM outbox WHERE state = 'pending'"))


def done(tx: Tx) -> int:
    return int(tx.value("SELECT count(*) FROM outbox WHERE state IN ('sent', 'unknown')"))


def counts(tx: Tx) -> dict[str, int]:
    row = tx.row(
        """SELECT (SELECT count(*) FROM updates) AS updates,
               (SELECT count(*) FROM cases) AS cases, (SELECT count(*) FROM outbox) AS outbox,
               (SELECT count(*) FROM scans) AS scans,
               (SELECT count(*) FROM case_events) AS events"""
    )
    assert row is not None
    return row
