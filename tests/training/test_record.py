import csv
from pathlib import Path

import numpy as np

from training.record import add_rows, columns, versions


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


def test_the_versions_name_keras() -> None:
    assert "keras 3" in versions()
