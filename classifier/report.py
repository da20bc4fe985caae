"""The answer picture: the scan, where the model looked, what it finds, and what that is not."""

import io
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import BinaryIO, Self

import numpy as np
from PIL import Image

from classifier import png
from classifier.classifier import Answer
from classifier.fonts import Weight
from classifier.labels import Doubt, Finding, Greys, Label, Modality, Places
from classifier.preprocess import to_levels
from classifier.refusals import RefusalReason
from classifier.report_overlay import overlay, scale
from classifier.report_page import Box, Colour, Page, Photo, Plate, Style
from classifier.report_texts import WORDS, Language, Words, moment, percent, sureness

WIDTH = 1280
_MARGIN = 48
_GAP = 28  # between blocks
_GUTTER = 20  # between the two scans
_PADDING = 40  # inside a card
_RADIUS = 28
_INSET = 10  # of a scan in its panel, so that the round corners cut nothing off
_STACKED_FROM = 1.9  # width over height from which two scans stand one above the other
_LOWEST, _TALLEST_ALONE, _TALLEST_STACKED, _TALLEST_BESIDE = 320, 820, 500, 760  # panels

_BACKGROUND: Colour = (13, 19, 30)
_CARD: Colour = (23, 32, 47)
_TRACK: Colour = (41, 54, 75)
_LETTERBOX: Colour = (3, 5, 9)
_TEXT: Colour = (243, 246, 251)
_SOFT: Colour = (173, 186, 205)
_WARM: Colour = (255, 163, 72)
_COOL: Colour = (104, 190, 250)
_NEUTRAL: Colour = (203, 192, 248)
_ALARM: Colour = (66, 29, 36)
_ALARM_TEXT: Colour = (255, 221, 216)

