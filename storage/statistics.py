"""How the service does, in numbers: each looks at so much that 100,000 cases cost it little."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from storage.agreement import ModelRecord, records
from storage.transaction import Tx

DAY = timedelta(days=1)
# Offsets from UTC change by multiples of it.
_STEP = timedelta(minutes=30)
_TICK = timedelta(microseconds=1)
# The latest answers that the time to an answer is taken from.
ANSWERS = 1000

# The first such event is the answer; later ones mean that a doctor gave the case back.
_FIRST_ANSWER = """e.step = 'answered' AND NOT EXISTS (
    SELECT 1 FROM case_events AS p
    WHERE p.case_id = e.case_id AND p.step = 'answered' AND p.id < e.id)"""


@dataclass(frozen=True, slots=True)
class Latency:
    """From the picture to the answer: half came within `median`, 95 % within `most`."""

    answers: int
    median: timedelta
    most: timedelta


@dataclass(frozen=True, slots=True)
class Statistics:
    """All of it; `image_bytes` without what encryption adds."""

    today: int
    week: int
    total: int
    latency: Latency | None
    refusals: tuple[tuple[str, int], ...]
    models: tuple[ModelRecord, ...]
    image_bytes: int


@dataclass(frozen=True, slots=True)
class Daily:
    """What came on a day, and the answers by label.

    "" stands for an unsure answer, "pneumonia" for one whose kind is not clear.
    """

    scans: int
    labels: dict[str, int]


@dataclass(frozen=True, slots=True)
class Ended:
    """A case that came to an end, and how long after it came in; `id` is that of the event."""

    id: int
    outcome: str
    after: timedelta


def gather(tx: Tx, today: datetime) -> Statistics:
    """Take all numbers; `today` is when the day began."""
    refused = tx.rows(
        """SELECT reason, count(*) AS n FROM cases
           WHERE state = 'refused' AND received_at >= :since
           GROUP BY reason ORDER BY n DESC, reason""",
        since=today - 29 * DAY,
    )
    return Statistics(
        today=_received(tx, today),
        week=_received(tx, today - 6 * DAY),
        total=tx.value("SELECT count(*) FROM cases"),
        latency=_latency(tx),
        refusals=tuple((row["reason"], row["n"]) for row in refused),
        models=records(tx),
        image_bytes=tx.value("SELECT coalesce(sum(size), 0) FROM images"),
    )


def daily(tx: Tx, today: datetime, days: int) -> list[Daily]:
    """Give the last days one by one, the oldest first, each as long as it was in the zone."""
    since = today - (days - 1) * DAY
    span = {"since": since, "step": _STEP // _TICK}
    scans = tx.rows(
        """SELECT (received_at - :since) / :step AS step, count(*) AS n FROM cases
           WHERE received_at >= :since GROUP BY step""",
        **span,
    )
    labels = tx.rows(
        """SELECT (made_at - :since) / :step AS step, count(*) AS n,
               coalesce(label, iif(is_pneumonia, 'pneumonia', '')) AS answer
           FROM findings WHERE made_at >= :since GROUP BY step, answer""",
        **span,
    )
    received, answers = Counter[date](), defaultdict[date, Counter[str]](Counter)
    for row in scans:
        received[_day(since, row["step"])] += row["n"]
    for row in labels:
        answers[_day(since, row["step"])][row["answer"]] += row["n"]
    wanted = [since.date() + n * DAY for n in range(days)]
    return [Daily(received[day], dict(answers[day])) for day in wanted]


def _day(since: datetime, step: int) -> date:
    """Tell on which day of the zone a step began: after summer time one has 25 hours."""
    return (since.astimezone(UTC) + step * _STEP).astimezone(since.tzinfo).date()


def newest_event(tx: Tx) -> int:
    """Give the id of what happened last to a case."""
    return int(tx.value("SELECT coalesce(max(id), 0) FROM case_events"))


def ended(tx: Tx, after: int, limit: int = 10_000) -> list[Ended]:
    """Give the cases that ended after an event, oldest first."""
    rows = tx.rows(
        f"""SELECT e.id, iif(e.detail = 'duplicate', e.detail, e.step) AS outcome,
                e.at - c.received_at AS after
            FROM case_events AS e JOIN cases AS c ON c.id = e.case_id
            WHERE e.id > :after AND (e.step IN ('refused', 'failed', 'withdrawn', 'reviewed')
                OR {_FIRST_ANSWER})
            ORDER BY e.id LIMIT :limit""",
        after=after,
        limit=limit,
    )
    return [Ended(row["id"], row["outcome"], row["after"] * _TICK) for row in rows]


def _received(tx: Tx, since: datetime) -> int:
    return int(tx.value("SELECT count(*) FROM cases WHERE received_at >= :since", since=since))


def _latency(tx: Tx) -> Latency | None:
    rows = tx.rows(
        f"""SELECT e.at - c.received_at AS took FROM case_events AS e
            JOIN cases AS c ON c.id = e.case_id
            WHERE {_FIRST_ANSWER} ORDER BY e.at DESC LIMIT :limit""",
        limit=ANSWERS,
    )
    times = sorted(row["took"] for row in rows)
    if not times:
        return None
    median, most = (times[math.ceil(share * len(times)) - 1] for share in (0.5, 0.95))
    return Latency(len(times), median * _TICK, most * _TICK)
