import csv
from pathlib import Path

from training import quality


def test_every_picture_is_measured_as_it_is_and_made_worse(
    labelled_folder: Path, adults_folder: Path, tmp_path: Path
) -> None:
    quality.main([labelled_folder], larger=adults_folder, out=tmp_path / "quality.csv")
    rows = list(csv.DictReader((tmp_path / "quality.csv").open()))
    as_they_are = {(row["part"], row["source"]): row for row in rows if row["source"] != "all"}
    assert set(as_they_are) == {
        ("trained on", labelled_folder.name),
        ("held out", labelled_folder.name),
        ("trained on", adults_folder.name),
    }
    # They are 32 and 40 pixels wide.
    assert all(float(row["too_small"]) == float(row["any"]) == 1 for row in as_they_are.values())
    worse = {row["part"].removeprefix("held out, "): row for row in rows if row["source"] == "all"}
    assert set(worse) == set(quality.degraded())
    assert float(worse["160 px a side"]["too_small"]) == 0
    assert float(worse["140 px a side"]["too_small"]) == 1
    assert float(worse["gamma 4"]["too_dark"]) == float(worse["contrast x 0.2"]["flat"]) == 1
