"""Phone photographs of films and screens, made up; where the film lies in them is known.

The same pictures come out on every run. A scene is laid out flat, then seen by a camera aslant.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from classifier.film import homography
from classifier.preprocess import to_unit
from training.augment import Grey, recompressed, rounded
from training.negatives import LETTERS

Colours = NDArray[np.float64]
Corners = NDArray[np.float64]

# The longer side of a photograph in pixels, and how large the flat scene under it is.
LONGEST = 1000
SCENE = 1400


@dataclass(frozen=True, slots=True)
class Photograph:
    """`pixels` (rows, columns, 3) uint8; `corners` (4, 2) x and y of the film in pixels.

    The corners go clockwise from the film's own upper left.
    """

    pixels: NDArray[np.uint8]
    corners: Corners

    def grey(self) -> NDArray[np.float32]:
        """Give (rows, columns) luma in [0, 1], as reading a file does."""
        return to_unit(np.asarray(Image.fromarray(self.pixels).convert("L")))


@dataclass(frozen=True, slots=True)
class Scene:
    """Light as `colours` (SCENE, SCENE, 3) in [0, 1]; `box` is left, top, right, bottom."""

    colours: Colours
    box: tuple[int, int, int, int]
    is_screen: bool = False


def photograph(film: Grey, kind: str, seed: int) -> Photograph:
    """Photograph a film (rows, columns) in the way of `KINDS` that is named."""
    rng = np.random.default_rng((seed, sorted(KINDS).index(kind)))
    scene = KINDS[kind](film, rng)
    colours, corners = _seen(scene, rng) if kind != "screenshot" else _cut(scene, rng)
    if kind != "screenshot":
        colours = _through_camera(colours, scene.is_screen, rng)
    return Photograph(_compressed(colours, rng), corners)


def _light_box(film: Grey, rng: np.random.Generator) -> Scene:
    """Hang a film on a light box, in a dim room, sometimes beside another and under clips."""
    box = _box(rng, film)
    scene = np.full((SCENE, SCENE, 3), rng.uniform(0.02, 0.2)) * _tint(rng, 0.1)
    room = rng.uniform(0.03, 0.5, 4) * SCENE * 0.4
    panel = np.clip(np.array(box) + np.array([-1, -1, 1, 1]) * room, 0, SCENE).astype(int)
    left, top, right, bottom = panel
    glow = rng.uniform(0.8, 1.0) * _uneven(rng, 0.15)[top:bottom, left:right, None]
    scene[top:bottom, left:right] = glow * _tint(rng, 0.06)
    if rng.random() < 0.25:
        beside = min(box[2] + int(rng.integers(10, 60)), SCENE)
        scene[box[1] : box[3], beside:right] *= rng.uniform(0.05, 0.4)
    _lay(scene, box, _rimmed(film, box, rng)[..., None] * rng.uniform(0.75, 1.0), scene)
    for _ in range(int(rng.integers(0, 3))):
        clip = int(rng.uniform(box[0], box[2] - 60))
        scene[max(box[1] - 40, 0) : box[1] + 14, clip : clip + 60] = rng.uniform(0.1, 0.6)
    return Scene(scene, box)


def _window(film: Grey, rng: np.random.Generator) -> Scene:
    """Hold a film against a window: what is outside shines through it, blurred."""
    box = _box(rng, film)
    outside = 0.75 + 0.3 * _clouds(rng, 1.5)[..., None] * _tint(rng, 0.3)
    horizon = int(rng.uniform(0.5, 1.0) * SCENE)
    outside[horizon:] *= rng.uniform(0.3, 0.8)
    for at in rng.uniform(0, SCENE, int(rng.integers(0, 3))).astype(int):
        frame = slice(at, at + int(rng.integers(20, 70)))
        outside[(slice(None), frame) if rng.random() < 0.6 else frame] = rng.uniform(0.1, 0.9)
    scene = np.clip(outside, 0, 1)
    behind = _blurred(scene, rng.uniform(2, 30))
    _lay(scene, box, _rimmed(film, box, rng)[..., None] * rng.uniform(0.7, 1.0), behind)
    _fingers(scene, box, rng)
    return Scene(scene, box)


def _table(film: Grey, rng: np.random.Generator) -> Scene:
    """Lay a print, or a film on white paper, on wood, cloth or stone."""
    box = _box(rng, film)
    grain = _clouds(rng, rng.uniform(0.6, 1.6), stretch=float(rng.choice((1, 1, 6, 15))))
    scene = rng.uniform(0.1, 0.8) + rng.uniform(0.02, 0.15) * grain[..., None] * np.ones(3)
    scene = np.clip(scene * _tint(rng, 0.5), 0, 1)
    shadow = np.ones((SCENE, SCENE))
    off = int(rng.integers(0, 25))
    shadow[box[1] + off : box[3] + off, box[0] + off : box[2] + off] = rng.uniform(0.4, 0.9)
    scene *= _blurred(shadow[..., None], 8)
    ink = rng.uniform(0.02, 0.15) + rng.uniform(0.6, 0.9) * _rimmed(film, box, rng)
    _lay(scene, box, ink[..., None], np.ones_like(scene))
    if rng.random() < 0.4:
        _fingers(scene, box, rng)
    return Scene(scene * rng.uniform(0.7, 1.0), box)


def _web_page(film: Grey, rng: np.random.Generator) -> Scene:
    """Show the picture in a page with text, on a screen with a bezel."""
    paper = float(rng.uniform(0.85, 1.0))
    return _on_screen(film, rng, paper, float(rng.uniform(0, 0.3)))


def _dark_monitor(film: Grey, rng: np.random.Generator) -> Scene:
    """Show the picture in a viewer with a black ground and light letters around."""
    return _on_screen(film, rng, float(rng.uniform(0, 0.1)), float(rng.uniform(0.5, 1.0)))


def _screenshot(film: Grey, rng: np.random.Generator) -> Scene:
    return (_web_page if rng.random() < 0.5 else _dark_monitor)(film, rng)


def _on_screen(film: Grey, rng: np.random.Generator, paper: float, ink: float) -> Scene:
    box = _box(rng, film)
    page = Image.new("L", (SCENE, SCENE), round(255 * paper))
    draw = ImageDraw.Draw(page)
    for _ in range(int(rng.integers(2, 14))):
        left, top = rng.integers(0, SCENE, 2).tolist()
        draw.text((left, top), _words(rng), round(255 * ink), _font(rng), spacing=12)
    bar = int(rng.integers(0, 90))
    draw.rectangle((0, box[1] - 140, SCENE, box[1] - 140 + bar), round(rng.uniform(0, 255)))
    scene = np.asarray(page)[..., None] / 255 * np.ones(3)
    _lay(scene, box, _resized(film, box)[..., None] * np.ones(3), np.ones_like(scene))
    if paper < 0.5:
        _overlay(scene, box, rng)
    edges = np.array([-1, -1, 1, 1]) * rng.uniform(0.02, 0.4, 4) * SCENE + np.array(box)
    left, top, right, bottom = np.clip(edges, 0, SCENE).astype(int)
    room = np.full_like(scene, rng.uniform(0.02, 0.4)) * _tint(rng, 0.3)
    bezel = int(rng.integers(8, 50))
    room[max(top - bezel, 0) : bottom + bezel, max(left - bezel, 0) : right + bezel] = 0.04
    room[top:bottom, left:right] = scene[top:bottom, left:right]
    return Scene(room, box, is_screen=True)


def _overlay(scene: Colours, box: tuple[int, int, int, int], rng: np.random.Generator) -> None:
    """Write what viewers write over a picture's corners."""
    layer = Image.new("L", (SCENE, SCENE), 0)
    draw = ImageDraw.Draw(layer)
    for x, y in ((box[0] + 8, box[1] + 8), (box[2] - 160, box[1] + 8), (box[0] + 8, box[3] - 60)):
        if rng.random() < 0.6:
            draw.text((x, y), _words(rng, 3), 220, ImageFont.load_default(16))
    np.maximum(scene, np.asarray(layer)[..., None] / 255, out=scene)


