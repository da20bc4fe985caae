"""Held-out pictures as another hospital, or a phone before a screen, might show them.

The same pictures come out on every run. Most changes go further than those trained with.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from classifier.film import homography
from training.augment import Grey, rounded

Plane = NDArray[np.float64]
Stress = Callable[[Grey, np.random.Generator], Grey]


def stressed(pixels: Grey, kind: str) -> Grey:
    """Change each picture of (n, size, size) in the way of `STRESSES` that is named."""
    change = STRESSES[kind]
    return np.stack([change(each, np.random.default_rng(i)) for i, each in enumerate(pixels)])


def _contrast(factor: float) -> Stress:
    return lambda pixels, _: rounded(pixels.mean() + factor * (pixels - pixels.mean()))


def _gamma(power: float) -> Stress:
    return lambda pixels, _: rounded(255 * (pixels / 255) ** power)


def _blurred(pixels: Grey, _: np.random.Generator) -> Grey:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(len(pixels) / 110)))


def _cropped(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Show 80 % of each side, and so lose apices, flanks or the abdomen."""
    left, top = rng.uniform(0, 0.2, 2) * len(pixels)
    side = 0.8 * len(pixels)
    image = Image.fromarray(pixels)
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize(image.size, Image.Resampling.BILINEAR, box))


def _bordered(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Show the picture small on a black or a white page."""
    image = Image.fromarray(pixels)
    inner = image.resize((image.width * 4 // 5, image.height * 4 // 5), Image.Resampling.BILINEAR)
    page = Image.new("L", image.size, int(rng.choice((0, 255))))
    page.paste(inner, tuple(rng.integers(0, image.width // 5, 2).tolist()))
    return np.asarray(page)


def _photographed(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Take the picture off a screen: aslant, moiré, glare, a tint, a little blur."""
    size = len(pixels)
    aslant = _aslant(Image.fromarray(pixels), rng)
    across, down = np.meshgrid(*[np.arange(size) / size] * 2)
    light = np.asarray(aslant) / 255 * _moire(across, down, rng) + _glare(across, down, rng)
    # A camera with the wrong white balance clips one colour before the others.
    tint = 1 + rng.uniform(-0.2, 0.2, 3)
    red, green, blue = (np.clip(light * each, 0, 1) for each in tint)
    luma = rounded(255 * (0.299 * red + 0.587 * green + 0.114 * blue))
    return np.asarray(Image.fromarray(luma).filter(ImageFilter.GaussianBlur(size / 300)))


def _unevenly_lit(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Darken towards the edges, which get 41 % of the light: a lamp behind the film, a lens."""
    across, down = np.meshgrid(*[np.linspace(-1, 1, len(pixels))] * 2)
    x, y = rng.uniform(-0.3, 0.3, 2)
    return rounded(pixels * np.exp(-0.9 * ((across - x) ** 2 + (down - y) ** 2)))


def _aslant(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Move each corner inwards by up to 8 % of a side, a dark room around."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * image.width
    seen = corners + rng.uniform(0, 0.08, (4, 2)) * image.width * np.where(corners, -1, 1)
    way = tuple(homography(seen, corners).ravel()[:8])
    return image.transform(
        image.size, Image.Transform.PERSPECTIVE, way, Image.Resampling.BILINEAR, fillcolor=16
    )


def _moire(across: Plane, down: Plane, rng: np.random.Generator) -> Plane:
    """Beat of the screen's grid with the sensor's: two gratings that turn slowly."""
    light = np.ones_like(across)
    for _ in range(2):
        angle, waves = rng.uniform(0, np.pi), rng.uniform(8, 30)
        bend = 0.05 * np.sin(2 * np.pi * (across * rng.uniform(0.5, 2) + down))
        along = across * np.cos(angle) + down * np.sin(angle) + bend
        light += 0.06 * np.sin(2 * np.pi * waves * along)
    return light


def _glare(across: Plane, down: Plane, rng: np.random.Generator) -> Plane:
    """Reflection of a lamp: one bright, soft spot."""
    x, y = rng.uniform(0.1, 0.9, 2)
    spread = rng.uniform(0.08, 0.2)
    spot: Plane = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * spread**2))
    return 0.35 * spot


STRESSES: dict[str, Stress] = {
    "low_contrast": _contrast(0.4),
    "high_contrast": _contrast(1.8),
    "dark": _gamma(2.2),
    "bright": _gamma(0.45),
    "blur": _blurred,
    "crop": _cropped,
    "border": _bordered,
    "photo": _photographed,
    "uneven": _unevenly_lit,
}
