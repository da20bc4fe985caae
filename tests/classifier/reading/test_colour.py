"""What was painted over a film, and what is only tinted."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from classifier.reading.colour import patches

FILM = np.add.outer(np.linspace(0, 120, 300), np.linspace(0, 130, 400))
Colour = tuple[float, float, float]


def coloured(film: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(film, 0, 255).astype(np.uint8))


def painted(share: float, rows: slice, columns: slice) -> Image.Image:
    """Lay red over a part, letting the rest of the film through."""
    film = np.repeat(FILM[..., np.newaxis], 3, axis=2)
    part = film[rows, columns]
    film[rows, columns] = (1 - share) * part + share * np.array([255.0, 40, 0])
    return coloured(film)


@pytest.mark.parametrize("tint", [(1, 1, 1), (1, 0.85, 0.6), (0.6, 0.8, 1)])
@pytest.mark.parametrize("base", [(0, 0, 0), (10, 20, 50)])
def test_a_tint_is_no_paint(tint: Colour, base: Colour) -> None:
    assert patches(coloured(FILM[..., np.newaxis] * 0.7 * np.array(tint) + np.array(base))) < 0.05


def test_a_camera_that_colours_one_side_is_no_paint() -> None:
    aside = np.linspace(-0.075, 0.075, 400)[:, np.newaxis] * np.array([1, 0, -1])
    assert patches(coloured(FILM[..., np.newaxis] * (1 + aside))) < 0.06


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_a_heat_map_over_a_lung_is_paint(share: float) -> None:
    assert patches(painted(share, slice(80, 200), slice(60, 160))) > 0.1


def test_a_marker_in_a_corner_is_none() -> None:
    assert patches(painted(1.0, slice(5, 25), slice(5, 60))) < 0.05
