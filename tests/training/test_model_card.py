from dataclasses import replace
from pathlib import Path

import pytest

from classifier.card import read_card
from classifier.model import MODELS
from training.model_card import figures_page, with_figures, write_model_card

DOCS = Path(__file__).parents[2] / "docs" / "models.md"
SHIPPED = MODELS / "resnet34_xray"


def test_the_documents_hold_what_the_shipped_card_holds() -> None:
    page = DOCS.read_text(encoding="utf-8")
    assert with_figures(page, read_card(SHIPPED)) == page


def test_a_models_page_holds_what_its_card_holds(tmp_path: Path) -> None:
    card = read_card(SHIPPED)
    write_model_card(card, tmp_path)
    page = (SHIPPED / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8") == page


def test_an_answer_that_is_never_sure_is_told_so() -> None:
    card = read_card(SHIPPED)
    never = replace(card, sure_from=dict.fromkeys(card.sure_from, 1.0))
    assert "| normal | ≤ 2% | never | – | – |" in figures_page(never)


def test_a_page_without_the_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="unpack"):
        with_figures("no marks", read_card(SHIPPED))
