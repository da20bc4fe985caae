"""A storage in a fresh folder, a clock one can turn, and things to put in."""

import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest

from storage import Storage, cases, images, people, work
from storage.cases import Case, CaseState, FileKind, StoredFinding, Upload, UploadedFile
from storage.images import Image, ImageKind
from storage.people import Person
from storage.transaction import Row, Tx

MINUTE = timedelta(minutes=1)


class Explaining(Tx):
    """Writes down how each query is to be answered."""

    plans: ClassVar[list[str]] = []

    def rows(self, sql: str, /, **values: object) -> list[Row]:
        for step in super().rows(f"EXPLAIN QUERY PLAN {sql}", **values):
            self.plans.append(step["detail"])
        return super().rows(sql, **values)


class Hands:
    """Turns the clock and plays patients and workers."""

    def __init__(self) -> None:
        self.time = datetime(2026, 7, 4, 12, tzinfo=UTC)
        self.storage: Storage
        self._numbers = count(1)

    def now(self) -> datetime:
        return self.time

    def wait(self, time: timedelta) -> None:
        self.time += time

    async def person(self, telegram_id: int = 4242, code: str = "en") -> Person:
        return await self.storage.write(people.seen, telegram_id, code)

    def file(self, unique_id: str | None = None) -> UploadedFile:
        n = next(self._numbers)
        return UploadedFile(n, FileKind.PHOTO, f"file-{n}", unique_id or f"unique-{n}", 1000)

    async def send(self, person: Person, note: str | None = None) -> Case:
        upload = Upload(person_id=person.id, files=(self.file(),), note=note)
        return await self.storage.write(cases.receive, upload)

    async def take(self, worker: str = "worker") -> Case | None:
        return await self.storage.write(work.lease_next, worker, MINUTE)

    async def bring(self, case: Case, state: CaseState) -> Case:
        """Take all legal steps up to a state."""
        way = {
            CaseState.RECEIVED: [],
            CaseState.REFUSED: [CaseState.REFUSED],
            CaseState.FAILED: [CaseState.FAILED],
            CaseState.WITHDRAWN: [CaseState.WITHDRAWN],
        }
        line = [CaseState.READ, CaseState.CLASSIFIED, CaseState.ANSWERED]
        line += [CaseState.UNDER_REVIEW, CaseState.REVIEWED]
        steps = way[state] if state in way else line[: line.index(state) + 1]
        for step in steps:
            reason = "broken" if step in (CaseState.REFUSED, CaseState.FAILED) else None
            case = await self.storage.write(cases.advance, case.id, step, reason=reason)
        return case

    async def image(
        self, case: Case, kind: ImageKind = ImageKind.SCAN, pixels: bytes = b"pixels"
    ) -> Image:
        sealed = await self.storage.images.seal(pixels)
        return await self.storage.write(images.attach, sealed, case.id, kind)

    async def answered(self, person: Person, note: str | None = None) -> Case:
        """Send a scan and answer it, with a finding."""
        case = await self.bring(await self.send(person, note), CaseState.READ)
        await self.storage.write(cases.add_finding, case.id, finding())
        await self.storage.write(cases.advance, case.id, CaseState.CLASSIFIED)
        return await self.storage.write(cases.advance, case.id, CaseState.ANSWERED)


def finding() -> StoredFinding:
    return StoredFinding(
        model="xray-1",
        modality="xray",
        normal=0.1,
        bacterial=0.7,
        viral=0.2,
        label="bacterial",
        doubts=("low_margin",),
        slices=1,
        seconds=0.2,
        saliency=cases.Saliency(1, 2, bytes(8)),
        places='{"deciding": [3]}',
    )


@pytest.fixture
def a_finding() -> StoredFinding:
    return finding()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def hands(folder: Path, empty_data_dir: Path) -> AsyncIterator[Hands]:
    hands = Hands()
    shutil.copytree(empty_data_dir, folder)
    async with await Storage.open(folder, clock=hands.now) as hands.storage:
        yield hands


@pytest.fixture
def storage(hands: Hands) -> Storage:
    return hands.storage


@pytest.fixture
def traces(folder: Path) -> Callable[[bytes], list[str]]:
    """Search every file of the data dir for bytes; gives the names of those that hold them."""

    def search(needle: bytes) -> list[str]:
        return [
            path.name
            for path in folder.rglob("*")
            if path.is_file() and (needle in path.read_bytes() or needle in path.name.encode())
        ]

    return search
