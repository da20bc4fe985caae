"""What is asked for often does not go through all cases: with 100,000 it would take too long."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from storage import (
    Storage,
    audit,
    cases,
    history,
    outbox,
    queues,
    sources,
    statistics,
    work,
)
from storage.people import Person
from storage.transaction import Tx

from .conftest import Explaining

DAY = timedelta(days=1)
# Going through a table, or through a part of it in the order of its ids.
LONG_WAY = re.compile(r"SCAN (?!\w+ USING|\w+ VIRTUAL)|.*\(rowid[<>]")

Question = Callable[[Tx, Person, int], object]

# What each asks, and the long ways that are short all the same.
QUESTIONS: dict[str, tuple[Question, set[str]]] = {
    # The reviews it has picked by an index, a thousand at most.
    "statistics": (lambda tx, person, case: statistics.gather(tx, tx.time), {"SCAN r"}),
    "chart": (lambda tx, person, case: statistics.daily(tx, tx.time, 30), set()),
    "queues": (lambda tx, person, case: queues.look(tx), set()),
    # The newest findings, twenty of them.
    "queue": (lambda tx, person, case: work.queue(tx, case), {"SCAN findings"}),
    "limits": (
        lambda tx, person, case: history.received_since(tx, person.id, tx.time - DAY),
        set(),
    ),
    "same file": (
        lambda tx, person, case: cases.earlier_file(tx, person.id, "unique-1", ["broken"], tx.time),
        set(),
    ),
    "same content": (lambda tx, person, case: cases.earlier(tx, case, ["broken"], tx.time), set()),
    "history": (lambda tx, person, case: history.newest(tx, person.id), set()),
    "status": (
        lambda tx, person, case: [
            work.unfinished_of(tx, person.id),
            work.awaiting_doctor(tx, person.id),
        ],
        set(),
    ),
    "case": (
        lambda tx, person, case: [
            history.record(tx, case),
            audit.of_case(tx, case),
            outbox.of_case(tx, case),
            outbox.kept_back(tx, person, "review:"),
        ],
        set(),
    ),
    # A page from its beginning on.
    "audit": (
        lambda tx, person, case: audit.lines(tx),
        {"SEARCH a USING INTEGER PRIMARY KEY (rowid<?)"},
    ),
    "sources": (
        lambda tx, person, case: sources.tallies(tx, 10),
        {"SEARCH s USING INTEGER PRIMARY KEY (rowid<?)"},
    ),
}


@pytest.fixture
async def plans(hands: Any, storage: Storage, request: pytest.FixtureRequest) -> list[str]:
    """The plans of all that one question asks the database."""
    ask, _ = QUESTIONS[request.param]
    person = await hands.person()
    case = await hands.answered(person)

    def explain(tx: Tx) -> None:
        Explaining.plans.clear()
        ask(Explaining(tx.db, tx.time), person, case.id)

    await storage.read(explain)
    return list(Explaining.plans)


@pytest.mark.parametrize(
    ("plans", "short"),
    [(name, short) for name, (_, short) in QUESTIONS.items()],
    ids=QUESTIONS,
    indirect=["plans"],
)
async def test_no_frequent_question_goes_through_all_cases(
    plans: list[str], short: set[str]
) -> None:
    assert plans
    assert {plan for plan in plans if LONG_WAY.match(plan)} == short


@pytest.mark.parametrize(
    ("plans", "index"),
    [
        ("limits", "cases_person_received"),
        ("same file", "scans_unique"),
    ],
    indirect=["plans"],
)
async def test_who_sends_a_lot_is_not_gone_through_case_by_case(
    plans: list[str], index: str
) -> None:
    assert any(f"INDEX {index}" in plan for plan in plans)
