import io
from datetime import date

import numpy as np
import pytest
from PIL import Image

from bot.chart import BOTTOM, HEIGHT, LINES, TOP, WIDTH, draw_chart, line_distance
from bot.texts.catalogue import Texts
from classifier.report_texts import Language
from storage.statistics import Daily

LAST = date(2026, 7, 4)


def drawn(days: list[Daily], language: Language = Language.ENGLISH) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(draw_chart(days, LAST, Texts(language)))))


def heights(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Count the pixels of a colour in the middle of the last bar."""
    column = pixels[TOP:BOTTOM, -60]
    return int((column == colour).all(-1).sum())


@pytest.mark.parametrize(
    ("highest", "distance"), [(0, 1), (1, 1), (5, 1), (6, 2), (11, 5), (26, 10), (99_999, 20_000)]
)
def test_lines_stand_at_round_numbers_and_are_few(highest: int, distance: int) -> None:
    assert line_distance(highest) == distance
    assert distance * LINES >= highest


@pytest.mark.parametrize("language", Language)
def test_a_chart_without_a_picture_is_drawn(language: Language) -> None:
    assert drawn([Daily(0, {})] * 30, language).shape == (HEIGHT, WIDTH, 3)


def test_a_bar_is_stacked_in_proportion() -> None:
    days = [Daily(0, {})] * 29 + [Daily(20, {"normal": 10, "bacterial": 4, "pneumonia": 3})]
    pixels = drawn(days)
    colours = ((86, 164, 233), (208, 86, 20), (168, 124, 190), (205, 211, 220))
    normal, bacterial, pneumonia, rest = (heights(pixels, colour) for colour in colours)
    assert (normal, bacterial, pneumonia, rest) == pytest.approx((225, 90, 67, 67), abs=2)
