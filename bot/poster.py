"""A clinic's poster with the QR code that opens the bot: PNG, SVG or PDF."""

import io
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from bot.texts.catalogue import Texts
from classifier import fonts
from classifier.report_texts import Language

if TYPE_CHECKING:
    from qrcode import QRCode

# A4 at 150 dots an inch.
WIDTH, HEIGHT = 1240, 1754
INK, PAPER, QUIET_INK = (16, 24, 40), (255, 255, 255), (90, 100, 116)
CODE = 640
MODULE_BORDER = 4
LARGEST_NAME, TWO_LINES_FROM, SMALLEST_NAME = 56, 40, 20


@dataclass(frozen=True, slots=True)
class Line:
    """One centred line of the poster."""

    text: str
    size: int
    weight: fonts.Weight
    colour: tuple[int, int, int]
    baseline: int


def draw_qr(link: str, side: int) -> Image.Image:
    """Draw the code, error correction Q, with the quiet zone it needs."""
    drawn: Image.Image = _code(link).make_image().convert("L")
    return drawn.resize((side, side), Image.Resampling.NEAREST)


def qr_png(link: str, side: int) -> bytes:
    """Draw the code alone, as a PNG."""
    buffer = io.BytesIO()
    draw_qr(link, side).save(buffer, "PNG")
    return buffer.getvalue()


def _code(link: str) -> "QRCode":
    # Imported here, because no start of the bot needs it.
    from qrcode import QRCode
    from qrcode.constants import ERROR_CORRECT_Q

    code = QRCode(error_correction=ERROR_CORRECT_Q, border=MODULE_BORDER, box_size=8)
    code.add_data(link)
    code.make(fit=True)
    return code


def poster(link: str, clinic: str, kind: str) -> bytes:
    """Make the poster as `png`, `pdf` or `svg`.

    A name in letters that our fonts lack stands on the SVG alone, for which others draw it.
    """
    if kind == "svg":
        return _svg(link, _lines(clinic)).encode()
    lines = _lines(clinic if fonts.legible(clinic) == clinic else "")
    page = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    page.paste(draw_qr(link, CODE), ((WIDTH - CODE) // 2, 470))
    draw = ImageDraw.Draw(page)
    for line in lines:
        font = fonts.load(line.weight, line.size)
        text = fonts.legible(line.text)
        draw.text((WIDTH // 2, line.baseline), text, line.colour, font, anchor="ms")
    buffer = io.BytesIO()
    page.save(buffer, kind.upper(), resolution=150)
    return buffer.getvalue()


def _lines(clinic: str) -> list[Line]:
    chinese, english = (Texts(language) for language in (Language.CHINESE, Language.ENGLISH))
    bold, regular = fonts.Weight.BOLD, fonts.Weight.REGULAR
    lines = [
        *_name(clinic),
        Line(chinese("poster.title"), 68, bold, INK, 280),
        Line(english("poster.title"), 44, regular, INK, 350),
    ]
    top = 1190
    for step in ("poster.step1", "poster.step2", "poster.step3"):
        lines.append(Line(chinese(step), 40, bold, INK, top))
        lines.append(Line(english(step), 30, regular, QUIET_INK, top + 44))
        top += 120
    lines.append(Line(chinese("poster.warning"), 30, regular, QUIET_INK, 1610))
    lines.append(Line(english("poster.warning"), 22, regular, QUIET_INK, 1654))
    return lines


def _name(clinic: str) -> list[Line]:
    """Set a clinic's name as large as it fits into one line, or else into two."""
    bold = fonts.Weight.BOLD
    for size in range(LARGEST_NAME, SMALLEST_NAME, -2):
        rows = fonts.wrap(clinic, bold, size, WIDTH - 160)
        shortened = any(row.endswith("…") for row in rows)
        if not shortened and len(rows) <= (1 if size > TWO_LINES_FROM else 2):
            break
    top = 160 - 52 * (len(rows) - 1)
    return [Line(row, size, bold, INK, top + 52 * number) for number, row in enumerate(rows)]


def _svg(link: str, lines: list[Line]) -> str:
    modules = _code(link).get_matrix()
    side = CODE / len(modules)
    left, top = (WIDTH - CODE) / 2, 470
    squares = "".join(
        f"M{left + column * side:.2f} {top + row * side:.2f}h{side:.2f}v{side:.2f}h-{side:.2f}z"
        for row, cells in enumerate(modules)
        for column, dark in enumerate(cells)
        if dark
    )
    texts = "".join(
        f'<text x="{WIDTH // 2}" y="{line.baseline}" font-size="{line.size}" text-anchor="middle"'
        f' font-weight="{700 if line.weight is fonts.Weight.BOLD else 400}"'
        f' fill="rgb{line.colour}">{escape(line.text)}</text>'
        for line in lines
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' width="210mm" height="297mm" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="#fff"/><path d="{squares}"/>{texts}</svg>\n'
    )
