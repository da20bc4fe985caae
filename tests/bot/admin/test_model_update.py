from dataclasses import replace

import pytest

from bot.admin.broadcast.compose import LONGEST_SENTENCE
from bot.admin.broadcast.model_update import in_words
from bot.sandbox.composing import LONGEST_TEXT
from bot.texts.catalogue import Texts
from classifier.card import Card, read_card
from classifier.model import MODELS
from classifier.report_texts import Language


@pytest.fixture
def card() -> Card:
    return read_card(MODELS / "resnet34_xray")


def test_it_gives_the_cards_figures_with_their_intervals(card: Card) -> None:
    text = in_words(Texts(Language.ENGLISH), card, None)
    value, low, high = card.figures["sensitivity"]
    assert f"pneumonia found: {value:.1%} ({low:.1%}–{high:.1%})" in text
    assert "learned mostly from chest X-rays of children" in text
    assert "before" not in text.lower() and "not a diagnosis" in text
    assert "elsewhere expect less" in text and "Experimental" not in text


def test_of_a_ct_model_it_says_that_no_answer_is_named() -> None:
    text = in_words(Texts(Language.ENGLISH), read_card(MODELS / "resnet34_ct"), None)
    assert "for a CT no answer is named for now" in text


def test_it_tells_what_changed(card: Card) -> None:
    former = replace(card, name="older <one>", figures={"sensitivity": (0.9, 0.8, 0.95)})
    text = in_words(Texts(Language.ENGLISH), card, former)
    assert f"by the model “{card.name}”. Before, it was “older &lt;one&gt;”" in text
    assert "; before: 90.0% (80.0%–95.0%)" in text and text.count("before:") == 1


def test_a_card_without_figures_still_gives_a_text(card: Card) -> None:
    text = in_words(Texts(Language.CHINESE), replace(card, figures={}), None)
    assert card.name in text and "%" not in text and "\n\n\n" not in text


@pytest.mark.parametrize("language", Language)
def test_with_the_longest_sentence_it_fits_into_one_message(card: Card, language: Language) -> None:
    text = in_words(Texts(language), card, replace(card, name="x" * 200))
    assert len(text) + LONGEST_SENTENCE < LONGEST_TEXT
