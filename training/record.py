"""The rows of `training/results/`: what was run, where, and what came out."""

import csv
import importlib.metadata
import math
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from training.figures import Interval

PACKAGES = ("keras", "tensorflow", "jax", "torch", "onnxruntime")


def circumstances() -> dict[str, str]:
    """Tell the day, the machine and the versions of what matters."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
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
