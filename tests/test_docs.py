"""What the pages say, held against what is there."""

import re
from collections.abc import Iterable
from dataclasses import fields
from datetime import timedelta
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined
from typer.main import get_command

from bot import menus
from bot.jobs import JOBS
from bot.metrics import Metrics
from bot.sandbox.control import Control
from bot.sandbox.faults import Fault
from bot.sandbox.server import Sandbox
from bot.sandbox.web import Web
from bot.settings import Settings
from run_bot import app
from storage.staff import Role

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), ROOT / "deploy" / "README.md"]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

PEOPLE = {
    "patients.md": menus.PATIENT,
    "doctors.md": menus.OF_ROLE[Role.DOCTOR],
    "admins.md": menus.OF_ROLE[Role.ADMIN],
}
COMMANDS = {*menus.PATIENT, *(name for names in menus.OF_ROLE.values() for name in names)}
UNITS = {timedelta(days=1): "d", timedelta(hours=1): "h", timedelta(minutes=1): "min"}


def tables(page: Path, *heads: str) -> list[list[list[str]]]:
    """Give the rows of the tables of a page whose head begins with one of these words."""
    found: list[list[list[str]]] = []
    rows: list[list[str]] | None = None
    for line in page.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            rows = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if rows is not None:
            rows.append(cells)
        elif cells[0] in heads:
            rows = []
            found.append(rows)
    # The line under the head.
    return [table[1:] for table in found]


def table(page: Path, head: str) -> list[list[str]]:
    (only,) = tables(page, head)
    return only


def codes(rows: Iterable[list[str]]) -> list[str]:
    """Give what stands as code in the first column."""
    return [code for row in rows for code in re.findall("`([^`]+)`", row[0])]


@pytest.mark.parametrize("name", PEOPLE)
def test_a_page_for_people_has_exactly_their_commands(name: str) -> None:
    found = tables(DOCS / name, "command", "命令")
    assert len(found) == (2 if name == "patients.md" else 1)
    for rows in found:
        assert sorted(codes(rows)) == sorted(f"/{command}" for command in PEOPLE[name])


@pytest.mark.parametrize("name", PEOPLE)
def test_a_page_for_people_names_no_command_that_is_none(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert set(re.findall(r"`/([a-z_]+)", text)) <= COMMANDS


def written(default: Any) -> str:
    """Write a default as an operator would."""
    if default is PydanticUndefined or default in (None, "", ()):
        return "–"
    if isinstance(default, Enum):
        default = default.value
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_settings_stand_in_the_operators_table_with_their_defaults() -> None:
    rows = table(DOCS / "operating.md", "setting")
    documented = {row[0].strip("`"): row[1] for row in rows}
    assert len(documented) == len(rows)
    assert documented == {
        str(field.alias): written(field.default) for field in Settings.model_fields.values()
    }


def span(time: timedelta) -> str:
    """Write a span as the table of jobs does."""
    for unit, name in UNITS.items():
        if time % unit == timedelta(0):
            return f"{time // unit} {name}"
    return f"{time.seconds} s"


def test_the_jobs_stand_in_the_operators_table_with_how_often_they_run() -> None:
    rows = table(DOCS / "operating.md", "job")
    assert [row[:2] for row in rows] == [[f"`{job.name}`", span(job.every)] for job in JOBS]


def test_the_metrics_stand_in_the_operators_table() -> None:
    services: Any = None
    collected = Metrics(services, 0)._registry.collect()
    ours = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in collected
        if metric.name.startswith("lungbot_")
    }
    assert sorted(codes(table(DOCS / "operating.md", "metric"))) == sorted(ours)


def test_the_command_line_is_told_and_only_what_it_can() -> None:
    known = set(get_command(app).commands)
    rows = table(DOCS / "operating.md", "command")
    assert sorted(codes(rows)) == sorted(f"run_bot.py {name}" for name in known)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"run_bot\.py ([a-z]+)\b", text)) <= known, page


def test_the_routes_of_the_sandbox_stand_in_its_tables_each_with_an_example() -> None:
    world, page = Sandbox().world, DOCS / "sandbox.md"
    routes = [
        (verb, re.sub(r":int}", "}", route.path))
        for route in Control(world).routes() + Web(world, None).routes()
        for verb in (route.methods or set()) - {"HEAD"}
        if route.path.startswith("/sim/")
    ]
    told = [code for rows in tables(page, "route") for code in codes(rows)]
    assert sorted(told) == sorted(f"{verb} {path}" for verb, path in routes)
    for _, path in routes:
        shown = re.sub(r"\\{\w+\\}", r"[^/?\\s]+", re.escape(path).replace("/sim", r"\$SIM", 1))
        assert re.search(shown + r"(?=[\s?\"])", page.read_text(encoding="utf-8")), path


def test_the_fields_of_a_fault_stand_in_their_table() -> None:
    told = codes(table(DOCS / "sandbox.md", "field of a fault"))
    assert sorted(told) == sorted(field.name for field in fields(Fault))


@EACH_PAGE
def test_a_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match("https?:", target):
            assert (page.parent / target).exists(), target


@EACH_PAGE
def test_a_module_that_is_to_be_run_exists(page: Path) -> None:
    for name in re.findall(r"python3? -m ([\w.]+)", page.read_text(encoding="utf-8")):
        assert find_spec(name) is not None, name


@EACH_PAGE
def test_a_script_that_is_named_exists(page: Path) -> None:
    ours = "bot|classifier|storage|training|tests|benchmarks|docs|deploy"
    named = rf"(?<![\w/.-])(?:{ours})/[\w./-]+\.(?:py|service)\b"
    for name in re.findall(named, page.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), name