def _box(rng: np.random.Generator, film: Grey) -> tuple[int, int, int, int]:
    """Choose where in the scene the film lies; squashed pictures get a film's shape again."""
    rows, columns = film.shape
    wide = columns / rows if rows != columns else rng.uniform(0.85, 1.45)
    height = 560 / max(wide, 1)
    return (
        round(SCENE / 2 - height * wide / 2),
        round(SCENE / 2 - height / 2),
        round(SCENE / 2 + height * wide / 2),
        round(SCENE / 2 + height / 2),
    )


def _resized(film: Grey, box: tuple[int, int, int, int]) -> Colours:
    size = (box[2] - box[0], box[3] - box[1])
    return np.asarray(Image.fromarray(film).resize(size, Image.Resampling.BICUBIC)) / 255


def _rimmed(film: Grey, box: tuple[int, int, int, int], rng: np.random.Generator) -> Colours:
    """Give a film its unexposed or black rim."""
    light = _resized(film, box).copy()
    rim = int(rng.integers(0, 16))
    if rim:
        edge = np.ones_like(light, bool)
        edge[rim:-rim, rim:-rim] = False
        light[edge] = float(rng.choice((0.02, 0.05, 0.9)))
    return light


def _lay(scene: Colours, box: tuple[int, int, int, int], light: Colours, behind: Colours) -> None:
    place = (slice(box[1], box[3]), slice(box[0], box[2]))
    scene[place] = light * behind[place]


