"""The arrows of docs/architecture.md."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"bot", "classifier", "storage", "training", "run_bot"}
MAY_IMPORT = {
    "classifier": {"classifier"},
    "storage": {"storage"},
    "training": {"training", "classifier", "storage"},
    "bot": {"bot", "classifier", "storage"},
}
ROLES = ("patient", "doctor", "admin")


def modules(path: Path) -> set[str]:
    """The modules that a file names in its imports, wherever they stand."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imported(path: Path) -> set[str]:
    """The top-level packages of those modules."""
    return {name.partition(".")[0] for name in modules(path)}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert imported(path) & OURS <= MAY_IMPORT[package], path


def rooms() -> set[Path]:
    """The files and folders that docs/architecture.md names, `models/<name>/` left out."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named: set[Path] = set()
    folders: list[Path] = []
    for line in text.split("```")[1].strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        above = folders[depth - 1] if depth else Path()
        names = re.match(r"(?:[\w/]+(?:\.py|/) ?)*", line.lstrip())
        assert names is not None
        paths = [above / name for name in names[0].split()]
        named.update(paths)
        folders[depth:] = paths[-1:]
    return named


def test_every_room_in_the_docs_is_there() -> None:
    assert not [path for path in rooms() if not (ROOT / path).exists()]


def test_every_room_that_is_there_is_in_the_docs() -> None:
    files = [path.relative_to(ROOT) for name in MAY_IMPORT for path in (ROOT / name).rglob("*.py")]
    folders = {path.parent for path in files}
    told_file_by_file = {*map(Path, MAY_IMPORT), Path("classifier/reading")}
    found = folders | {path for path in files if path.parent in told_file_by_file}
    assert not {path for path in found if path.name != "__init__.py"} - rooms()


def test_the_sandbox_is_apart_from_the_bot() -> None:
    for path in (ROOT / "bot").rglob("*.py"):
        inside = path.is_relative_to(ROOT / "bot" / "sandbox")
        named = {name for name in modules(path) if name.partition(".")[0] in OURS}
        if inside:
            assert all(name.startswith("bot.sandbox") for name in named), path
        elif path.name != "tryout.py":
            assert not any(name.startswith("bot.sandbox") for name in named), path


@pytest.mark.parametrize("role", ROLES)
def test_the_rooms_of_the_roles_import_nothing_of_each_other(role: str) -> None:
    others = {f"bot.{other}" for other in ROLES if other != role}
    for path in (ROOT / "bot" / role).rglob("*.py"):
        assert not {".".join(name.split(".")[:2]) for name in modules(path)} & others, path


def test_only_one_place_sends_a_message() -> None:
    sends = re.compile(
        r"bot\.(send_(?!chat_action)|copy_|forward_|edit_message|delete_message|pin_)"
    )
    for path in (ROOT / "bot").rglob("*.py"):
        if sends.search(path.read_text(encoding="utf-8")):
            assert path.relative_to(ROOT) == Path("bot/sending.py")


def test_only_three_places_import_tensorflow() -> None:
    allowed = {Path("classifier/resnet.py"), Path("classifier/engines/tensorflow.py")}
    for path in (ROOT / "classifier").rglob("*.py"):
        if imported(path) & {"tensorflow", "keras"}:
            assert path.relative_to(ROOT) in allowed


def test_a_start_on_a_cpu_never_loads_tensorflow() -> None:
    program = "import sys, run_bot; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    loaded = {name.partition(".")[0] for name in shown.split()}
    assert not loaded & {"tensorflow", "keras", "torch", "jax", "sklearn", "matplotlib"}
