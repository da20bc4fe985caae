"""The pictures of each day as a row of bars, each stacked by what was answered."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from PIL import Image, ImageDraw

from bot.texts.catalogue import Texts
from classifier import fonts
from classifier.fonts import Weight
from classifier.labels import Label
from classifier.report_texts import WORDS
from storage.statistics import Daily

WIDTH, HEIGHT = 1280, 720
LEFT, RIGHT, TOP, BOTTOM = 106, 1240, 200, 650
INK, SOFT, GRID, PAPER = (16, 24, 40), (90, 100, 116), (222, 227, 234), (255, 255, 255)
TITLE, SMALL = 40, 24
LEGEND_COLUMNS = 3
BAR = 0.72
# So many lines at most, and a date under so many days.
LINES = 5
DAYS_PER_DATE = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """One colour of the bars: its name, and how many pictures of each day it stands for."""

    name: str
    colour: tuple[int, int, int]
    counts: tuple[int, ...]


def draw_chart(days: Sequence[Daily], last: date, texts: Texts) -> bytes:
    """Draw the days up to `last` as a PNG."""
    kinds, title = _kinds(days, texts), texts("chart.title", days=len(days))
    page = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(page)
    _write(draw, (LEFT, 70), title, INK, TITLE, Weight.BOLD)
    _draw_legend(draw, kinds)
    highest = max(sum(counts) for counts in zip(*(kind.counts for kind in kinds), strict=True))
    unit = line_distance(highest)
    lines = max(1, -(-highest // unit))
    _draw_lines(draw, unit, lines)
    _draw_bars(draw, kinds, (BOTTOM - TOP) / (unit * lines))
    _draw_dates(draw, len(days), last)
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


def line_distance(highest: int) -> int:
    """Choose 1, 2 or 5 times a power of ten, so that few lines reach the highest bar."""
    power = 1
    while True:
        for unit in (power, 2 * power, 5 * power):
            if unit * LINES >= highest:
                return unit
        power *= 10


def _kinds(days: Sequence[Daily], texts: Texts) -> list[Kind]:
    """Split each day's pictures; what has no answer (yet) is the rest, at the top."""
    names = WORDS[texts.language].labels
    answered: tuple[tuple[str, str, tuple[int, int, int]], ...] = (
        (Label.NORMAL, names[Label.NORMAL], (86, 164, 233)),
        (Label.VIRAL, names[Label.VIRAL], (240, 178, 50)),
        (Label.BACTERIAL, names[Label.BACTERIAL], (208, 86, 20)),
        ("pneumonia", texts("chart.pneumonia"), (168, 124, 190)),
        ("", texts("chart.unsure"), (140, 150, 164)),
    )
    kinds = [
        Kind(name, colour, tuple(day.labels.get(label, 0) for day in days))
        for label, name, colour in answered
    ]
    rest = tuple(max(0, day.scans - sum(day.labels.values())) for day in days)
    return [*kinds, Kind(texts("chart.no_estimate"), (205, 211, 220), rest)]


def _draw_legend(draw: ImageDraw.ImageDraw, kinds: Sequence[Kind]) -> None:
    for number, kind in enumerate(kinds):
        row, column = divmod(number, LEGEND_COLUMNS)
        left, top = LEFT + column * (RIGHT - LEFT) // LEGEND_COLUMNS, 104 + row * 36
        draw.rectangle((left, top, left + 20, top + 20), kind.colour)
        _write(draw, (left + 32, top + 19), f"{kind.name} {sum(kind.counts):,}", SOFT, SMALL)


def _draw_lines(draw: ImageDraw.ImageDraw, unit: int, count: int) -> None:
    for number in range(count + 1):
        y = round(BOTTOM - (BOTTOM - TOP) * number / count)
        draw.line((LEFT, y, RIGHT, y), GRID, 2)
        _write(draw, (LEFT - 14, y + 9), f"{unit * number:,}", SOFT, SMALL, anchor="rs")


def _draw_bars(draw: ImageDraw.ImageDraw, kinds: Sequence[Kind], per_picture: float) -> None:
    for number, counts in enumerate(zip(*(kind.counts for kind in kinds), strict=True)):
        left, right = _span(number, len(kinds[0].counts))
        below = 0
        for kind, count in zip(kinds, counts, strict=True):
            above = below + count
            top, bottom = (round(BOTTOM - n * per_picture) for n in (above, below))
            if top < bottom:
                draw.rectangle((left, top, right, bottom - 1), kind.colour)
            below = above


def _draw_dates(draw: ImageDraw.ImageDraw, days: int, last: date) -> None:
    for number in range(days - 1, -1, -DAYS_PER_DATE):
        left, right = _span(number, days)
        day = last - timedelta(days=days - 1 - number)
        _write(draw, ((left + right) // 2, BOTTOM + 36), f"{day:%m-%d}", SOFT, SMALL, anchor="ms")


def _span(number: int, days: int) -> tuple[int, int]:
    """Give the left and right end of a day's bar."""
    pitch = (RIGHT - LEFT) / days
    middle = LEFT + (number + 0.5) * pitch
    return round(middle - pitch * BAR / 2), round(middle + pitch * BAR / 2)


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    colour: tuple[int, int, int],
    size: int,
    weight: Weight = Weight.REGULAR,
    anchor: str = "ls",
) -> None:
    draw.text(at, fonts.legible(text), colour, fonts.load(weight, size), anchor=anchor)
