"""The arrows of docs/architecture.md."""

import ast
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


def imported(path: Path) -> set[str]:
    """The top-level packages that a file names in its imports, wherever they stand."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert imported(path) & OURS <= MAY_IMPORT[package], path


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
