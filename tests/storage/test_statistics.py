from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from storage import Storage, agreement, cases, outbox, queues, sources, statistics
from storage.agreement import Share
from storage.cases import CaseState, StoredFinding
from storage.outbox import Outgoing, OutKind, OutState
from storage.queues import Queue
from storage.statistics import Daily
from storage.transaction import Tx

from .conftest import MINUTE

DAY = timedelta(days=1)


def found(
    normal: float,
    label: str | None,
    model: str = "m1",
    bacterial: float | None = None,
    is_pneumonia: bool = False,
) -> StoredFinding:
    rest = 1 - normal if bacterial is None else bacterial
    return StoredFinding(
        model=model,
        modality="xray",
        normal=normal,
        bacterial=rest,
        viral=max(0.0, 1 - normal - rest),
        label=label,
        is_pneumonia=is_pneumonia,
    )


async def answered(hands: Any, finding: StoredFinding, verdict: str = "", within: Any = 0) -> None:
    """Answer a case after some seconds, and let a doctor judge it."""
    case = await hands.bring(await hands.send(await hands.person()), CaseState.READ)
    await hands.storage.write(cases.add_finding, case.id, finding)
    hands.wait(timedelta(seconds=within))
    await hands.storage.write(cases.advance, case.id, CaseState.CLASSIFIED)
    await hands.storage.write(cases.advance, case.id, CaseState.ANSWERED)
    if verdict:
        await hands.storage.write(review, case.id, verdict)


def review(tx: Tx, case_id: int, verdict: str) -> None:
    cases.advance(tx, case_id, CaseState.UNDER_REVIEW)
    cases.advance(tx, case_id, CaseState.REVIEWED)
    tx.insert("reviews", case_id=case_id, verdict=verdict, how="one", decided_at=tx.time)


async def test_scans_are_counted_for_today_the_week_and_ever(hands: Any, storage: Storage) -> None:
    person = await hands.person()
    for days in (10, 5, 1, 0):
        hands.time -= days * DAY
        await hands.send(person)
        hands.time += days * DAY
    midnight = hands.time.replace(hour=0)
    numbers = await storage.read(statistics.gather, midnight)
    assert (numbers.today, numbers.week, numbers.total) == (1, 3, 4)


async def test_latency_is_from_the_picture_to_its_first_answer(
    hands: Any, storage: Storage
) -> None:
    assert (await storage.read(statistics.gather, hands.time)).latency is None
    for seconds in range(1, 21):
        await answered(hands, found(0.9, "normal"), within=seconds)
    # What comes back from a doctor unjudged was answered long before.
    await storage.write(cases.advance, 1, CaseState.UNDER_REVIEW)
    hands.wait(DAY)
    await storage.write(cases.advance, 1, CaseState.ANSWERED)
    latency = (await storage.read(statistics.gather, hands.time)).latency
    assert latency is not None
    assert (latency.answers, latency.median, latency.most) == (
        20,
        timedelta(seconds=10),
        timedelta(seconds=19),
    )


async def test_refusals_of_thirty_days_are_counted_by_reason(hands: Any, storage: Storage) -> None:
    person = await hands.person()
    for reason, days in (("broken", 31), ("broken", 2), ("not_chest", 1), ("not_chest", 0)):
        hands.time -= days * DAY
        case = await hands.send(person)
        await storage.write(cases.advance, case.id, CaseState.REFUSED, reason=reason)
        hands.time += days * DAY
    numbers = await storage.read(statistics.gather, hands.time.replace(hour=0))
    assert numbers.refusals == (("not_chest", 2), ("broken", 1))


async def test_each_day_has_its_scans_and_answers(hands: Any, storage: Storage) -> None:
    midnight = hands.time.replace(hour=0)
    await answered(hands, found(0.9, "normal"))
    await answered(hands, found(0.5, None))
    for _ in range(2):
        await answered(hands, found(0.1, None, is_pneumonia=True))
    hands.time -= DAY
    await answered(hands, found(0.1, "bacterial"))
    hands.time -= 5 * DAY
    await hands.send(await hands.person())
    days = await storage.read(statistics.daily, midnight, 3)
    assert days == [
        Daily(0, {}),
        Daily(1, {"bacterial": 1}),
        Daily(4, {"normal": 1, "": 1, "pneumonia": 2}),
    ]


@pytest.mark.parametrize(
    ("zone", "month"),
    [("Europe/Berlin", 11), ("Europe/Berlin", 4), ("Australia/Lord_Howe", 4), ("Asia/Kolkata", 4)],
)
async def test_no_day_loses_an_hour_where_clocks_were_put_forward_or_back(
    hands: Any, storage: Storage, zone: str, month: int
) -> None:
    person = await hands.person()
    today = datetime(2026, month, 20, tzinfo=ZoneInfo(zone))
    for day in range(29, -1, -1):
        for hour, minute in ((0, 0), (23, 59)):
            at = (today - day * DAY).replace(hour=hour, minute=minute)
            hands.time = at.astimezone(UTC)
            await hands.send(person)
    assert await storage.read(statistics.daily, today, 30) == [Daily(2, {})] * 30


