"""What a picture may go through on its way from another hospital, at random."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from classifier.labels import FloatArray

Grey = NDArray[np.uint8]

ROTATION_DEGREES = 12.0
SCALE_LOG = 0.18
STRETCH_LOG = 0.08
SHIFT = 0.08
GAMMA_LOG = 0.45
CONTRAST = 0.35
BRIGHTNESS = 0.12
NOISE = 0.04


def augment(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Vary one picture (size, size) uint8: place, exposure, blur, noise, JPEG; not upside down."""
    image = Image.fromarray(_expose(pixels, rng))
    image = _place(image, rng)
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    if rng.random() < 0.15:
        image = Image.fromarray(_noisy(np.asarray(image), rng))
    if rng.random() < 0.15:
        image = _recompressed(image, int(rng.integers(25, 95)))
    return np.asarray(image)


def mixup(
    pixels: FloatArray, targets: FloatArray, alpha: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Blend each picture and its target with another of the batch (Zhang et al. 2018)."""
    share = rng.beta(alpha, alpha, len(pixels)).astype(np.float32)
    other = rng.permutation(len(pixels))
    blend = share[:, None, None, None]
    return (
        blend * pixels + (1 - blend) * pixels[other],
        share[:, None] * targets + (1 - share[:, None]) * targets[other],
    )


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


def _recompressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer, formats=("JPEG",))
