"""Pictures that are no chest scan, made up: each kind belongs to a family."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from classifier.labels import FloatArray

Picture = NDArray[np.float64]
LETTERS = list("abcdefgh ijkl mnop qrst uvwxyz ,.0123456789")


def negatives(count: int, size: int, seed: int = 0) -> FloatArray:
    """Make pictures (count, size, size) in [0, 1], each kind as often as the others."""
    return _made([kind for kinds in FAMILIES.values() for kind in kinds], count, size, seed)


def family(name: str, count: int, size: int, seed: int = 0) -> FloatArray:
    """Make pictures (count, size, size) in [0, 1] of one of `FAMILIES`."""
    return _made(FAMILIES[name], count, size, seed)


def _made(kinds: "list[Kind] | tuple[Kind, ...]", count: int, size: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    made = [kinds[index % len(kinds)](size, rng) for index in range(count)]
    return np.stack([np.clip(each, 0, 1) for each in made]).astype(np.float32)


def _noise(size: int, rng: np.random.Generator) -> Picture:
    return rng.normal(rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.4), (size, size))


def _clouds(size: int, rng: np.random.Generator) -> Picture:
    """Noise whose power falls with frequency, as in landscapes and textures."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij"))
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / frequency ** rng.uniform(0.7, 2)
    clouds = np.fft.irfft2(spectrum, (size, size))
    normal: Picture = (clouds - clouds.mean()) / clouds.std()
    return 0.5 + normal * rng.uniform(0.1, 0.3)


def _gradient(size: int, rng: np.random.Generator) -> Picture:
    across, down = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size))
    if rng.random() < 0.5:
        ramp: Picture = np.hypot(across - rng.random(), down - rng.random())
    else:
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.cos(angle) * across + np.sin(angle) * down
    return ramp * rng.uniform(0.5, 2)


def _page(size: int, rng: np.random.Generator) -> Picture:
    """Lines of random letters, dark on light or light on dark."""
    paper = int(rng.choice((0, 255)))
    page = Image.new("L", (size, size), paper)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(int(rng.integers(8, 22)))
    for top in range(int(rng.integers(2, 20)), size, int(rng.integers(10, 30))):
        letters = "".join(rng.choice(LETTERS, 60))
        draw.text((int(rng.integers(0, 20)), top), letters, 255 - paper, font)
    return np.asarray(page) / 255


