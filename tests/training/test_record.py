import csv
from pathlib import Path

import numpy as np
import pytest

from training.record import add_rows, columns, command, versions


def test_a_new_column_stays_empty_in_the_rows_before(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    add_rows(path, [{"name": "first", "accuracy": "0.8"}])
    add_rows(path, [{"accuracy": "0.9", "name": "second", "specificity": "0.7"}])
    assert list(csv.DictReader(path.open())) == [
        {"name": "first", "accuracy": "0.8", "specificity": ""},
        {"name": "second", "accuracy": "0.9", "specificity": "0.7"},
    ]


def test_an_unknown_interval_leaves_no_column() -> None:
    assert columns({"a": (0.5, 0.4, 0.6), "b": (0.1, np.nan, np.nan)}) == {
        "a": "0.5000",
        "a_low": "0.4000",
        "a_high": "0.6000",
        "b": "0.1000",
    }


def test_a_command_tells_no_place_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    places = ["--data=/root/a/train", "--data", "/home/b/adult", "--run", "../c/run"]
    given = ["recipes/shift", *places, "--seed", "1", "--about=Of /d. A = B.", "--as-it-stands"]
    monkeypatch.setattr("sys.argv", ["train.py", *given])
    assert command("training.train", "Of /d. A = B.") == (
        "python -m training.train recipes/shift --data=train --data adult --run run --seed 1 "
        "--about=ABOUT --as-it-stands"
    )


def test_the_versions_name_keras() -> None:
    assert "keras 3" in versions()