def _fingers(scene: Colours, box: tuple[int, int, int, int], rng: np.random.Generator) -> None:
    """Hold the film at one side."""
    layer = Image.new("L", (SCENE, SCENE), 0)
    draw = ImageDraw.Draw(layer)
    side, skin = int(rng.integers(4)), rng.uniform(0.15, 0.8) * np.array([1, 0.75, 0.6])
    along = rng.uniform(0.15, 0.7)
    for finger in range(int(rng.integers(1, 5))):
        at = along + 0.07 * finger
        x = (box[0], box[2], box[0] + at * (box[2] - box[0]))[min(side, 2)]
        y = (box[1], box[3], box[1] + at * (box[3] - box[1]))[(side - 2) if side > 1 else 2]
        long = (120, 24) if side < 2 else (24, 120)
        away = np.array([(-90, 0), (90, 0), (0, -90), (0, 90)][side])
        centre = np.array([x, y]) + away
        draw.ellipse((*(centre - long), *(centre + long)), 255)
    cover = _blurred(np.asarray(layer)[..., None] / 255, 3)
    scene[:] = scene * (1 - cover) + skin * cover


def _words(rng: np.random.Generator, lines: int = 8) -> str:
    return "\n".join("".join(rng.choice(LETTERS, int(rng.integers(4, 40)))) for _ in range(lines))


def _font(rng: np.random.Generator) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(int(rng.integers(12, 40)))


def _tint(rng: np.random.Generator, most: float) -> Colours:
    return 1 + rng.uniform(-most, most, 3)


def _clouds(rng: np.random.Generator, power: float, stretch: float = 1) -> Colours:
    """Noise of mean 0 and spread 1 whose strength falls with frequency."""
    size = SCENE // 4
    down, across = np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij")
    frequency = np.hypot(down, across * stretch)
    frequency[0, 0] = 1
    noise = np.fft.irfft2(
        np.fft.rfft2(rng.standard_normal((size, size))) / frequency**power, (size, size)
    )
    noise = ((noise - noise.mean()) / noise.std()).astype(np.float32)
    whole = Image.fromarray(noise).resize((SCENE, SCENE), Image.Resampling.BICUBIC)
    return np.asarray(whole, np.float64)


def _uneven(rng: np.random.Generator, most: float) -> Colours:
    """Light that falls off from one place."""
    across, down = np.meshgrid(*[np.arange(SCENE) / SCENE] * 2)
    x, y = rng.uniform(0, 1, 2)
    fall: Colours = 1 - rng.uniform(0, most) * 2 * ((across - x) ** 2 + (down - y) ** 2)
    return fall


def _blurred(colours: Colours, radius: float) -> Colours:
    planes = [
        np.asarray(
            Image.fromarray(rounded(255 * plane)).filter(ImageFilter.GaussianBlur(radius)), float
        )
        / 255
        for plane in np.moveaxis(colours, -1, 0)
    ]
    return np.stack(planes, -1)


