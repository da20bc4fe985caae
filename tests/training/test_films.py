import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classifier.gate import Gate, Kind, Look
from classifier.labels import FloatArray
from training import dataset, films
from training.augment import Grey

from ..classifier.tiny_models import install_model


def chest(seed: int = 0) -> Grey:
    """A dark body (300, 400) with two darker lungs; no two files are the same."""
    y, x = np.mgrid[-1:1:300j, -1:1:400j]
    lungs = (abs(abs(x) - 0.42) / 0.3) ** 2 + (y / 0.7) ** 2 < 1
    grey = np.where(lungs, 30, 115).astype(np.uint8)
    grey[0, 0] = seed
    return grey


class ResemblanceGate(Gate):
    """A stand-in gate: an X-ray is what resembles `chest`, however bright it is."""

    def __init__(self, folder: Path) -> None:
        pass

    def likeness(self, grey: FloatArray) -> float:
        seen, sought = (
            np.asarray(Image.fromarray(each).resize((32, 32), Image.Resampling.BILINEAR)).ravel()
            for each in (grey, chest().astype(np.float32))
        )
        return 2 * float(np.corrcoef(seen, sought)[0, 1])

    def look(self, grey: FloatArray) -> Look:
        kind = Kind.XRAY if self.likeness(grey) > 1.4 else Kind.OTHER
        return Look(kind, {each: float(each is kind) for each in Kind}, 0.5, 0, False, False, 0.5)


class BlindGate(ResemblanceGate):
    """A stand-in gate to which nothing looks more like an X-ray than anything else."""

    def likeness(self, grey: FloatArray) -> float:
        return 0.0


def framed(seed: int) -> Grey:
    """The chest low on a white page (600, 600): nothing like it before it is cut out."""
    page = np.full((600, 600), 250, np.uint8)
    page[240:540, 150:550] = chest(seed)
    return page


def write(folder: Path, draw: Callable[[int], Grey], patients: int) -> Path:
    for number, label in enumerate(("normal", "bacterial", "viral")):
        (folder / label).mkdir(parents=True)
        for patient in range(patients):
            picture = Image.fromarray(draw(100 * number + patient))
            picture.save(folder / label / f"{patient}.png")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """X-rays, pictures of X-rays, and a network to which dark is normal and bright is not."""
    place = tmp_path_factory.mktemp("films")
    write(place / "xrays", chest, 10)
    write(place / "framed", framed, 18)
    install_model(place, "tiny")
    return place


def measured(place: Path, gate: type[Gate], *sources: str, part: str) -> dict[str, dict[str, str]]:
    """Run the command for the two kinds of photograph that are made most quickly."""
    out = place / f"{gate.__name__}.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(films, "MODEL", place / "tiny")
        patch.setattr(films, "Gate", gate)
        patch.setattr(films, "KINDS", ("light box", "screenshot"))
        films.main([place / each for each in sources], part, count=1, out=out)
    rows = list(csv.DictReader(out.open()))
    assert {row["part"] for row in rows} == {part}
    return {row["pictures"]: row for row in rows}


def test_what_was_cut_is_told_of_photographs_ordinary_xrays_and_other_things(place: Path) -> None:
    rows = measured(place, ResemblanceGate, "xrays", "framed", part="held_out")
    assert {name: (row["count"], row["cut"], row["let_in"]) for name, row in rows.items()} == {
        "light box": ("1", "1.0000", ""),
        "screenshot": ("1", "1.0000", ""),
        "ordinary, xrays": ("6", "0.0000", "0.0000"),
        "ordinary, framed": ("10", "1.0000", "1.0000"),
        "no scan": ("2", "0.0000", "0.0000"),
        "photographs of no scan": ("2", "0.0000", "0.0000"),
    }
    for kind in ("light box", "screenshot"):
        assert (rows[kind]["found"], rows[kind]["class_agrees"]) == ("1.0000", "1.0000")


def test_a_film_that_is_not_found_is_judged_with_the_bright_page_around_it(place: Path) -> None:
    rows = measured(place, BlindGate, "xrays", part="tuning")
    page = rows["screenshot"]
    assert (page["cut"], page["found"], page["class_agrees"]) == ("0.0000", "0.0000", "0.0000")
    tuning = dataset.split(dataset.find_examples(place / "xrays")).tuning
    assert rows["ordinary, xrays"]["count"] == str(len(tuning))