async def test_ends_are_told_once_each_from_an_event_on(hands: Any, storage: Storage) -> None:
    await answered(hands, found(0.9, "normal"), verdict="viral", within=3)
    start = await storage.read(statistics.newest_event)
    assert [each.outcome for each in await storage.read(statistics.ended, 0)] == [
        "answered",
        "reviewed",
    ]
    assert await storage.read(statistics.ended, start) == []
    person = await hands.person()
    again = await hands.send(person)
    await storage.write(cases.mark_duplicate, again.id, 1)
    for state in (CaseState.WITHDRAWN, CaseState.FAILED, CaseState.REFUSED):
        await hands.bring(await hands.send(person), state)
    ended = await storage.read(statistics.ended, start)
    assert [each.outcome for each in ended] == ["duplicate", "withdrawn", "failed", "refused"]
    (first, _) = await storage.read(statistics.ended, 0, 2)
    assert first.after == timedelta(seconds=3)


class TestAgreement:
    async def test_a_model_is_right_where_it_was_sure_and_a_doctor_said_the_same(
        self, hands: Any, storage: Storage
    ) -> None:
        for finding, verdict in (
            (found(0.95, "normal"), "normal"),
            (found(0.95, "normal"), "normal"),
            (found(0.95, "normal"), "viral"),
            (found(0.55, None), "normal"),
            # What a model cannot say, and what nobody could see, does not count.
            (found(0.95, "normal"), "other"),
            (found(0.95, "normal"), "unreadable"),
            (found(0.95, "normal"), ""),
        ):
            await answered(hands, finding, verdict)
        (record,) = await storage.read(agreement.records)
        assert (record.model, record.agreed, record.unsure) == ("m1", Share(2, 3), 1)

    async def test_pneumonia_of_a_kind_that_is_not_clear_agrees_with_either_kind(
        self, hands: Any, storage: Storage
    ) -> None:
        for verdict in ("bacterial", "viral", "normal", "other"):
            await answered(hands, found(0.1, None, is_pneumonia=True), verdict)
        (record,) = await storage.read(agreement.records)
        assert (record.agreed, record.unsure) == (Share(2, 3), 0)

    async def test_calibration_goes_by_the_likeliest_class(
        self, hands: Any, storage: Storage
    ) -> None:
        for finding, verdict in (
            (found(0.95, "normal"), "normal"),
            (found(1.0, "normal"), "viral"),
            (found(0.2, "bacterial"), "bacterial"),
            (found(0.4, None, bacterial=0.35), "normal"),
        ):
            await answered(hands, finding, verdict)
        (record,) = await storage.read(agreement.records)
        assert [(step.lowest, step.expected, step.right) for step in record.steps] == [
            (0.0, 0.4, Share(1, 1)),
            (0.7, 0.8, Share(1, 1)),
            (0.9, 0.975, Share(1, 2)),
        ]

    async def test_each_model_stands_for_itself_the_last_one_first(
        self, hands: Any, storage: Storage
    ) -> None:
        await answered(hands, found(0.9, "normal", "old"), "normal")
        hands.wait(MINUTE)
        await answered(hands, found(0.9, "normal", "new"), "viral")
        records = await storage.read(agreement.records)
        assert [(record.model, record.agreed.part) for record in records] == [
            ("new", 0),
            ("old", 1),
        ]

    @pytest.mark.parametrize(
        ("part", "whole", "low", "high"),
        # Newcombe 1998, table I, method 3.
        [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
    )
    def test_intervals_are_wilson_s(self, part: int, whole: int, low: float, high: float) -> None:
        assert Share(part, whole).interval() == pytest.approx((low, high), abs=1e-4)

    def test_none_of_none_tells_nothing(self) -> None:
        assert Share(0, 0).interval() == (0.0, 1.0)


class TestQueues:
    async def test_what_waits_is_counted_and_how_long(self, hands: Any, storage: Storage) -> None:
        empty = await storage.read(queues.look)
        assert empty.cases == empty.outbox[OutState.SENDING] == Queue()
        since = hands.time
        await hands.send(await hands.person())
        for number in range(3):
            out = Outgoing(key=f"m{number}", chat_id=number, kind=OutKind.MESSAGE)
            await storage.write(outbox.enqueue, out)
        hands.wait(MINUTE)
        (first, second) = await storage.write(outbox.lease_due, 2)
        await storage.write(outbox.failed, first.id, "no")
        found = await storage.read(queues.look)
        assert found.cases == Queue(1, since)
        assert found.outbox == {
            OutState.PENDING: Queue(1, since),
            OutState.SENDING: Queue(1, hands.time),
            OutState.UNKNOWN: Queue(),
            OutState.FAILED: Queue(1, hands.time),
        }
        await storage.write(outbox.unknown, second.id)
        assert (await storage.read(queues.look)).outbox[OutState.UNKNOWN].length == 1


async def test_sources_are_counted_newest_first_page_by_page(hands: Any, storage: Storage) -> None:
    made = [await storage.write(sources.create, f"Clinic {n}") for n in range(3)]
    person = await hands.person()
    await storage.write(lambda tx: tx.run("UPDATE people SET source_id = :id", id=made[1].id))
    await hands.send(person)
    await hands.send(person)
    tallies = await storage.read(sources.tallies, 2)
    assert [(each.source.name, each.people, each.cases) for each in tallies] == [
        ("Clinic 2", 0, 0),
        ("Clinic 1", 1, 2),
    ]
    (last,) = await storage.read(sources.tallies, 2, made[1].id)
    assert last.source.name == "Clinic 0"
    assert await storage.read(sources.tally, 99) is None
