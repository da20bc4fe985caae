"""The rows of `training/results/`: what was run, where, and what came out."""

import csv
import importlib.metadata
import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from training.figures import Interval

PACKAGES = ("keras", "tensorflow", "jax", "torch", "onnxruntime")


def command(module: str, about: str = "") -> str:
    """Give the command that runs, for the records; what it says `about` the data stands elsewhere.

    Where this machine keeps its data is nobody's business.
    """
    words = []
    for word in sys.argv[1:]:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        told = "ABOUT" if about and value == about else _without_place(value)
        words.append(f"{option}{equals}{told}")
    return " ".join(["python -m", module, *words])


def _without_place(value: str) -> str:
    path = Path(value)
    return path.name if path.is_absolute() or ".." in path.parts else value


def circumstances(command: str) -> dict[str, str]:
    """Tell the day, the command, the machine and the versions of what matters."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
    }


def versions() -> str:
    """Name the installed packages that figures may hang on."""
    installed = {each.name.lower(): each.version for each in importlib.metadata.distributions()}
    return ", ".join(f"{name} {installed[name]}" for name in PACKAGES if name in installed)


def columns(measured: Mapping[str, Interval]) -> dict[str, str]:
    """Spread figures over three columns each: value, lower and upper end, where known."""
    ends = ("", "_low", "_high")
    return {
        f"{name}{end}": f"{value:.4f}"
        for name, interval in measured.items()
        for end, value in zip(ends, interval, strict=True)
        if not math.isnan(value)
    }


def add_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Append rows; columns that the file lacks come last and stay empty in the rows before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known: list[Mapping[str, object]] = []
    if path.exists():
        with path.open(newline="") as file:
            known = [*csv.DictReader(file)]
    names = dict.fromkeys(name for row in [*known, *rows] for name in row)
    scratch = path.with_suffix(".tmp")
    with scratch.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(names), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*known, *rows])
    scratch.replace(path)
