"""Cut the two shipped fonts out of Noto Sans CJK: `python -m classifier.fonts.subset`.

For maintainers, after a text has gained a character. Needs fontTools (`pip install fonttools`) and
the source fonts: Debian's package `fonts-noto-cjk` (1:20220127, Noto Sans CJK 2.004), which is
https://github.com/notofonts/noto-cjk as released. The result is the same, byte for byte, each time.
"""

# ruff: noqa: RUF001 - the Chinese marks that look like ASCII ones are meant

from pathlib import Path
from typing import Annotated

import typer
from fontTools import subset  # type: ignore[import-untyped]  # it has no types
from fontTools.ttLib import TTCollection, TTFont  # type: ignore[import-untyped]  # nor here

from classifier import fonts
from classifier.report_texts import Language, every_text

SOURCE = Path("/usr/share/fonts/opentype/noto")
SOURCES = {
    "NotoSansCJK-Regular.ttc": (fonts.Weight.REGULAR, "Noto Sans CJK SC"),
    "NotoSansCJK-Bold.ttc": (fonts.Weight.BOLD, "Noto Sans CJK SC Bold"),
}

LATIN = "".join(map(chr, (*range(0x20, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))))
MARKS = "–—‘’“”•…‰′″‹›€™−≈≠≤≥"
CJK_MARKS = "　、。〈〉《》「」『』【】〔〕！％（），－．／：；？～￥·"


def common() -> str:
    """List the 3755 most used Chinese characters: level 1 of GB 2312, rows 16 to 55.

    They cover rewordings of the texts and most names of clinics on posters.
    """
    cells = (bytes((0xA0 + row, 0xA0 + cell)) for row in range(16, 56) for cell in range(1, 95))
    return "".join(cell.decode("gb2312", errors="ignore") for cell in cells)


def characters() -> str:
    """List the characters that the shipped fonts cover, in order and without repeats."""
    texts = "".join(text for language in Language for text in every_text(language))
    return "".join(sorted(set(texts + LATIN + MARKS + CJK_MARKS + common())))


def cut(font: TTFont, wanted: str, weight: fonts.Weight) -> None:
    """Write the shipped font of `weight`: `font` with only the glyphs of `wanted`."""
    font.recalcTimestamp = False
    options = subset.Options(
        layout_features=[],  # Pillow's basic layout reads none
        name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14],
        notdef_outline=True,
        hinting=False,
    )
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=wanted)
    subsetter.subset(font)
    subset.save_font(font, str(fonts.path(weight)), options)


def main(source: Annotated[Path, typer.Argument(help="folder of the fonts")] = SOURCE) -> None:
    """Write the fonts and their characters."""
    wanted = characters()
    for file, (weight, name) in SOURCES.items():
        faces = TTCollection(source / file).fonts
        cut(next(face for face in faces if face["name"].getDebugName(4) == name), wanted, weight)
    fonts.CHARACTERS_FILE.write_text(wanted + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
