"""The two fonts of the answer picture, and setting text in them.

A subset of Noto Sans CJK SC (OFL, see `OFL.txt`) cut by `subset.py`: Latin, and the Chinese
characters that the texts use with some to spare.
"""

# ruff: noqa: RUF001 - the Chinese marks that look like ASCII ones are meant

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

from PIL import ImageFont

_FOLDER = Path(__file__).parent
CHARACTERS_FILE = _FOLDER / "characters.txt"
UNKNOWN = "?"

_CHINESE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_OPENING = "（《“「『【〔("
_CLOSING = "，。、；：！？）》”」』】〕％…,.;:!?)%"
# What may not be torn apart: a Latin word or one Chinese character, with the marks that may not
# begin a line behind it and those that may not end one before it.
_UNIT = re.compile(
    rf"\s+|[{_OPENING}]*(?:[^\s{_CHINESE}{_OPENING}]+|[{_CHINESE}]|$)[{_CLOSING}]*|[{_OPENING}]+"
)
_LINE = 10.0  # outweighs the rest: fewest lines first
_BETWEEN_WORDS = 0.03
_IN_CHINESE_PHRASE = 0.15


class Weight(StrEnum):
    """How heavy the strokes are."""

    REGULAR = "Regular"
    BOLD = "Bold"


def path(weight: Weight) -> Path:
    """Say where the font file lies."""
    return _FOLDER / f"NotoSansCJKsc-{weight}-subset.otf"


@lru_cache(maxsize=32)
def load(weight: Weight, size: int) -> ImageFont.FreeTypeFont:
    """Open a font at a size in pixels, once."""
    # The basic layout is in every build of Pillow, so every machine sets the same lines.
    return ImageFont.truetype(path(weight), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=1)
def characters() -> frozenset[str]:
    """Read which characters the fonts hold."""
    return frozenset(CHARACTERS_FILE.read_text(encoding="utf-8").rstrip("\n"))


def legible(text: str) -> str:
    """Replace what the fonts cannot show, so that no empty boxes appear."""
    known = characters()
    return "".join(mark if mark in known else UNKNOWN for mark in " ".join(text.split()))


@lru_cache(maxsize=4096)
def width(text: str, weight: Weight, size: int) -> float:
    """Measure the advance of one line in pixels."""
    return load(weight, size).getlength(text)


def shorten(text: str, weight: Weight, size: int, limit: float) -> str:
    """Cut a line that is wider than `limit` and end it in an ellipsis."""
    if width(text, weight, size) <= limit:
        return text
    fits = (text[:n].rstrip() + "…" for n in range(len(text) - 1, 0, -1))
    return next((cut for cut in fits if width(cut, weight, size) <= limit), "")


@lru_cache(maxsize=512)
def wrap(text: str, weight: Weight, size: int, limit: float) -> tuple[str, ...]:
    """Break a text into the fewest lines that fit `limit`, of about equal length.

    Words stay whole and Chinese lines end at a mark where they can; a word wider than a line is
    shortened.
    """
    units = [shorten(unit, weight, size, limit) for unit in _UNIT.findall(text.strip()) if unit]
    ends = [0.0, *accumulate(width(unit, weight, size) for unit in units)]
    best: list[tuple[float, int]] = [(0.0, 0)]  # cost of the lines up to a unit, start of the last
    for end in range(1, len(units) + 1):
        best.append(min(_line_costs(units, ends, limit, end, best)))
    lines: list[str] = []
    end = len(units)
    while end:
        start = best[end][1]
        lines.insert(0, "".join(units[start:end]).strip())
        end = start
    return tuple(lines)


def _line_costs(
    units: list[str], ends: list[float], limit: float, end: int, best: list[tuple[float, int]]
) -> Iterator[tuple[float, int]]:
    """Price each last line that could end before unit `end`: emptiness, and a break in a phrase."""
    last = units[end - 1]
    broken = _break_cost("".join(units[:end]).rstrip(), "".join(units[end:]).lstrip())
    for start in range(end - 1, -1, -1):
        # A space at the end of a line is not seen.
        used = ends[end - last.isspace()] - ends[start + units[start].isspace()]
        if used > limit and start < end - 1:
            return
        yield best[start][0] + _LINE + (1 - used / limit) ** 2 + broken, start


def _break_cost(before: str, after: str) -> float:
    """Price a line break: none after a mark, most inside a Chinese phrase, which has no spaces."""
    if not after or before[-1:] in _CLOSING:
        return 0.0
    chinese = re.search(rf"[{_CHINESE}]$", before) or re.match(rf"[{_CHINESE}]", after)
    return _IN_CHINESE_PHRASE if chinese else _BETWEEN_WORDS
