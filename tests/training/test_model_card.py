from dataclasses import asdict, replace
from pathlib import Path

import pytest

from classifier.card import Card, read_card
from classifier.labels import Label, Modality
from classifier.model import MODELS
from training.calibrate import PNEUMONIA, Told
from training.model_card import figures_page, write_model_card

SHIPPED = MODELS / "resnet34_xray"


@pytest.fixture
def card() -> Card:
    """A card as `training.package` writes it, of two sources, with what later commands found."""
    proof = {answer: asdict(Told(200, 1, 0.0235)) for answer in (*Label, PNEUMONIA)}
    counts = {"train": 40, "tuning": 5, "held_out": 10}
    one = (0.9, 0.8, 0.95)
    return Card(
        name="some",
        modality=Modality.XRAY,
        input_size=160,
        engine_file="model.int8.onnx",
        temperature=1.1,
        sure_from={Label.NORMAL: 0.97, Label.BACTERIAL: 0.7, Label.VIRAL: 1.0},
        pneumonia_from=0.85,
        recipe="adapt",
        trained_on="Children.",
        command="python -m training.train",
        figures={"accuracy": one, "sensitivity": one, "specificity": one},
        details={
            "run": {"seed": 0, "fold": 0, "epochs": 3, "minutes": 2.0},
            "sources": {"children": counts, "adults": counts},
            "other_sources": {"adults": {"sensitivity": one, "specificity": (0.7, 0.6, 0.8)}},
            "calibration": {
                "on": "tuning and held-out",
                "proof": proof,
                "unaided": {"bacterial": {"patients": 90, "wrong": 40, "wrong_at_most": 0.31}},
            },
            "sure": {"children": {"share": one, "named": (0.5, 0.4, 0.6), "told": proof}},
            "stress": {"blur": {"accuracy": 0.81, "sensitivity": 0.9, "specificity": 0.9}},
            "int8_agreement": {"same_label": 0.99, "mean_difference": 0.01},
            "versions": "keras",
            "saliency": {
                "pictures": 9,
                "draws": 1,
                "heads": 2,
                "two_random_heads": {"signed": (0.0, -0.1, 0.1), "size": (0.4, 0.3, 0.5)},
                "stages": {"fc": {"signed": (0.01, -0.1, 0.1), "size": (0.41, 0.3, 0.5)}},
                "lung_area": 0.25,
                "lungs": {"children": (0.42, 0.4, 0.44)},
            },
            "source_probe": {
                "pictures": 9,
                "features": {"normal": one},
                "answer": {"normal": one},
                "within": {"adults": (0.83, 0.7, 0.9)},
                "kind": {"not given away": (0.67, 0.6, 0.7)},
            },
        },
    )


def test_the_shipped_models_page_holds_what_its_card_holds(tmp_path: Path) -> None:
    write_model_card(read_card(SHIPPED), tmp_path)
    page = (SHIPPED / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8") == page


def test_a_page_tells_each_source_the_promises_and_what_later_commands_found(card: Card) -> None:
    page = figures_page(card)
    assert "| accuracy | 0.900 (0.800 – 0.950) | – |" in page
    assert "| specificity | 0.900 (0.800 – 0.950) | 0.700 (0.600 – 0.800) |" in page
    assert "| blur | 0.8100 | 0.9000 | 0.9000 |" in page
    assert "| normal | ≤ 2% | 0.970 | 200 patients | 1 |" in page
    assert "| pneumonia | ≤ 2% | 0.850 | 200 patients | 1 |" in page
    assert "| bacterial | 90 patients | 40 | ≤ 31.0% |" in page
    assert "| `children` | any | 90.0% (80.0% – 95.0%) of pictures | | |" in page
    assert "| `children` | a label | 50.0% (40.0% – 60.0%) of pictures | | |" in page
    assert "| `children` | pneumonia | 200 patients | 1 | ≤ 2.4% |" in page
    assert "| `fc` and all above it random | 0.010 (-0.100 – 0.100) | 0.410" in page
    assert "| pneumonia against normal, within `adults` | 0.830" in page
    assert "| viral against bacterial, the kind not given away by how" in page


def test_an_answer_that_is_never_sure_is_told_so(card: Card) -> None:
    assert "| viral | ≤ 20% | never | – | – |" in figures_page(card)


def test_a_card_of_an_earlier_version_still_makes_a_page(card: Card) -> None:
    sure = {"children": {"share": (0.5, 0.4, 0.6), "told": {}}}
    calibration = {"on": "tuning and held-out", "proof": {}}
    probed = {name: each for name, each in card.details["source_probe"].items() if name != "kind"}
    older = {"sure": sure, "calibration": calibration, "source_probe": probed}
    page = figures_page(replace(card, details=card.details | older))
    assert "a third of those told a kind" not in page
    assert "| `children` | any | 50.0% (40.0% – 60.0%) of pictures | | |" in page
    assert "a label" not in page
