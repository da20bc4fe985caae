"""A photograph of a film or a screen: where the picture lies in it, and that picture straightened.

Lines that many edges lie on are found on a small copy, and put together to a few quadrilaterals; a
score tells which of them looks most like a chest X-ray.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifier.labels import FloatArray, Greys
from classifier.preprocess import to_unit

# The longer side, in pixels, of the copy that lines are sought on.
SMALL = 192
# How far a side may lean: pixels across for each pixel along.
LEANS = np.linspace(-0.35, 0.35, 29)
LINES = 10
# Two lines that are this near each other at both ends, as a share of the picture, are one.
SAME = 0.035
NARROWEST = 0.3
# A corner may lie this far outside the picture, as a share of it.
OUTSIDE = 0.06
CANDIDATES = 8
# An edge belongs to an upright line if its gradient leans from the level by less than this.
STEEP = 0.55
# A film has a frame of edges: below this nothing is looked at further.
FEWEST_EDGES = 0.5
# What a full frame is worth beside the score, and by how much the film must beat the whole picture.
EDGES_WORTH = 0.6
CLEARLY = 0.3
LOOKED_AT = 224
# A picture with this score is taken as it is; hardly a photograph reaches it (docs/quality.md).
ORDINARY = 1.4

Score = Callable[[FloatArray], float]

Plane = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quad:
    """Four corners (4, 2), x and y as shares of the picture, clockwise from the upper left.

    `support` is how much more of its sides lies on edges than of the lines beyond them.
    """

    corners: Plane
    support: float


@dataclass(frozen=True, slots=True)
class Lines:
    """Upright lines, or level ones of the picture turned over its diagonal.

    `ends` (n, 2) is x at the first and at the last row, `edges` (n, rows + 1) how much of the line
    up to each row lies on edges.
    """

    ends: Plane
    edges: Plane


def candidates(grey: FloatArray) -> list[Quad]:
    """Propose where in a picture (rows, columns) in [0, 1] a film may lie, likeliest first."""
    small = _small(grey)
    across, down = _edges(small)
    return _likeliest(_lines(across), _lines(down.T), small.shape[1], small.shape[0])


def find(shown: Greys, whole: float, score: Score) -> Quad | None:
    """Find the film that a picture (rows, columns) is a photograph of.

    `score` is the higher the more a picture looks like an upright chest X-ray, in units in which
    1 is the reach of the pictures trained on; `whole` is that of the picture itself. None if that
    is an ordinary X-ray's, if no part has a frame, or none scores clearly higher than the whole:
    then nothing is cut.
    """
    if whole >= ORDINARY:
        return None
    grey = to_unit(shown)
    framed = [quad for quad in candidates(grey) if quad.support >= FEWEST_EDGES]
    if not framed:
        return None
    scores = [score(straighten(grey, quad.corners, LOOKED_AT)) for quad in framed]
    worth = [each + EDGES_WORTH * quad.support for each, quad in zip(scores, framed, strict=True)]
    best = int(np.argmax(worth))
    return framed[best] if scores[best] >= whole + CLEARLY else None


def straighten(grey: FloatArray, corners: Plane, longest: int | None = None) -> FloatArray:
    """Give what lies between corners (4, 2), shares of the picture, as an upright rectangle."""
    rows, columns = grey.shape
    points = corners * (columns, rows)
    sides = np.linalg.norm(points - np.roll(points, -1, 0), axis=1)
    size = np.array([max(sides[0], sides[2]), max(sides[1], sides[3])])
    if longest is not None:
        size *= longest / size.max()
    width, height = np.maximum(np.rint(size), 8).astype(int).tolist()
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    way = tuple(homography(upright, points).ravel()[:8].tolist())
    image = Image.fromarray(grey).transform(
        (width, height), Image.Transform.PERSPECTIVE, way, Image.Resampling.BILINEAR
    )
    return np.asarray(image, np.float32)


def homography(source: Plane, target: Plane) -> Plane:
    """Find the (3, 3) map that takes four points (4, 2) to four others."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    way = np.linalg.solve(np.array(rows, float), np.asarray(target, float).ravel())
    return np.append(way, 1).reshape(3, 3)


def _small(grey: FloatArray) -> FloatArray:
    scale = SMALL / max(grey.shape)
    width, height = (max(round(side * scale), 16) for side in reversed(grey.shape))
    image = Image.fromarray(grey)
    if factor := int(1 / scale / 2):
        image = image.reduce(factor)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32)


def _edges(small: FloatArray) -> tuple[Plane, Plane]:
    """Give how clearly each place is an edge of an upright and of a level line, in [0, 1]."""
    wide = np.pad(small, 1, mode="edge")
    rows = (wide[:-2] + 2 * wide[1:-1] + wide[2:]) / 4
    columns = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
    gx, gy = rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]
    strength = np.hypot(gx, gy)
    floor = max(float(np.quantile(strength, 0.6)), 0.01)
    clear = strength / (strength + 2 * floor) * (strength > floor)
    ax, ay = np.abs(gx), np.abs(gy)
    upright: Plane = clear * (ay < STEEP * ax)
    level: Plane = clear * (ax < STEEP * ay)
    return upright, level


