import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classifier.gate import Look
from classifier.labels import FloatArray, Modality
from training import cut_films, gate_parts

from ..classifier.conftest import BrightnessGate, make_model


class TopGate(BrightnessGate):
    """A stand-in gate: what has no white line at its top is no whole film."""

    def look(self, grey: FloatArray) -> Look:
        look = super().look(grey)
        return Look(
            *(look.kind, look.probabilities, look.chest, 0, False), grey[0].mean() < 0.9, 0.5
        )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Chequered films, the healthy ones darker, sixteen patients each, a white line at the top."""
    chequers = 100 * (np.indices((224, 224)) // 32 % 2).sum(0) % 200
    shade = np.linspace(-15, 15, 224)
    for label, grey in (("normal", 30), ("bacterial", 120), ("viral", 125)):
        folder = tmp_path / "films" / label
        folder.mkdir(parents=True)
        for number in range(16):
            film = (chequers + grey + shade + shade[:, np.newaxis]).astype(np.uint8)
            film[:8], film[8, number] = 255, 0
            Image.fromarray(film).save(folder / f"{number}.png")
    return tmp_path / "films"


def test_answers_to_whole_and_cut_films_are_counted(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut_films, "Gate", TopGate)
    monkeypatch.setattr(
        cut_films, "load_installed", lambda: {Modality.XRAY: make_model(Modality.XRAY)}
    )
    monkeypatch.setattr(gate_parts, "CUTS", {"lower half": gate_parts.CUTS["lower half"]})
    cut_films.main([data], count=1, out=tmp_path / "out.csv")
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    told = {(row["picture"], row["label"]): row for row in rows}
    assert set(told) == {
        (picture, label)
        for picture in ("whole", "lower half", "two films", "a film in a corner")
        for label in ("normal", "bacterial", "viral")
    }
    for picture, label, answer in (
        ("whole", "normal", "normal"),
        ("whole", "viral", "bacterial"),
        ("lower half", "normal", "unsure"),
        ("lower half", "bacterial", "unsure"),
    ):
        row = told[picture, label]
        assert row["count"] == row[answer] == "1"