def _seen(scene: Scene, rng: np.random.Generator) -> tuple[Colours, Corners]:
    """Look at a scene aslant, so that the film fills a third to nine tenths of each side."""
    left, top, right, bottom = scene.box
    share = rng.uniform(0.45, 0.95, 2)
    half = np.array([right - left, bottom - top]) / share / 2
    half = np.minimum(half * np.where(half < half.max() * 0.6, 1.3, 1), SCENE * 0.47)
    centre = np.array([left + right, top + bottom]) / 2
    centre = centre + rng.uniform(-1, 1, 2) * (half - np.array([right - left, bottom - top]) / 2)
    turn = np.deg2rad(rng.normal(0, 4))
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    frame = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    frame *= 1 + rng.uniform(-0.1, 0.1, (4, 2))
    view = np.clip(frame @ spin.T + centre, 0, SCENE - 1)
    size = (half * LONGEST / half.max()).astype(int)
    target = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size
    way = homography(target, view)
    image = Image.fromarray(rounded(255 * scene.colours)).transform(
        tuple(size.tolist()),
        Image.Transform.PERSPECTIVE,
        tuple(way.ravel()[:8]),
        Image.Resampling.BICUBIC,
    )
    film = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
    return np.asarray(image) / 255, projected(homography(view, target), film)


def _cut(scene: Scene, rng: np.random.Generator) -> tuple[Colours, Corners]:
    """Cut a screenshot out of a scene, upright."""
    left, top, right, bottom = scene.box
    spare = rng.uniform(0.02, 0.6, 4) * 350
    first = (int(max(left - spare[0], 0)), int(max(top - spare[1], 0)))
    last = (int(min(right + spare[2], SCENE)), int(min(bottom + spare[3], SCENE)))
    film = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
    return scene.colours[first[1] : last[1], first[0] : last[0]], film - first


def projected(way: Corners, points: Corners) -> Corners:
    """Take points (n, 2) through a map (3, 3)."""
    mapped = np.c_[points, np.ones(len(points))] @ way.T
    seen: Corners = mapped[:, :2] / mapped[:, 2:]
    return seen


def _through_camera(colours: Colours, is_screen: bool, rng: np.random.Generator) -> Colours:
    """Add uneven light, glare, moiré, a tint, noise and a little blur."""
    rows, columns = colours.shape[:2]
    across, down = np.meshgrid(np.arange(columns) / columns, np.arange(rows) / rows)
    x, y = rng.uniform(0, 1, 2)
    light = 1 - rng.uniform(0, 0.3) * ((across - x) ** 2 + (down - y) ** 2)
    if is_screen:
        for _ in range(2):
            angle, waves = rng.uniform(0, np.pi), rng.uniform(10, 60)
            along = across * np.cos(angle) + down * np.sin(angle) + 0.03 * np.sin(7 * across * down)
            light += rng.uniform(0, 0.06) * np.sin(2 * np.pi * waves * along)
    x, y, spread = *rng.uniform(0, 1, 2), rng.uniform(0.03, 0.2)
    strength = rng.uniform(0, 0.5) * (rng.random() < 0.4)
    glare = strength * np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * spread**2))
    seen = (colours * light[..., None] + glare[..., None]) * _tint(rng, 0.12)
    seen = np.clip(seen, 0, 1) ** rng.uniform(0.8, 1.3)
    seen = _blurred(seen, rng.uniform(0.3, 1.8))
    return seen + rng.normal(0, rng.uniform(0.003, 0.025), seen.shape)


def _compressed(colours: Colours, rng: np.random.Generator) -> NDArray[np.uint8]:
    whole = Image.fromarray(rounded(255 * colours))
    return np.asarray(recompressed(whole, int(rng.integers(55, 95))))


KINDS: dict[str, Callable[[Grey, np.random.Generator], Scene]] = {
    "light box": _light_box,
    "window": _window,
    "table": _table,
    "web page": _web_page,
    "dark monitor": _dark_monitor,
    "screenshot": _screenshot,
}
