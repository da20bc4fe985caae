"""The answer picture: its words, its colours, its layout, and how it looks.

The pictures in `golden/` are drawn from generated phantoms. After a wanted change of the looks,
`REPORT_GOLDEN=write pytest tests/classifier/test_report.py` draws them anew; look at them then.
"""

import os
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from classifier import fonts, refusals
from classifier.fonts import Weight
from classifier.labels import Doubt, Finding, FloatArray, Label, Modality, Places
from classifier.refusals import RefusalReason
from classifier.report import WIDTH, Report, compose, draw, to_png
from classifier.report_overlay import FULL_COLOUR, overlay, strength
from classifier.report_page import Page
from classifier.report_texts import WORDS, Language, Sureness, every_text, moment, percent, sureness

GOLDEN = Path(__file__).parent / "golden"
WHEN = datetime(2026, 10, 3, 14, 5, tzinfo=UTC)
BOTH = pytest.mark.parametrize("language", Language)


def phantom(rows: int, columns: int) -> FloatArray:
    """A chest of ellipses: a bright body with two dark lungs and a heart."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]

    def disc(cx: float, cy: float, rx: float, ry: float) -> FloatArray:
        edge = 1 - ((x - cx) / rx) ** 2 - ((y - cy) / ry) ** 2
        inside: FloatArray = np.clip(edge * 4, 0, 1).astype(np.float32)
        return inside

    lungs = np.maximum(disc(-0.42, -0.05, 0.3, 0.62), disc(0.42, -0.05, 0.3, 0.62))
    body = 0.62 * disc(0, 0.1, 0.92, 1.2) - 0.42 * lungs + 0.3 * disc(0.12, 0.25, 0.3, 0.34)
    return np.clip(body, 0, 1).astype(np.float32)


def spots(*places: tuple[float, float, float], size: int = 7) -> FloatArray:
    """A saliency grid with hills of (row, column, logits over the whole picture)."""
    y, x = np.mgrid[0:size, 0:size]
    hills = [peak * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 2.5) for cy, cx, peak in places]
    total = np.sum(hills, axis=0) if hills else np.zeros((size, size))
    return (total / size**2).astype(np.float32)


def finding(
    normal: float,
    bacterial: float,
    viral: float,
    label: Label | None,
    *,
    saliency: FloatArray | None = None,
    doubts: frozenset[Doubt] = frozenset(),
    modality: Modality = Modality.XRAY,
    slices: int = 1,
    places: Places | None = None,
) -> Finding:
    shares = {Label.NORMAL: normal, Label.BACTERIAL: bacterial, Label.VIRAL: viral}
    grid = spots((4, 5, 14)) if saliency is None else saliency
    return Finding(modality, shares, label, grid, doubts, "phantom-1", slices, places)


def report(language: Language, found: Finding | None, shown: FloatArray | None = None) -> Report:
    return Report(
        shown=phantom(480, 600) if shown is None else shown,
        deciding=(phantom(512, 512), phantom(400, 512), phantom(512, 512)),
        finding=found,
        refusal=None if found else RefusalReason.NO_CT_MODEL,
        modality=found.modality if found else Modality.CT,
        model=found.model if found else "",
        case="K7Q4-29",
        when=WHEN,
        language=language,
    )


BACTERIAL = finding(0.02, 0.94, 0.04, Label.BACTERIAL)
NORMAL = finding(0.996, 0.003, 0.001, Label.NORMAL, saliency=spots((3, 2, -6), (3, 4, -6)))
UNSURE = finding(0.17, 0.42, 0.41, None, doubts=frozenset(Doubt))
PNEUMONIA = replace(finding(0.04, 0.5, 0.46, None), is_pneumonia=True)
VIRAL_CT = finding(0.1, 0.1, 0.8, Label.VIRAL, modality=Modality.CT)

SERIES = Places(deciding=(56, 60, 119), from_feet=True, looked_at=61, affected=34, series=3)
UNSURE_CT = finding(
    0.3, 0.3, 0.4, None, modality=Modality.CT, slices=120, places=SERIES, saliency=spots((4, 5, 9))
)
UNORDERED_CT = replace(
    UNSURE_CT,
    slices=1000,
    places=replace(SERIES, deciding=(0, 998, 999), from_feet=False, series=1),
)

CASES: dict[str, tuple[Finding | None, FloatArray]] = {
    "bacterial": (BACTERIAL, phantom(480, 600)),
    "normal-tall": (NORMAL, phantom(800, 360)),
    "unsure-wide": (UNSURE, phantom(360, 800)),
    "pneumonia": (PNEUMONIA, phantom(480, 600)),
    "ct-refused": (None, phantom(512, 512)),
    "ct-series": (UNSURE_CT, phantom(512, 512)),
}


def every_page(language: Language) -> dict[str, Page]:
    """Each text in its place at least once, with names too long for their places too."""
    pages = {name: compose(report(language, *case)) for name, case in CASES.items()}
    pages["ct"] = compose(report(language, VIRAL_CT))
    pages["ct-unordered"] = compose(report(language, UNORDERED_CT))
    leaning = finding(0.2, 0.7, 0.1, Label.BACTERIAL)
    pages["leaning"] = compose(report(language, leaning))
    endless = replace(report(language, BACTERIAL), case="9" * 99, model="resnet-" * 30)
    pages["endless"] = compose(endless)
    for reason in RefusalReason:
        refused = replace(report(language, None), refusal=reason, modality=None)
        pages[reason] = compose(refused)
    return pages


# Words


def test_a_percentage_is_never_a_flat_0_or_100() -> None:
    shown = [percent(p) for p in (0.0, 0.0099, 0.01, 0.256, 0.99, 0.9901, 1.0)]
    assert shown == ["<1%", "<1%", "1%", "26%", "99%", ">99%", ">99%"]


def test_no_probability_at_all_reads_0_or_100() -> None:
    shown = {percent(p) for p in np.linspace(0, 1, 100_001)}
    assert shown.isdisjoint({"0%", "100%"})


def test_words_for_sureness_follow_the_probability() -> None:
    said = [sureness(Label.NORMAL, p) for p in (0.0, 0.79, 0.8, 0.94, 0.95, 1.0)]
    slight, fair, high = Sureness.SLIGHT, Sureness.FAIR, Sureness.HIGH
    assert said == [slight, slight, fair, fair, high, high]


@pytest.mark.parametrize("kind", [Label.BACTERIAL, Label.VIRAL])
def test_of_a_kind_the_model_is_never_very_sure(kind: Label) -> None:
    assert [sureness(kind, p) for p in (0.79, 0.94, 1.0)] == [
        Sureness.SLIGHT,
        Sureness.FAIR,
        Sureness.FAIR,
    ]


@BOTH
def test_every_label_doubt_refusal_and_modality_has_words(language: Language) -> None:
    words = WORDS[language]
    assert set(words.labels) == set(words.advice) == set(Label)
    assert set(words.doubts) == set(Doubt)
    assert set(words.refusals) == set(RefusalReason)
    assert set(words.sureness) == set(Sureness)
    assert set(words.title) == {*Modality, None}
    assert set(words.trained_on) == set(Modality)


def test_english_refusals_are_the_sentences_of_the_reader() -> None:
    assert WORDS[Language.ENGLISH].refusals is refusals.SENTENCES


def test_chinese_texts_are_chinese_and_english_texts_are_not() -> None:
    def is_chinese(text: str) -> bool:
        return any("CJK" in unicodedata.name(mark, "") for mark in text)

    numbers = {percent(0.0), percent(1.0), ""}
    assert all(is_chinese(text) for text in every_text(Language.CHINESE) if text not in numbers)
    assert not any(map(is_chinese, every_text(Language.ENGLISH)))


def test_the_time_is_written_with_its_zone() -> None:
    assert moment(WHEN, Language.ENGLISH) == "3 Oct 2026, 14:05 UTC"
    there = WHEN.astimezone(timezone(timedelta(hours=8)))
    assert moment(there, Language.CHINESE) == "2026年10月3日 22:05 UTC+8"


# Fonts


@pytest.mark.parametrize("weight", Weight)
@BOTH
def test_the_fonts_hold_every_character_of_the_texts(language: Language, weight: Weight) -> None:
    font = fonts.load(weight, 32)
    box = bytes(font.getmask("\U0010fffd"))  # what stands for a missing character
    needed = set("".join(every_text(language))) | set(map(chr, range(0x21, 0x7F)))
    assert needed <= fonts.characters()
    assert [mark for mark in fonts.characters() if bytes(font.getmask(mark)) == box] == []


@pytest.mark.parametrize("weight", Weight)
def test_each_font_is_small(weight: Weight) -> None:
    assert fonts.path(weight).stat().st_size < 1_000_000


def test_a_name_outside_the_fonts_is_drawn_with_question_marks() -> None:
    odd = replace(report(Language.ENGLISH, BACTERIAL), model="шум\u200bя \n🫁", case="שלום")
    shown = " ".join(line.text for line in compose(odd).lines)
    assert "Model ????? ?" in shown
    assert draw(odd).width == WIDTH


def test_lines_break_between_words_and_never_before_a_chinese_comma() -> None:
    for language in Language:
        for text in every_text(language):
            if not text.strip():
                continue
            for limit in (280, 400, 582, 1104):
                lines = fonts.wrap(text, Weight.REGULAR, 34, limit)
                assert all(fonts.width(x, Weight.REGULAR, 34) <= limit for x in lines)
                assert not any(line[0] in "，。；：？！）、%" for line in lines)  # noqa: RUF001 - meant
                if language is Language.ENGLISH:
                    assert " ".join(lines) == text


# Colours over the scan


def as_array(image: Image.Image) -> FloatArray:
    return np.asarray(image.convert("RGB"), dtype=np.float32)


def grey_scan() -> Image.Image:
    return Image.fromarray(np.uint8(phantom(240, 300) * 255))


def test_without_saliency_the_overlay_is_the_scan() -> None:
    scan = grey_scan()
    empty = overlay(scan, np.zeros((7, 7), np.float32))
    assert np.array_equal(as_array(empty), as_array(scan))


def test_weak_saliency_stays_clear_rather_than_being_stretched_to_full_colour() -> None:
    scan = grey_scan()
    weak = spots((3, 3, 0.1 * FULL_COLOUR))
    assert np.array_equal(as_array(overlay(scan, weak)), as_array(scan))


@pytest.mark.parametrize("sign", [1, -1])
def test_twice_the_saliency_colours_more(sign: int) -> None:
    scan = Image.new("L", (300, 240), 120)
    once, twice = (
        np.abs(as_array(overlay(scan, spots((3, 3, sign * peak)))) - 120).sum() for peak in (5, 10)
    )
    assert 0 < once < twice


def test_one_scale_for_all_pictures_a_place_looks_the_same_whatever_is_elsewhere() -> None:
    scan = Image.new("L", (320, 320), 120)
    alone = overlay(scan, spots((1, 1, 8), size=16))
    beside = overlay(scan, spots((1, 1, 8), (14, 14, 40), size=16))
    assert np.array_equal(as_array(alone)[:120, :120], as_array(beside)[:120, :120])


def test_the_scale_does_not_depend_on_the_size_of_the_grid() -> None:
    for size in (7, 10, 14):
        even = np.full((size, size), FULL_COLOUR / 2 / size**2, np.float32)
        assert strength(even) == pytest.approx(0.5)


def test_pneumonia_is_warm_and_normal_is_cool() -> None:
    scan = Image.new("L", (70, 70), 120)
    warm = as_array(overlay(scan, spots((3, 3, 20))))[35, 35]
    cool = as_array(overlay(scan, spots((3, 3, -20))))[35, 35]
    assert warm[0] > warm[1] > warm[2]
    assert cool[2] > cool[1] > cool[0]


def test_colour_lies_where_the_saliency_is() -> None:
    scan = Image.new("L", (700, 350), 120)
    changed = np.abs(as_array(overlay(scan, spots((1, 5, 14)))) - 120).sum(axis=2)
    row, column = np.unravel_index(np.argmax(changed), changed.shape)
    assert abs(int(row) - 75) < 30
    assert abs(int(column) - 550) < 60


# Layout


@BOTH
def test_every_line_fits_the_box_kept_for_it(language: Language) -> None:
    for name, page in every_page(language).items():
        for line in page.lines:
            font = fonts.load(line.style.weight, line.style.size)
            left, top, right, bottom = font.getbbox(line.text, anchor="ls")
            where = f"{name}: {line.text}"
            assert line.left + left >= line.box.left - 1, where
            assert line.left + right <= line.box.right + 1, where
            assert line.baseline + top >= line.box.top, where
            assert line.baseline + bottom <= line.box.bottom, where


@BOTH
def test_nothing_lies_over_a_text_or_outside_the_page(language: Language) -> None:
    for name, page in every_page(language).items():
        boxes = [line.box for line in page.lines]
        for box in boxes:
            assert page.margin <= box.left < box.right <= page.width - page.margin, name
            assert 0 <= box.top < box.bottom <= page.y, name
        taken = boxes + [photo.box for photo in page.photos]
        for a, b in combinations(taken, 2):
            apart = a.right <= b.left or b.right <= a.left or a.bottom <= b.top or b.bottom <= a.top
            assert apart, f"{name}: {a} over {b}"


@BOTH
def test_every_line_lies_wholly_on_or_off_each_card(language: Language) -> None:
    for name, page in every_page(language).items():
        for plate in page.plates:
            for box in (line.box for line in page.lines):
                inside = plate.box.top <= box.top and box.bottom <= plate.box.bottom
                below_or_above = box.top >= plate.box.bottom or box.bottom <= plate.box.top
                beside = box.left >= plate.box.right or box.right <= plate.box.left
                assert inside or below_or_above or beside, name


@BOTH
def test_no_text_of_ours_is_cut_short(language: Language) -> None:
    for name, page in every_page(language).items():
        cut = [line.text for line in page.lines if line.text.endswith("…")]
        assert len(cut) == (2 if name == "endless" else 0), cut


@BOTH
def test_no_type_is_too_small_for_a_phone(language: Language) -> None:
    for page in every_page(language).values():
        assert min(line.style.size for line in page.lines) >= 30


def said(page: Page) -> str:
    return "".join(line.text for line in page.lines).replace(" ", "")


@BOTH
def test_every_answer_says_what_it_is_not_and_what_to_do_in_an_emergency(
    language: Language,
) -> None:
    words = WORDS[language]
    for page in every_page(language).values():
        assert words.not_a_diagnosis.replace(" ", "") in said(page)
        assert words.emergency.replace(" ", "") in said(page)
        assert "120" in said(page)


@BOTH
def test_an_answer_names_case_model_training_and_percentages(language: Language) -> None:
    text = said(compose(report(language, BACTERIAL)))
    trained_on = WORDS[language].trained_on[Modality.XRAY].replace(" ", "")
    assert trained_on in text
    for part in ("K7Q4-29", "phantom-1", "2026", "2%", "94%", "4%"):
        assert part in text


@BOTH
def test_an_unsure_answer_names_no_class_as_its_verdict(language: Language) -> None:
    words, text = WORDS[language], said(compose(report(language, UNSURE)))
    assert words.unsure.replace(" ", "") in text
    assert words.most_likely.replace(" ", "") not in text
    assert all(doubt.replace(" ", "") in text for doubt in words.doubts.values())


@BOTH
def test_pneumonia_of_a_kind_that_is_not_clear_names_none_and_is_not_called_unsure(
    language: Language,
) -> None:
    words, page = WORDS[language], compose(report(language, PNEUMONIA))
    text = said(page)
    for part in (words.pneumonia, words.pneumonia_advice, words.not_a_diagnosis):
        assert part.replace(" ", "") in text
    for part in (words.unsure, words.most_likely, words.doubts_title):
        assert part.replace(" ", "") not in text
    weights = {line.text: line.style.weight for line in page.lines}
    bold = {label for label in Label if weights[words.labels[label]] is Weight.BOLD}
    assert bold == {Label.BACTERIAL, Label.VIRAL}


@BOTH
def test_a_ct_answer_says_that_it_is_experimental_and_an_x_ray_does_not(language: Language) -> None:
    words = WORDS[language].experimental.replace(" ", "")
    assert words in said(compose(report(language, VIRAL_CT)))
    assert words in said(compose(report(language, UNSURE_CT)))
    assert words not in said(compose(report(language, BACTERIAL)))


@BOTH
def test_a_series_shows_three_slices_their_places_and_the_share_affected(
    language: Language,
) -> None:
    words, page = WORDS[language], compose(report(language, UNSURE_CT))
    text = said(page)
    for number in (57, 61, 120):
        assert words.slice_of.format(number=number, count=120).replace(" ", "") in text
    affected = words.affected.format(affected=34, looked_at=61, share="56%")
    assert affected.replace(" ", "") in text
    assert words.of_series.format(series=3).replace(" ", "") in text
    assert words.from_feet.replace(" ", "") in text
    alone = compose(report(language, VIRAL_CT))
    assert len(page.photos) - len(alone.photos) == 3
    assert len(page.plates) - len(alone.plates) == 1 + 1 + 3


@BOTH
def test_where_the_ends_are_not_known_no_feet_and_no_head_are_named(language: Language) -> None:
    words, text = WORDS[language], said(compose(report(language, UNORDERED_CT)))
    assert words.from_feet.replace(" ", "") not in text
    assert words.order_unknown.replace(" ", "") in text
    assert all(end in text for end in words.ends_unknown)
    before_order = text.replace(words.order_unknown.replace(" ", ""), "")
    assert not any(end in before_order for end in words.ends)


def test_the_marks_lie_along_the_bar_as_the_slices_in_the_series() -> None:
    page = compose(report(Language.ENGLISH, UNSURE_CT))
    bar = next(plate.box for plate in page.plates if plate.box.bottom - plate.box.top == 16)
    marks = [plate.box for plate in page.plates if plate.box.right - plate.box.left == 12][-3:]
    places = [(mark.left + 6 - bar.left) / (bar.right - bar.left) for mark in marks]
    assert places == pytest.approx([56.5 / 120, 60.5 / 120, 119.5 / 120], abs=0.02)


def test_the_whole_scan_is_shown_whatever_its_shape() -> None:
    for rows, columns in ((900, 2000), (2000, 900), (64, 64), (3000, 10), (10, 3000)):
        page = compose(report(Language.ENGLISH, BACTERIAL, np.ones((rows, columns), np.float32)))
        lit = np.asarray(page.paint().crop(page.photos[0].box).convert("L")) > 200
        down, across = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
        height, width = np.ptp(down) + 1, np.ptp(across) + 1
        assert lit.sum() == height * width, "the round corners cut nothing off"
        assert abs(height - width * rows / columns) <= rows / columns + 1
        assert page.y < 2.4 * WIDTH


def test_values_outside_0_to_1_do_not_wrap_round() -> None:
    bright = np.full((64, 64), 1.7, np.float32)
    bright[:, :32] = -0.4
    panel = np.asarray(compose(report(Language.ENGLISH, BACTERIAL, bright)).photos[0].image)
    assert panel[200, 100].max() == 0
    assert panel[200, 450].min() == 255


@pytest.mark.parametrize(
    "wrong",
    [
        {"finding": BACTERIAL, "refusal": RefusalReason.BROKEN},
        {"finding": None, "refusal": None},
        {"shown": np.zeros((4, 4, 3), np.float32)},
        {"shown": np.zeros((0, 4), np.float32)},
        {"when": datetime(2026, 10, 3)},
    ],
)
def test_a_report_that_would_mislead_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"report|picture"):
        replace(report(Language.ENGLISH, BACTERIAL), **wrong)


# Looks


@BOTH
@pytest.mark.parametrize("name", CASES)
def test_the_picture_looks_as_agreed(name: str, language: Language) -> None:
    picture = draw(report(language, *CASES[name]))
    small = picture.resize((640, picture.height // 2), Image.Resampling.BOX)
    golden = GOLDEN / f"report-{name}-{language}.webp"
    if os.environ.get("REPORT_GOLDEN") == "write":
        small.save(golden, quality=88, method=6)
    agreed = Image.open(golden)
    assert small.size == agreed.size
    difference = np.abs(as_array(small) - as_array(agreed)).max(axis=2)
    # WebP loses a little; other builds of FreeType smooth letters a little differently.
    assert difference.mean() < 3
    assert (difference > 64).mean() < 0.003


def test_a_picture_is_a_png_of_the_agreed_width() -> None:
    picture = draw(report(Language.CHINESE, BACTERIAL))
    assert (picture.mode, picture.width) == ("RGB", WIDTH)
    assert to_png(picture).startswith(b"\x89PNG")
