"""Cut the two shipped fonts out of Noto Sans CJK: `python -m classifier.fonts.subset`.

For maintainers, after a text has gained a character. Needs fontTools (`pip install fonttools`) and
the source fonts: Debian's package `fonts-noto-cjk` (1:20220127, Noto Sans CJK 2.004), which is
https://github.com/notofonts/noto-cjk as released. The result is the same, byte for byte, each time.
"""

# ruff: noqa: RUF001 - the Chinese marks that look like ASCII ones are meant

import argparse
from pathlib import Path

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
# Frequent characters, so that most rewordings need no new subset.
SPARE = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过"
    "发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她"
    "本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由"
    "问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世"
    "位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四"
    "神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便"
    "空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边"
    "死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运医生护士病患者片图影像诊断胸肺炎"
    "细菌毒症状咳嗽发烧热呼吸困难疼痛急救电话检查结果模型估计可能概率低高提示复核审阅编号日期时间"
    "左右上下叶区阴影正位侧位扫描层序列文件压缩包密码重新发送请稍后再试未已并否支持格式尺寸过大"
)


def characters() -> str:
    """List the characters that the shipped fonts cover, in order and without repeats."""
    texts = "".join(text for language in Language for text in every_text(language))
    return "".join(sorted(set(texts + LATIN + MARKS + CJK_MARKS + SPARE)))


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


def main() -> None:
    """Read the source folder from the command line and write the fonts and their characters."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", type=Path, default=SOURCE)
    source: Path = parser.parse_args().source
    wanted = characters()
    for file, (weight, name) in SOURCES.items():
        faces = TTCollection(source / file).fonts
        cut(next(face for face in faces if face["name"].getDebugName(4) == name), wanted, weight)
    fonts.CHARACTERS_FILE.write_text(wanted + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