def _lines(edges: Plane) -> Lines:
    """Find the upright lines that most edges lie on.

    Each edge votes for the lines of all leans through it (Hough 1962); the picture's own sides come
    last, for a film that the frame cuts.
    """
    rows, columns = edges.shape
    y, x = np.nonzero(edges)
    middle = (rows - 1) / 2
    spare = int(np.ceil(LEANS[-1] * middle)) + 1
    votes = np.stack(
        [
            np.bincount(
                np.rint(x - lean * (y - middle)).astype(int) + spare,
                edges[y, x],
                columns + 2 * spare,
            )[: columns + 2 * spare]
            for lean in LEANS
        ]
    )
    votes[:, 1:-1] = votes[:, 1:-1] + (votes[:, :-2] + votes[:, 2:]) / 2
    at = np.arange(votes.shape[1]) - spare
    ends = np.stack([at - LEANS[:, None] * middle, at + LEANS[:, None] * middle], -1)
    found = []
    for _ in range(LINES):
        best = np.unravel_index(votes.argmax(), votes.shape)
        if votes[best] <= 0:
            break
        found.append(ends[best])
        votes[(np.abs(ends - ends[best]) < SAME * columns).all(-1)] = 0
    lines = np.array([*found, (0, 0), (columns - 1, columns - 1)])
    return Lines(lines, _profile(edges, lines))


def _profile(edges: Plane, lines: Plane) -> Plane:
    """Sum up, along each upright line (n, 2), how much of it lies on edges: (n, rows + 1)."""
    rows, columns = edges.shape
    share = np.linspace(0, 1, rows)
    x = np.rint(lines[:, :1] + (lines[:, 1:] - lines[:, :1]) * share).astype(int)
    wide = np.pad(edges, ((0, 0), (2, 2)))
    near = np.maximum(np.maximum(wide[:, 1:-3], wide[:, 2:-2]), wide[:, 3:-1])
    inside = (x >= 0) & (x < columns)
    on = near[np.arange(rows), np.clip(x, 0, columns - 1)] * inside
    return np.pad(on.cumsum(1), ((0, 0), (1, 0)))


def _likeliest(upright: Lines, level: Lines, columns: int, rows: int) -> list[Quad]:
    """Put lines together to the quadrilaterals whose sides have most edges, no two nearly alike."""
    sides, ends = _pairs(upright.ends, NARROWEST * columns), _pairs(level.ends, NARROWEST * rows)
    side, end = (each.ravel() for each in np.indices((len(sides), len(ends))))
    (left, right), (top, bottom) = sides[side].T, ends[end].T
    turns = ((left, top), (right, top), (right, bottom), (left, bottom))
    corners = np.stack(
        [_crossing(upright.ends[a], level.ends[b], rows, columns) for a, b in turns], 1
    )
    x, y = corners[..., 0], corners[..., 1]
    support = np.stack(
        [
            _support(upright.edges[left], y[:, 0], y[:, 3]),
            _support(upright.edges[right], y[:, 1], y[:, 2]),
            _support(level.edges[top], x[:, 0], x[:, 1]),
            _support(level.edges[bottom], x[:, 3], x[:, 2]),
        ]
    )
    total = support.mean(0) + 0.5 * support.min(0)
    shares = corners / (columns, rows)
    total[(abs(shares - 0.5) > 0.5 + OUTSIDE).any((1, 2))] = -1
    chosen: list[Quad] = []
    for index in np.argsort(-total):
        if len(chosen) == CANDIDATES or total[index] < 0:
            break
        if all(np.abs(shares[index] - each.corners).max() > SAME for each in chosen):
            chosen.append(Quad(shares[index], float(total[index])))
    return chosen


def _pairs(lines: Plane, apart: float) -> NDArray[np.int64]:
    """List pairs of lines that stay apart, the one with the smaller places first."""
    first, second = np.meshgrid(np.arange(len(lines)), np.arange(len(lines)), indexing="ij")
    gap = lines[second] - lines[first]
    return np.argwhere((gap.mean(-1) > apart) & (gap.min(-1) > 0.5 * apart))


def _crossing(upright: Plane, level: Plane, rows: int, columns: int) -> Plane:
    """Give where upright lines (n, 2) and level lines (n, 2) cross: (n, 2) x and y in pixels."""
    lean = (upright[:, 1] - upright[:, 0]) / (rows - 1)
    slope = (level[:, 1] - level[:, 0]) / (columns - 1)
    y = (level[:, 0] + slope * upright[:, 0]) / (1 - slope * lean)
    return np.stack([upright[:, 0] + lean * y, y], -1)


def _support(profile: Plane, first: Plane, last: Plane) -> Plane:
    """Compare the edge between two places along a line with that beyond them."""
    end = profile.shape[1] - 1
    a, b = (np.clip(np.rint(each), 0, end).astype(int) for each in (first, last))
    index = np.arange(len(profile))
    within = profile[index, b] - profile[index, a]
    beyond = profile[:, -1] - within
    length = np.maximum(b - a, 1)
    support: Plane = within / length - 0.5 * beyond / np.maximum(end - length, 0.15 * end)
    return support
