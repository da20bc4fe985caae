import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classifier.preprocess import as_shown, shrunk
from classifier.quality import measure
from classifier.reading.picture import read_picture
from training import dataset, quality

LABELS = ("normal", "bacterial", "viral")


def write(folder: Path, patients: int, sides: tuple[int, ...] = (200,)) -> Path:
    """Pictures with nothing to doubt but their size: squares, half of them dark and half light."""
    rng = np.random.default_rng(patients)
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for patient in range(patients):
            squares = rng.choice((80, 170), (8, 8)).astype(np.uint8)
            squares[:4] = 80 + 170 - squares[4:]
            side = sides[patient % len(sides)]
            picture = Image.fromarray(squares).resize((side, side), Image.Resampling.NEAREST)
            ramp = np.linspace(-15, 15, side)
            shaded = np.asarray(picture) + np.rint(ramp + ramp[:, np.newaxis])
            Image.fromarray(shaded.astype(np.uint8)).save(folder / label / f"{patient}.png")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the command over two labelled folders and one of larger pictures."""
    place = tmp_path_factory.mktemp("quality")
    data = [write(place / "children", 12), write(place / "adults", 10)]
    quality.main(data, write(place / "larger", 4, (400, 400, 400, 120)), place / "r.csv")
    return place


@pytest.fixture(scope="module")
def rows(place: Path) -> dict[tuple[str, str], dict[str, str]]:
    written = csv.DictReader((place / "r.csv").open())
    return {(row["part"], row["source"]): row for row in written}


def test_pictures_are_counted_by_source_and_part_without_the_tuning_ones(
    place: Path, rows: dict[tuple[str, str], dict[str, str]]
) -> None:
    every_fourth = 0
    for name in ("children", "adults"):
        parts = dataset.split(dataset.find_examples(place / name))
        assert rows["trained on", name]["pictures"] == str(len(parts.train))
        assert rows["held out", name]["pictures"] == str(len(parts.held_out))
        every_fourth += -(-len(parts.held_out) // 4)
    assert rows["trained on", "larger"]["pictures"] == "12"
    worse = {part: row for (part, source), row in rows.items() if source == "all"}
    assert [*worse] == [f"held out, {name}" for name in quality.degraded()]
    assert {row["pictures"] for row in worse.values()} == {str(every_fourth)}


def test_shares_are_those_of_the_pictures_that_were_measured(
    rows: dict[tuple[str, str], dict[str, str]],
) -> None:
    for name in ("children", "adults"):
        for part in ("trained on", "held out"):
            assert float(rows[part, name]["any"]) == 0
    larger = rows["trained on", "larger"]
    assert (larger["too_small"], larger["blurred"], larger["any"]) == ("0.2500", "0.0000", "0.2500")


@pytest.mark.parametrize(
    ("worse", "doubts"),
    [
        ("160 px a side", set()),
        ("100 px a side", {"too_small"}),
        ("blur of 4 px in 224", {"blurred"}),
        ("exposure -0.5", {"too_dark", "clipped", "flat"}),
        ("exposure +0.5", {"too_bright", "clipped", "flat"}),
        ("contrast x 3", {"clipped", "edited"}),
        ("contrast x 0.2", {"flat"}),
    ],
)
def test_a_picture_made_worse_is_doubted_for_what_was_done_to_it(
    worse: str, doubts: set[str], rows: dict[tuple[str, str], dict[str, str]]
) -> None:
    row = rows[f"held out, {worse}", "all"]
    shares = {doubt.value: float(row[doubt.value]) for doubt in quality.DOUBTS}
    assert shares == {doubt: float(doubt in doubts) for doubt in shares}
    assert float(row["any"]) == bool(doubts)


def test_a_large_picture_is_measured_as_it_is_for_an_answer(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    large = Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).resize((1000, 1200))
    large.save(tmp_path / "large.png")
    scan = read_picture((tmp_path / "large.png").read_bytes())
    served = measure(shrunk(as_shown(scan)), 1000)
    example = dataset.Example(tmp_path / "large.png", None, "p", "")
    assert quality.measure(quality.read(example)) == served