def _screenshot(size: int, rng: np.random.Generator) -> Picture:
    """Windows with a bar and a few words, over each other."""
    screen = Image.new("L", (size, size), int(rng.integers(0, 256)))
    draw = ImageDraw.Draw(screen)
    font = ImageFont.load_default(int(rng.integers(6, 12)))
    for _ in range(int(rng.integers(1, 5))):
        left, top, right, bottom = _box(size, rng)
        paper = int(rng.integers(0, 256))
        draw.rectangle((left, top, right, bottom), paper, 255 - paper)
        draw.rectangle((left, top, right, min(top + size // 14, bottom)), int(rng.integers(0, 256)))
        for line in range(top + size // 9, bottom - 8, size // 9):
            words = "".join(rng.choice(LETTERS, max(1, (right - left) // 8)))
            draw.text((left + 4, line), words, 255 - paper, font)
    return np.asarray(screen) / 255


def _chart(size: int, rng: np.random.Generator) -> Picture:
    """Axes with bars or curves."""
    paper = int(rng.choice((0, 255, 230)))
    chart = Image.new("L", (size, size), paper)
    draw = ImageDraw.Draw(chart)
    edge, ink = size // 8, 255 - paper
    draw.line((edge, edge, edge, size - edge, size - edge, size - edge), ink, 1 + size // 150)
    places = np.linspace(edge, size - edge, int(rng.integers(4, 24))).astype(int)
    for _ in range(int(rng.integers(1, 4))):
        heights = rng.integers(edge, size - edge, len(places))
        shade = int(rng.integers(0, 256))
        if rng.random() < 0.5:
            draw.line([*zip(places.tolist(), heights.tolist(), strict=True)], shade, 2)
            continue
        for place, height in zip(places.tolist(), heights.tolist(), strict=True):
            draw.rectangle((place, height, place + size // 40, size - edge), shade)
    return np.asarray(chart) / 255


def _drawing(size: int, rng: np.random.Generator) -> Picture:
    """Boxes, ellipses and lines over each other, sometimes soft."""
    canvas = Image.new("L", (size, size), int(rng.integers(0, 256)))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(3, 25))):
        shape = (draw.rectangle, draw.ellipse, draw.line)[int(rng.integers(3))]
        shape(_box(size, rng), fill=int(rng.integers(0, 256)))
    if rng.random() < 0.5:
        canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(1, 8)))
    return np.asarray(canvas) / 255


def _grid(size: int, rng: np.random.Generator) -> Picture:
    """A chequered board, or stripes, turned."""
    across, down = np.meshgrid(np.arange(size), np.arange(size))
    angle, cell = rng.uniform(0, np.pi), rng.uniform(size / 20, size / 4)
    along = (np.cos(angle) * across + np.sin(angle) * down) // cell
    aside = (np.cos(angle) * down - np.sin(angle) * across) // cell
    board = (along + aside * (rng.random() < 0.7)) % 2
    dark, light = np.sort(rng.random(2))
    shades: Picture = dark + (light - dark) * board
    return shades


def _blank(size: int, rng: np.random.Generator) -> Picture:
    return np.full((size, size), rng.random()) + rng.normal(0, 0.005, (size, size))


def _cells(size: int, rng: np.random.Generator) -> Picture:
    """Round spots, some with a darker middle, as blood under a microscope."""
    ground, spot = rng.random(2)
    slide = Image.new("L", (size, size), int(255 * ground))
    draw = ImageDraw.Draw(slide)
    radius = rng.uniform(size / 40, size / 10)
    for x, y in rng.uniform(0, size, (int(rng.integers(10, 120)), 2)):
        for share, shade in ((1.0, spot), (rng.uniform(0.2, 0.7), (ground + spot) / 2)):
            reach = share * radius * rng.uniform(0.8, 1.2)
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), int(255 * shade))
    return np.asarray(slide.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2)))) / 255


def _section(size: int, rng: np.random.Generator) -> Picture:
    """Ellipses in an ellipse with a bright rim, as a section through a head or a phantom."""
    place = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(place)
    middle, reach = size / 2, rng.uniform(0.25, 0.48, 2) * size
    for share, shade in ((1.0, rng.uniform(0.5, 1)), (rng.uniform(0.8, 0.97), rng.random())):
        low, high = middle - share * reach, middle + share * reach
        draw.ellipse((*low, *high), int(255 * shade))
    for _ in range(int(rng.integers(1, 12))):
        at = middle + rng.uniform(-0.5, 0.5, 2) * reach
        part = rng.uniform(0.05, 0.35, 2) * reach
        draw.ellipse((*(at - part), *(at + part)), int(rng.integers(0, 256)))
    soft = place.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3)))
    return np.asarray(soft) / 255 + rng.normal(0, 0.02, (size, size))


def _limb(size: int, rng: np.random.Generator) -> Picture:
    """One or two bones, brighter at their rims, in a limb on black; sometimes a joint."""
    across, down = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    angle = rng.uniform(-np.pi, np.pi)
    aside = np.cos(angle) * across + np.sin(angle) * down
    along = np.cos(angle) * down - np.sin(angle) * across
    width = rng.uniform(0.25, 0.8) * (1 + rng.uniform(-0.3, 0.3) * along)
    limb = np.sqrt(np.clip(1 - (aside / width) ** 2, 0, 1)) * rng.uniform(0.2, 0.6)
    joint = rng.uniform(-0.6, 0.6)
    for place in ((0.0,), (-0.35, 0.35))[int(rng.integers(2))]:
        thick = width * rng.uniform(0.15, 0.3) * (1 + 0.8 * np.exp(-(((along - joint) / 0.2) ** 2)))
        off = np.clip(np.abs(aside - place * width) / thick, 0, 1)
        cortex = (off < 1) * (0.5 + 0.5 * off**4)
        limb = limb + cortex * rng.uniform(0.2, 0.5) * (
            np.abs(along - joint) > rng.uniform(0, 0.06)
        )
    shown: Picture = limb + rng.normal(0, 0.015, (size, size))
    return shown


def _box(size: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    left, right = sorted(rng.integers(0, size, 2).tolist())
    top, bottom = sorted(rng.integers(0, size, 2).tolist())
    return left, top, right, bottom


Kind = Callable[[int, np.random.Generator], Picture]
FAMILIES: dict[str, tuple[Kind, ...]] = {
    "noise": (_noise, _clouds),
    "blank": (_blank, _gradient),
    "documents": (_page, _screenshot, _chart),
    "drawings": (_drawing, _grid),
    "other_modalities": (_cells, _section),
    "other_xrays": (_limb,),
}
