"""Films that are not whole beside those that are: parts, and several in one picture."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.augment import Grey, augment, augment_far
from training.gate_data import Shown, inputs, photo

# Left, top, right and bottom as shares of the film.
Box = tuple[float, float, float, float]

# What the gate is measured on: screenshots and crops lose an end, a side or all around.
CUTS: dict[str, Box] = {
    "upper half": (0, 0, 1, 0.5),
    "middle half": (0, 0.25, 1, 0.75),
    "lower half": (0, 0.5, 1, 1),
    "left half": (0, 0, 0.5, 1),
    "right 60 %": (0.4, 0, 1, 1),
    "right 70 %": (0.3, 0, 1, 1),
    "upper 70 %": (0, 0, 1, 0.7),
    "lower 70 %": (0, 0.3, 1, 1),
    "middle 70 % of both sides": (0.15, 0.15, 0.85, 0.85),
}
# A whole film may lose a quarter of a side to how it was taken (`training.augment`): a part has
# less than this of one side, or of both.
PART_OF_ONE_SIDE, PART_OF_BOTH = (0.3, 0.68), (0.4, 0.75)
WIDEST_GAP = 0.1
# Sides of a film that is set into a corner of another, as a share of its sides.
INSET = (0.25, 0.5)


@dataclass(frozen=True, slots=True)
class Films:
    """n pictures: `pixels` (n, SIZE, SIZE, 1) float32 in [0, 1], `is_part` (n,) tells the rest.

    What is no whole film counts as a part, several films too.
    """

    pixels: NDArray[np.float32]
    is_part: NDArray[np.bool_]


def samples(films: Shown) -> Films:
    """Show each film whole, in part and beside another, as it is and changed."""
    rng = np.random.default_rng(0)
    pixels, is_part = zip(
        *(
            way
            for number, film in enumerate(films.pixels)
            for way in _ways(film, films.pixels[number - 1], rng)
        ),
        strict=True,
    )
    return Films(inputs(pixels), np.array(is_part))


def cut(film: Grey, box: Box) -> Grey:
    """Fill a picture (rows, columns) with a part of it."""
    image = Image.fromarray(film)
    left, top, right, bottom = box
    within = (left * image.width, top * image.height, right * image.width, bottom * image.height)
    return np.asarray(image.resize(image.size, Image.Resampling.BILINEAR, within))


def variants(films: Grey) -> dict[str, Grey]:
    """Cut films (n, size, size) in each way of `CUTS`, and show each with the one before."""
    rng, others = np.random.default_rng(0), np.roll(films, 1, 0)
    cuts = {name: np.stack([cut(each, box) for each in films]) for name, box in CUTS.items()}
    for name, together in (("two films", several), ("a film in a corner", inset)):
        pairs = [together(*pair, rng) for pair in zip(films, others, strict=True)]
        cuts[name] = np.stack(pairs)
    return cuts


def several(film: Grey, other: Grey, rng: np.random.Generator) -> Grey:
    """Put two films (size, size) side by side or one above the other, with a gap or without."""
    page = Image.new("L", (len(film), len(film)), int(rng.choice([0, 255, int(rng.integers(256))])))
    gap = int(rng.uniform(0, WIDEST_GAP) * page.width)
    room, is_beside = (page.width - gap) // 2, rng.random() < 0.5
    for each, at in ((film, 0), (other, page.width - room)):
        size, place = ((room, page.height), (at, 0)) if is_beside else ((page.width, room), (0, at))
        page.paste(Image.fromarray(each).resize(size, Image.Resampling.BILINEAR), place)
    return np.asarray(page)


def inset(film: Grey, other: Grey, rng: np.random.Generator) -> Grey:
    """Set a small film (size, size) into a corner of another, at its edge or nearly."""
    page, side = Image.fromarray(film), int(rng.uniform(*INSET) * len(film))
    edge = int(rng.uniform(0, WIDEST_GAP) * len(film))
    places = edge, len(film) - side - edge
    small = Image.fromarray(other).resize((side, side), Image.Resampling.BILINEAR)
    page.paste(small, (int(rng.choice(places)), int(rng.choice(places))))
    return np.asarray(page)


def _ways(film: Grey, other: Grey, rng: np.random.Generator) -> Iterator[tuple[Grey, bool]]:
    yield film, False
    yield augment(film, rng), False
    yield augment_far(film, rng), False
    yield photo(augment(film, rng), rng), False
    yield cut(film, _box(rng)), True
    yield cut(film, _box(rng)), True
    yield augment(cut(film, _box(rng)), rng), True
    yield photo(cut(film, _box(rng)), rng), True
    yield several(film, other, rng), True
    yield augment(several(film, other, rng), rng), True
    yield inset(film, other, rng), True
    yield augment(inset(film, other, rng), rng), True


def _box(rng: np.random.Generator) -> Box:
    """Draw a part, often one at an edge or in a corner."""
    if rng.random() < 0.6:
        sides = np.array([rng.uniform(*PART_OF_ONE_SIDE), rng.uniform(0.8, 1)])
        rng.shuffle(sides)
    else:
        sides = rng.uniform(*PART_OF_BOTH, 2)
    across, down = (1 - sides) * [rng.choice((0, 1, rng.random())) for _ in sides]
    return float(across), float(down), float(across + sides[0]), float(down + sides[1])