# Pixels at 1280; a phone shows about a third of that.
_TITLE = Style(54, _TEXT, Weight.BOLD)
_CASE = Style(32, _TEXT, Weight.BOLD)
_SMALL = Style(30, _SOFT)
_HEADLINE = Style(70, _TEXT, Weight.BOLD, 1.3)
_SENTENCE = Style(37, _TEXT)
_BAR_LABEL = Style(36, _TEXT)
_BAR_LABEL_FIRST = Style(36, _TEXT, Weight.BOLD)
_PERCENT = Style(42, _TEXT, Weight.BOLD)
_NOTICE = Style(34, _TEXT)
_ALARMING = Style(36, _ALARM_TEXT, Weight.BOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the answer picture says.

    `shown` is the scan, (rows, columns), 0 black to 1 white or in levels up to 255; the saliency of
    `finding` covers all of it. Either `finding` or `refusal` is given. `when` knows its time zone,
    and is written in it. `deciding` are the slices that `finding.places` names.
    """

    shown: Greys
    deciding: tuple[Greys, ...] = ()
    finding: Finding | None = None
    refusal: RefusalReason | None = None
    modality: Modality | None
    model: str
    case: str
    when: datetime
    language: Language

    @classmethod
    def of(cls, answer: Answer, case: str, when: datetime, language: Language) -> Self:
        """Take what an answer says that has a picture to show."""
        assert answer.shown is not None
        return cls(
            shown=answer.shown,
            deciding=answer.deciding,
            finding=answer.finding,
            refusal=answer.refusal,
            modality=answer.modality,
            model=answer.model,
            case=case,
            when=when,
            language=language,
        )

    def __post_init__(self) -> None:
        """Check what would make a misleading picture."""
        if (self.finding is None) == (self.refusal is None):
            raise ValueError("a report has either a finding or a refusal")
        if self.shown.ndim != 2 or not self.shown.size:
            raise ValueError(f"the scan is not a picture: shape {self.shown.shape}")
        if self.when.utcoffset() is None:
            raise ValueError("the time of a report needs a time zone")


def draw(report: Report) -> Image.Image:
    """Draw the answer picture, `WIDTH` pixels wide."""
    return compose(report).paint()


def to_png(image: Image.Image) -> bytes:
    """Encode a picture as PNG, quick rather than small."""
    return png.encode(np.asarray(image))


def to_jpeg(image: Image.Image) -> bytes:
    """Encode a picture as JPEG, for channels that recompress it anyway."""
    with _memory_file() as file:
        image.save(file, "JPEG", quality=90)
        file.seek(0)
        return file.read()


def _memory_file() -> BinaryIO:
    """Open a file that is only in memory.

    Where it has a descriptor, Pillow lets other threads run while it encodes.
    """
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("answer"), "w+b")
    return io.BytesIO()


def compose(report: Report) -> Page:
    """Lay out the answer picture."""
    words = WORDS[report.language]
    page = Page(WIDTH, _MARGIN, _BACKGROUND, y=40)
    _header(page, report, words)
    _scans(page, report, words)
    with page.card(_CARD, padding=_PADDING, radius=_RADIUS):
        if report.finding is not None:
            if report.finding.modality is Modality.CT:
                _write(page, words.experimental, Style(34, _WARM, Weight.BOLD))
                page.y += 20
            _verdict(page, report.finding, words)
            _bars(page, report.finding, words)
        elif report.refusal is not None:
            _refusal(page, report.refusal, words)
    page.y += _GAP
    if report.finding is not None and report.finding.places is not None:
        _series(page, report, report.finding, report.finding.places, words)
    if report.finding is not None and report.finding.doubts:
        _doubts(page, report.finding.doubts, words)
    with page.card(_ALARM, padding=28, radius=_RADIUS):
        _write(page, words.emergency, _ALARMING)
    page.y += _GAP
    _small_print(page, report, words)
    return page


def _write(page: Page, text: str, style: Style) -> None:
    """Set a text at the width of a card's inside."""
    page.write(text, style, page.margin + _PADDING, page.inner - 2 * _PADDING)


def _header(page: Page, report: Report, words: Words) -> None:
    middle, right, top = page.width // 2, page.width - page.margin, page.y
    page.put(words.title[report.modality], _TITLE, Box(page.margin, top, middle, top + 88))
    case = f"{words.case} {report.case}"
    page.put(case, _CASE, Box(middle, top, right, top + 44), to_right=True)
    when = moment(report.when, report.language)
    page.put(when, _SMALL, Box(middle, top + 44, right, top + 88), to_right=True)
    page.y = top + 88 + 20


def _scans(page: Page, report: Report, words: Words) -> None:
    """Show the scan, and beside or below it where the model looked."""
    rows, columns = report.shown.shape
    stacked = columns / rows >= _STACKED_FROM
    alone = report.finding is None
    width = page.inner if alone or stacked else (page.inner - _GUTTER) // 2
    wanted = (width - 2 * _INSET) * rows / columns + 2 * _INSET
    tallest = _TALLEST_ALONE if alone else _TALLEST_STACKED if stacked else _TALLEST_BESIDE
    height = round(min(max(wanted, _LOWEST), tallest))
    scan = _fit(report.shown, width - 2 * _INSET, height - 2 * _INSET)
    if report.finding is None:
        _photo(page, scan, Box(page.margin, page.y, page.margin + width, page.y + height))
        page.y += height + _GAP
        return
    looked = overlay(scan, report.finding.saliency)
    left, top = page.margin, page.y
    for caption, image in ((words.scan_caption, scan), (words.overlay_caption, looked)):
        page.put(caption, _SMALL, Box(left, top, left + width, top + 48))
        _photo(page, image, Box(left, top + 52, left + width, top + 52 + height))
        page.y = top + 52 + height + 20
        left, top = (left, page.y) if stacked else (left + width + _GUTTER, top)
    _legend(page, words)


def _fit(shown: Greys, width: int, height: int) -> Image.Image:
    """Scale the whole scan into a box, as an `L` picture."""
    rows, columns = shown.shape
    ratio = min(width / columns, height / rows)
    size = (max(1, round(columns * ratio)), max(1, round(rows * ratio)))
    # Averaged by a whole factor first, which nobody sees (48 dB to Lanczos) and halves the time.
    scan = Image.fromarray(to_levels(shown))
    return scan.resize(size, Image.Resampling.BICUBIC, reducing_gap=1.0)


def _photo(page: Page, image: Image.Image, box: Box) -> None:
    """Put a picture into the middle of a dark panel."""
    width, height = box.right - box.left, box.bottom - box.top
    panel = Image.new("RGB", (width, height), _LETTERBOX)
    panel.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    page.photos.append(Photo(panel, box, _RADIUS))


def _legend(page: Page, words: Words) -> None:
    """Explain the colours: what they are not on the left, the scale on the right."""
    width, top = (page.inner - _GUTTER) // 2, page.y
    right = page.width - page.margin
    page.write(words.overlay_warning, _SMALL, page.margin, width)
    bottom = max(page.y, top + 48)
    middle = (top + bottom) // 2
    left = right - width
    normal = Box(left, middle - 24, left + _SMALL.measure(words.speaks_for_normal), middle + 24)
    start = right - _SMALL.measure(words.speaks_for_pneumonia)
    pneumonia = Box(start, middle - 24, right, middle + 24)
    page.put(words.speaks_for_normal, _SMALL, normal)
    page.put(words.speaks_for_pneumonia, _SMALL, pneumonia, to_right=True)
    bar = Box(normal.right + 16, middle - 13, pneumonia.left - 16, middle + 13)
    page.photos.append(Photo(scale(bar.right - bar.left, 26), bar, 13))
    page.y = bottom + _GAP


def _verdict(page: Page, finding: Finding, words: Words) -> None:
    """Say the answer in words, and how sure it is."""
    if finding.label is None:
        hue = _WARM if finding.is_pneumonia else _NEUTRAL
        _write(page, words.estimate, Style(34, hue, Weight.BOLD))
        _write(page, words.pneumonia if finding.is_pneumonia else words.unsure, _HEADLINE)
        said = words.pneumonia_advice if finding.is_pneumonia else words.unsure_advice
    else:
        _write(page, words.most_likely, Style(34, _hue(finding.label), Weight.BOLD))
        _write(page, words.labels[finding.label], _HEADLINE)
        sure = words.sureness[sureness(finding.label, finding.probabilities[finding.label])]
        said = sure + words.between_sentences + words.advice[finding.label]
    page.y += 6
    _write(page, said, _SENTENCE)
    page.y += 26


def _hue(label: Label) -> Colour:
    return _COOL if label is Label.NORMAL else _WARM


def _bars(page: Page, finding: Finding, words: Words) -> None:
    """Draw one bar for each class; the answer's own are the brightest."""
    left, right = page.margin + _PADDING, page.width - page.margin - _PADDING
    names = [words.labels[label] for label in Label]
    start = left + max(_BAR_LABEL_FIRST.measure(name) for name in names) + 32
    _write(page, words.bars_title, _SMALL)
    page.y += 4
    for label in Label:
        probability = finding.probabilities[label]
        first = _stands_out(label, finding)
        top, middle = page.y, page.y + 36
        style = _BAR_LABEL_FIRST if first else _BAR_LABEL
        page.put(words.labels[label], style, Box(left, top, start - 16, top + 72))
        value = Box(right - 120, top, right, top + 72)
        page.put(percent(probability), _PERCENT, value, to_right=True)
        track = Box(start, middle - 16, right - 140, middle + 16)
        page.plates.append(Plate(track, _TRACK, 16))
        length = round((track.right - track.left) * min(max(probability, 0.0), 1.0))
        filled = track._replace(right=track.left + max(length, 32))
        page.plates.append(Plate(filled, _bar_colour(label, finding), 16))
        page.y += 72
    page.y -= 12  # the last row's own air counts towards the card's padding


def _stands_out(label: Label, finding: Finding) -> bool:
    if finding.is_pneumonia:
        return label is not Label.NORMAL
    return label is finding.label


def _bar_colour(label: Label, finding: Finding) -> Colour:
    """Let the answer's bars stand out; without an answer none does."""
    if finding.label is None and not finding.is_pneumonia:
        return _NEUTRAL
    if _stands_out(label, finding):
        return _hue(label)
    red, green, blue = ((c + d) // 2 for c, d in zip(_hue(label), _CARD, strict=True))
    return red, green, blue


def _series(page: Page, report: Report, finding: Finding, places: Places, words: Words) -> None:
    """Show the slices that decided and where they lie, and say how much looks affected."""
    with page.card(_CARD, padding=_PADDING, radius=_RADIUS):
        _write(page, words.slices_title, Style(34, _NEUTRAL, Weight.BOLD))
        page.y += 12
        side = (page.inner - 2 * _PADDING - 2 * _GUTTER) // 3
        scans = [_fit(slice_, side, side) for slice_ in report.deciding]
        height = max((scan.height for scan in scans), default=0)
        left = page.margin + _PADDING
        for index, scan in zip(places.deciding, scans, strict=False):
            name = words.slice_of.format(number=index + 1, count=finding.slices)
            page.put(name, _SMALL, Box(left, page.y, left + side, page.y + 48))
            _photo(page, scan, Box(left, page.y + 52, left + side, page.y + 52 + height))
            left += side + _GUTTER
        page.y += 52 + height + 20
        _along(page, places, finding.slices, words)
        _write(page, words.from_feet if places.from_feet else words.order_unknown, _SMALL)
        page.y += 8
        share = f"{places.affected / places.looked_at:.0%}"
        _write(page, words.affected.format(share=share, **asdict(places)), _NOTICE)
        if places.series > 1:
            page.y += 8
            _write(page, words.of_series.format(series=places.series), _NOTICE)
    page.y += _GAP


def _along(page: Page, places: Places, count: int, words: Words) -> None:
    """Mark the slices that decided on a bar from one end of the series to the other."""
    first, last = words.ends if places.from_feet else words.ends_unknown
    left, right = page.margin + _PADDING, page.width - page.margin - _PADDING
    start, end = left + _SMALL.measure(first) + 20, right - _SMALL.measure(last) - 20
    page.put(first, _SMALL, Box(left, page.y, start - 20, page.y + 48))
    page.put(last, _SMALL, Box(end + 20, page.y, right, page.y + 48), to_right=True)
    middle = page.y + 24
    page.plates.append(Plate(Box(start, middle - 8, end, middle + 8), _TRACK, 8))
    for index in places.deciding:
        at = start + round((end - start - 12) * (index + 0.5) / count)
        page.plates.append(Plate(Box(at, middle - 20, at + 12, middle + 20), _NEUTRAL, 6))
    page.y += 60


def _refusal(page: Page, reason: RefusalReason, words: Words) -> None:
    _write(page, words.refused, _HEADLINE)
    page.y += 6
    _write(page, words.refusals[reason], _SENTENCE)


def _doubts(page: Page, doubts: frozenset[Doubt], words: Words) -> None:
    """List why the answer should be trusted less."""
    left, width = page.margin + _PADDING, page.inner - 2 * _PADDING
    with page.card(_CARD, padding=32, radius=_RADIUS):
        _write(page, words.doubts_title, Style(34, _NEUTRAL, Weight.BOLD))
        for doubt in (doubt for doubt in Doubt if doubt in doubts):
            page.y += 8
            dot = page.y + _NOTICE.line_height // 2
            page.plates.append(Plate(Box(left, dot - 6, left + 12, dot + 6), _NEUTRAL, 6))
            page.write(words.doubts[doubt], _NOTICE, left + 34, width - 34)
    page.y += _GAP


def _small_print(page: Page, report: Report, words: Words) -> None:
    """Say what this is not, what the model learned from, and which model it was."""
    page.write(words.not_a_diagnosis, _SMALL, page.margin, page.inner)
    if report.finding is not None:
        page.y += 10
        page.write(words.trained_on[report.finding.modality], _SMALL, page.margin, page.inner)
    if report.model:
        page.y += 10
        line = Box(page.margin, page.y, page.width - page.margin, page.y + 42)
        page.put(f"{words.model} {report.model}", _SMALL, line)
        page.y = line.bottom
    page.y += 40
