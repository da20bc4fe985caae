"""A page under construction: plates, pictures and lines of text with their places, then pixels."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw

from classifier import fonts
from classifier.fonts import Weight

Colour = tuple[int, int, int]


class Box(NamedTuple):
    """A rectangle in pixels; right and bottom lie just outside."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is set; `leading` is the distance between baselines in parts of `size`."""

    size: int
    colour: Colour
    weight: Weight = Weight.REGULAR
    leading: float = 1.4

    @property
    def line_height(self) -> int:
        """Say how far apart the baselines are, in pixels."""
        return round(self.size * self.leading)

    def measure(self, text: str) -> int:
        """Say how wide a line is set in this style, in whole pixels."""
        return math.ceil(fonts.width(text, self.weight, self.size))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in the box that was kept for it."""

    text: str
    style: Style
    box: Box
    left: int
    ground: Colour

    @property
    def baseline(self) -> int:
        """Say where the letters stand: capitals and Chinese are about centred in the box."""
        return (self.box.top + self.box.bottom) // 2 + round(self.style.size * 0.36)


@dataclass(frozen=True, slots=True)
class Plate:
    """An even rounded rectangle."""

    box: Box
    colour: Colour
    radius: int


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture with rounded corners."""

    image: Image.Image
    box: Box
    radius: int


@dataclass(slots=True)
class Page:
    """What stands where, filled from the top; `y` is where the next thing goes."""

    width: int
    margin: int
    background: Colour
    y: int = 0
    plates: list[Plate] = field(default_factory=list)
    photos: list[Photo] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    # The colour under what is set now.
    ground: Colour = field(init=False)

    def __post_init__(self) -> None:
        """Begin outside of all cards."""
        self.ground = self.background

    @property
    def inner(self) -> int:
        """Say how wide the page is between its margins."""
        return self.width - 2 * self.margin

    def write(self, text: str, style: Style, left: int, limit: int) -> None:
        """Set a text at `y`, wrapped to `limit`, and move on below it."""
        for line in fonts.wrap(fonts.legible(text), style.weight, style.size, limit):
            self.put(line, style, Box(left, self.y, left + limit, self.y + style.line_height))
            self.y += style.line_height

    def put(self, text: str, style: Style, box: Box, *, to_right: bool = False) -> None:
        """Set one line in a box, shortened if it must be; `y` stays."""
        room = box.right - box.left
        shown = fonts.shorten(fonts.legible(text), style.weight, style.size, room)
        used = fonts.width(shown, style.weight, style.size)
        left = box.right - round(used) if to_right else box.left
        self.lines.append(Line(shown, style, box, left, self.ground))

    @contextmanager
    def card(self, colour: Colour, *, padding: int, radius: int) -> Iterator[None]:
        """Lay a plate as wide as the page under all that is set inside the `with` block."""
        top, below, around = self.y, len(self.plates), self.ground
        self.y += padding
        self.ground = colour
        yield
        self.ground = around
        self.y += padding
        box = Box(self.margin, top, self.width - self.margin, self.y)
        self.plates.insert(below, Plate(box, colour, radius))

    def paint(self) -> Image.Image:
        """Make the picture, as tall as `y`."""
        canvas = Image.new("RGB", (self.width, self.y), self.background)
        for plate in self.plates:
            _paint_plate(canvas, plate)
        for photo in self.photos:
            _paint_photo(canvas, photo, self.background)
        for line in self.lines:
            style = line.style
            strip, left, top = _written(
                line.text, style.weight, style.size, style.colour, line.ground
            )
            canvas.paste(strip, (line.left + left, line.baseline + top))
        return canvas


@lru_cache(maxsize=128)
def _written(
    text: str, weight: fonts.Weight, size: int, colour: Colour, ground: Colour
) -> tuple[Image.Image, int, int]:
    """Write a line once, as most are the same in every answer: its strip, and where it begins."""
    font = fonts.load(weight, size)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text, anchor="ls"))
    strip = Image.new("RGB", (max(1, right - left), max(1, bottom - top)), ground)
    ImageDraw.Draw(strip).text((-left, -top), text, colour, font, anchor="ls")
    return strip, left, top


def _paint_plate(canvas: Image.Image, plate: Plate) -> None:
    left, top, right, bottom = plate.box
    radius = min(plate.radius, (right - left) // 2, (bottom - top) // 2)
    canvas.paste(plate.colour, (left + radius, top, right - radius, bottom))
    canvas.paste(plate.colour, (left, top + radius, right, bottom - radius))
    for mask, at in _corners(plate.box, radius):
        canvas.paste(plate.colour, at, mask)


def _paint_photo(canvas: Image.Image, photo: Photo, background: Colour) -> None:
    canvas.paste(photo.image, (photo.box.left, photo.box.top))
    for mask, at in _corners(photo.box, photo.radius):
        canvas.paste(background, at, ImageChops.invert(mask))


def _corners(box: Box, radius: int) -> Iterator[tuple[Image.Image, tuple[int, int]]]:
    """Give the four rounded corners of a box: each mask and its place."""
    right, bottom = box.right - radius, box.bottom - radius
    places = ((box.left, box.top), (right, box.top), (right, bottom), (box.left, bottom))
    return zip(_corner_masks(radius), places, strict=True)


@lru_cache(maxsize=16)
def _corner_masks(radius: int) -> tuple[Image.Image, ...]:
    """Draw the smooth quarter discs: top left, top right, bottom right, bottom left."""
    fine = 8  # drawn larger and shrunk, as Pillow's own arcs have steps
    disc = Image.new("L", (2 * radius * fine, 2 * radius * fine))
    ImageDraw.Draw(disc).ellipse((0, 0, 2 * radius * fine - 1, 2 * radius * fine - 1), 255)
    whole = disc.reduce(fine)
    places = ((0, 0), (radius, 0), (radius, radius), (0, radius))
    return tuple(whole.crop((x, y, x + radius, y + radius)) for x, y in places)
