"""What a picture may go through on its way from another hospital, at random."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from classifier.labels import FloatArray, Levels

Grey = Levels
Augment = Callable[[Grey, np.random.Generator], Grey]

ROTATION_DEGREES = 12.0
SCALE_LOG = 0.18
STRETCH_LOG = 0.08
SHIFT = 0.08
GAMMA_LOG = 0.45
CONTRAST = 0.35
BRIGHTNESS = 0.12
NOISE = 0.04

FAR_CHANCE = 0.2
UNEVEN_CHANCE = 0.4
# Of the log of light: lost at half a side from the brightest place, and its spread in patches.
FALL_OFF = 1.6
BRIGHTEST_AT = 0.4
PATCHY = 0.5
CROP_SIDE = 0.75
BORDER_SIDE = 0.12
COARSEST = 0.4


def rounded(levels: NDArray[np.floating]) -> Grey:
    """Give the nearest levels of 8 bits."""
    whole: Grey = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return whole


def vary(augment: Augment | None, pixels: Grey, rng: np.random.Generator) -> Grey:
    """Augment each picture of (n, size, size)."""
    return np.stack([augment(each, rng) for each in pixels]) if augment else pixels


def augment(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Vary one picture (size, size) uint8: place, exposure, blur, noise, JPEG; not upside down."""
    image = Image.fromarray(_expose(pixels, rng))
    image = _place(image, rng)
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    if rng.random() < 0.15:
        image = Image.fromarray(_noisy(np.asarray(image), rng))
    if rng.random() < 0.15:
        image = recompressed(image, int(rng.integers(25, 95)))
    return np.asarray(image)


def augment_far(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Vary one picture (size, size) uint8 further than one hospital's machines do."""
    image = Image.fromarray(pixels)
    for change in (_processed, _windowed, _unevenly_lit, _cropped, _bordered, _coarse):
        chance = UNEVEN_CHANCE if change is _unevenly_lit else FAR_CHANCE
        if rng.random() < chance:
            image = change(image, rng)
    return augment(np.asarray(image), rng)


def _expose(pixels: Grey, rng: np.random.Generator) -> Grey:
    grey = np.linspace(0, 1, 256, dtype=np.float32)
    grey = grey ** np.exp(rng.uniform(-GAMMA_LOG, GAMMA_LOG))
    grey = (grey - 0.5) * (1 + rng.uniform(-CONTRAST, CONTRAST)) + 0.5
    grey = grey + rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    table: Grey = (np.clip(grey, 0, 1) * 255).astype(np.uint8)
    return table[pixels]


def _place(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Rotate, scale, stretch, shift and mirror in one resampling; outside is black."""
    angle = np.deg2rad(rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES))
    scale = np.exp(rng.uniform(-SCALE_LOG, SCALE_LOG))
    stretch = np.exp(rng.uniform(-STRETCH_LOG, STRETCH_LOG))
    mirror = -1 if rng.random() < 0.5 else 1
    across, down = scale * stretch * mirror, scale / stretch
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[across * cos, -down * sin], [across * sin, down * cos]])
    centre = np.array(image.size) / 2
    shift = rng.uniform(-SHIFT, SHIFT, 2) * image.size
    offset = centre + shift - matrix @ centre
    coefficients = (*matrix[0], offset[0], *matrix[1], offset[1])
    return image.transform(
        image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )


def _noisy(pixels: Grey, rng: np.random.Generator) -> Grey:
    noise = rng.standard_normal(pixels.shape, np.float32) * (255 * rng.uniform(0, NOISE))
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    """Save a picture as JPEG, of a quality from 1 to 95, and read it again."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer, formats=("JPEG",))


def _processed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Equalise the histogram, more or less, as the machine's own processing may."""
    return Image.blend(image, ImageOps.equalize(image), rng.uniform(0, 0.8))


def _windowed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Stretch the greys and cut their ends off, as a narrower window does."""
    return ImageOps.autocontrast(image, (rng.uniform(0, 12), rng.uniform(0, 12)))


def _unevenly_lit(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light the picture as a lamp behind the film, a lens before it, a flash or a window does."""
    darker = _from_the_middle(image, rng) if rng.random() < 0.5 else _in_patches(image, rng)
    return Image.fromarray(np.clip(np.asarray(image) * np.exp(-darker), 0, 255).astype(np.uint8))


def _from_the_middle(image: Image.Image, rng: np.random.Generator) -> FloatArray:
    x, y = rng.uniform(-BRIGHTEST_AT, BRIGHTEST_AT, 2).astype(np.float32)
    across, down = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in image.size))
    distance = (across - x) ** 2 + (down - y) ** 2
    return np.float32(rng.uniform(0, FALL_OFF)) * np.asarray(distance, np.float32)


def _in_patches(image: Image.Image, rng: np.random.Generator) -> FloatArray:
    patches = int(rng.integers(2, 5))
    light = rng.standard_normal((patches, patches), np.float32) * np.float32(rng.uniform(0, PATCHY))
    return np.asarray(Image.fromarray(light).resize(image.size, Image.Resampling.BICUBIC))


def _cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut a smaller rectangle out and fill the picture with it, aspect not kept."""
    sides = rng.uniform(CROP_SIDE, 1, 2)
    left, top = rng.uniform(0, 1 - sides)
    box = np.array([left, top, left + sides[0], top + sides[1]]) * (image.size * 2)
    return image.resize(image.size, Image.Resampling.BILINEAR, tuple(box))


def _bordered(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Paint stripes along the edges in one grey: collimation, film holder, screen."""
    left, top, right, bottom = rng.uniform(0, BORDER_SIDE, 4) * (image.size * 2)
    grey = int(rng.choice((0, 255, int(rng.integers(256))), p=(0.5, 0.25, 0.25)))
    framed = Image.new("L", image.size, grey)
    inner = (int(left), int(top), int(image.width - right), int(image.height - bottom))
    framed.paste(image.crop(inner), inner)
    return framed


def _coarse(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Lose detail by going through a smaller picture."""
    coarseness = rng.uniform(COARSEST, 0.9)
    small = image.resize(
        (int(image.width * coarseness), int(image.height * coarseness)), Image.Resampling.BILINEAR
    )
    return small.resize(image.size, Image.Resampling.BILINEAR)
