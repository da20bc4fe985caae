import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.jobs import AGAIN_AFTER_FAILURE, JOBS, Job
from bot.texts.catalogue import Texts
from classifier.report_texts import Language
from storage.jobs import WELL, JobRun

NOW = datetime(2026, 7, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


async def nothing(_: object) -> None:
    pass


def run(ago: timedelta, outcome: str = WELL) -> JobRun:
    return JobRun("job", NOW - ago, outcome, None)


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (None, True),
        (run(DAY - TICK), False),
        (run(-DAY), True),
        (run(DAY), True),
        (run(30 * DAY), True),
        (run(AGAIN_AFTER_FAILURE - TICK, "StorageFull"), False),
        (run(AGAIN_AFTER_FAILURE, "StorageFull"), True),
    ],
)
def test_a_job_is_due_by_its_last_run_and_sooner_after_a_failure(
    last: JobRun | None, due: bool
) -> None:
    assert Job("job", DAY, nothing).is_due(last, NOW) is due


def test_what_fails_often_is_not_tried_more_often_than_it_runs() -> None:
    minute = timedelta(minutes=1)
    assert Job("job", minute, nothing).is_due(run(minute, "StorageFull"), NOW)


def test_each_job_has_a_name_of_its_own_that_people_can_read() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS)
    for language in Language:
        assert len({Texts(language)(f"job.{job.name}") for job in JOBS}) == len(JOBS)


def test_the_documents_name_each_job() -> None:
    told = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \| \d+ \w+ \|", told, re.MULTILINE) == [
        job.name for job in JOBS
    ]
