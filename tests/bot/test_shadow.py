import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bot import shadow as module
from bot.shadow import Accepted, Shadow
from classifier.labels import Finding, Label, Modality
from classifier.reading.scan import Scan, Study, Units

STUDY = Study((Scan(np.zeros((10, 10), np.float32), Units.GREY, None, None),))
ONE = [Accepted(STUDY, Modality.XRAY)]


class Candidate:
    """Finds each study as normal as it was told, once it may."""

    def __init__(self, *normal: float) -> None:
        self.models = {Modality.XRAY: None}
        self.normal = list(normal)
        self.asked = 0
        self.may = asyncio.Event()
        self.may.set()

    async def estimate(self, study: Study, modality: Modality) -> Finding:
        self.asked += 1
        await self.may.wait()
        share = self.normal[self.asked - 1]
        shares = {Label.NORMAL: share, Label.BACTERIAL: 1 - share, Label.VIRAL: 0.0}
        saliency = np.zeros((1, 1), np.float32)
        return Finding(modality, shares, None, saliency, frozenset(), "candidate", 1)


class Storage:
    """Tells how many cases wait, and keeps what is written."""

    def __init__(self) -> None:
        self.waiting = 0
        self.looks = 0
        self.kept: list[tuple[int, float]] = []

    async def read(self, _: object) -> int:
        self.looks += 1
        return self.waiting

    async def write(self, _: object, case_id: int, finding: Any) -> None:
        self.kept.append((case_id, finding.normal))


@asynccontextmanager
async def running(candidate: Candidate, storage: Storage) -> AsyncIterator[Shadow]:
    models = SimpleNamespace(candidates=candidate)
    shadow = Shadow(SimpleNamespace(models=models, storage=storage))  # type: ignore[arg-type]  # stand-ins
    task = asyncio.create_task(shadow.run())
    try:
        yield shadow
    finally:
        task.cancel()


def case(number: int) -> Any:
    return SimpleNamespace(id=number, number=f"CASE{number:04}")


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST_SECONDS", 0)


async def until(happened: Any) -> None:
    async with asyncio.timeout(5):
        while True:
            if happened():
                return
            await asyncio.sleep(0)


async def test_a_candidate_looks_only_while_nobody_waits() -> None:
    candidate, storage = Candidate(0.4), Storage()
    storage.waiting = 1
    async with running(candidate, storage) as shadow:
        shadow.offer(case(1), ONE)
        await until(lambda: storage.looks > 5)
        assert candidate.asked == 0
        storage.waiting = 0
        await until(lambda: storage.kept)
    assert storage.kept == [(1, 0.4)]


async def test_too_much_at_once_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 2 * STUDY.scans[0].pixels.nbytes)
    candidate, storage = Candidate(0.1, 0.2, 0.3), Storage()
    candidate.may.clear()
    async with running(candidate, storage) as shadow:
        for number in (1, 2, 3):
            shadow.offer(case(number), ONE)
        candidate.may.set()
        await until(lambda: len(storage.kept) == 2)
        shadow.offer(case(4), ONE)
        await until(lambda: len(storage.kept) == 3)
    assert [number for number, _ in storage.kept] == [1, 2, 4]


async def test_one_larger_than_all_that_may_wait_is_looked_at_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    candidate, storage = Candidate(0.1), Storage()
    async with running(candidate, storage) as shadow:
        shadow.offer(case(1), ONE)
        await until(lambda: storage.kept)


async def test_of_an_album_the_gravest_counts() -> None:
    candidate, storage = Candidate(0.9, 0.2, 0.5), Storage()
    async with running(candidate, storage) as shadow:
        shadow.offer(case(1), ONE * 3)
        await until(lambda: storage.kept)
    assert storage.kept == [(1, 0.2)]


async def test_without_a_candidate_nothing_is_wanted() -> None:
    async with running(Candidate(), Storage()) as shadow:
        assert shadow.wants(Modality.XRAY)
        assert not shadow.wants(Modality.CT)
