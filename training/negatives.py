"""Pictures that are no scan, made up: noise, clouds, gradients, pages of text, drawings."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from classifier.labels import FloatArray

Picture = NDArray[np.float64]


def negatives(count: int, size: int, seed: int = 0) -> FloatArray:
    """Make pictures (count, size, size) in [0, 1], each kind as often as the others."""
    rng = np.random.default_rng(seed)
    kinds = (_noise, _clouds, _gradient, _page, _drawing, _blank)
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
        letters = "".join(rng.choice(list("abcdefgh ijkl mnop qrst uvwxyz ,.0123456789"), 60))
        draw.text((int(rng.integers(0, 20)), top), letters, 255 - paper, font)
    return np.asarray(page) / 255


def _drawing(size: int, rng: np.random.Generator) -> Picture:
    """Boxes, ellipses and lines over each other, sometimes soft."""
    canvas = Image.new("L", (size, size), int(rng.integers(0, 256)))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(3, 25))):
        left, top, right, bottom = rng.integers(0, size, 4)
        box = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        shape = (draw.rectangle, draw.ellipse, draw.line)[int(rng.integers(3))]
        shape(tuple(map(int, box)), fill=int(rng.integers(0, 256)))
    if rng.random() < 0.5:
        canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(1, 8)))
    return np.asarray(canvas) / 255


def _blank(size: int, rng: np.random.Generator) -> Picture:
    return np.full((size, size), rng.random()) + rng.normal(0, 0.005, (size, size))
