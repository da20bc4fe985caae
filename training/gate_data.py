"""What the gate learns from: chest X-rays, CT slices, and pictures of other families."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifier.gate import Kind
from classifier.labels import FloatArray
from classifier.preprocess import to_grey, to_input, to_unit
from classifier.reading.picture import read_picture
from training import negatives
from training.arrays import Arrays
from training.augment import Grey, augment, augment_far, rounded
from training.dataset import patient_of
from training.gate_graph import SIZE
from training.stress import STRESSES

# Pictures are kept and changed at this size, and shrunk last; films that are cut at the other, so
# that a part is as sharp as the whole.
KEPT, FILM = 128, 224
MADE_UP = 250
# What these packages hold are slices of one or two heads.
VOLUMES = ("dipy", "invesalius-examples", "mricron-data", "nilearn")
KIND_OF = {
    "xray": Kind.XRAY,
    "fronts": Kind.XRAY,
    "ct": Kind.CT,
    "photographs": Kind.OTHER,
    "documents": Kind.OTHER,
    "drawings": Kind.OTHER,
    "noise": Kind.OTHER,
    "blank": Kind.OTHER,
    "other_xrays": Kind.OTHER_XRAY,
    "laterals": Kind.OTHER_XRAY,
    "other_body_parts": Kind.OTHER_MEDICAL,
    "other_modalities": Kind.OTHER_MEDICAL,
}


class Part(StrEnum):
    """What a picture serves for; all of one patient or file serve for the same."""

    TRAIN = "train"
    TUNING = "tuning"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True)
class Shown(Arrays):
    """n pictures: `pixels` (n, side, side) uint8, all of one side; else (n,).

    `families` are those of `KIND_OF`; `sources` folders or packages; `groups`
    patients or files; `chroma` as in `Scan`.
    """

    pixels: Grey
    families: NDArray[np.str_]
    sources: NDArray[np.str_]
    groups: NDArray[np.str_]
    chroma: NDArray[np.float32]

    def with_pixels(self, pixels: Grey) -> "Shown":
        """Exchange the pixels."""
        return replace(self, pixels=pixels)

    def greys(self) -> Iterator[FloatArray]:
        """Give each picture as shown: (side, side) float32 in [0, 1]."""
        return map(to_unit, self.pixels)

    def part(self, part: Part) -> "Shown":
        """Take those that serve for this."""
        return self.of(np.array([part_of(group) is part for group in self.groups]))


@dataclass(frozen=True, slots=True)
class Samples(Arrays):
    """n changed pictures: `pixels` (n, SIZE, SIZE, 1) float32 in [0, 1]; else (n,).

    `kinds` are indices into `Kind`, `turns` quarter turns to the left that put it upright.
    """

    pixels: NDArray[np.float32]
    kinds: NDArray[np.int64]
    turns: NDArray[np.int64]
    inverted: NDArray[np.bool_]
    families: NDArray[np.str_]
    groups: NDArray[np.str_]


def is_chest(families: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Tell for each picture of these families, (n,), whether it is of a real chest."""
    return np.isin(families, [Kind.XRAY, Kind.CT])


def thinned(shown: Shown, most: int) -> Shown:
    """Take at most about so many pictures of each source of each family, evenly."""
    keys = np.array([f"{a}/{b}" for a, b in zip(shown.families, shown.sources, strict=True)])
    keep = np.zeros(len(keys), bool)
    for key in np.unique(keys):
        mine = np.flatnonzero(keys == key)
        keep[mine[:: math.ceil(len(mine) / most)]] = True
    return shown.of(keep)


def part_of(group: str) -> Part:
    """Draw the part of a patient or file, always the same: seven, one and two of ten."""
    tenth = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) % 10
    return Part.TRAIN if tenth < 7 else Part.TUNING if tenth == 7 else Part.HELD_OUT


def gather(xrays: Sequence[Path], cts: Sequence[Path], others: Path) -> Shown:
    """Read chest X-rays and CT slices, `<folder>/<label>/…`, and the families in `others`.

    To the families come those of `training.negatives`. Folders and packages are sources.
    """
    return _shown(
        [
            *(row for folder in xrays for row in _chests(folder, "xray")),
            *(row for folder in cts for row in _chests(folder, "ct")),
            *(row for family in sorted(others.iterdir()) for row in _others(family)),
            *(row for family in negatives.FAMILIES for row in _made_up(family)),
        ]
    )


def films(xrays: Sequence[Path]) -> Shown:
    """Read chest X-rays, `<folder>/<label>/…`, with sides of `FILM`."""
    return _shown([row for folder in xrays for row in _chests(folder, "xray", FILM)])


Row = tuple[Grey, str, str, str, float]


def _shown(rows: Sequence[Row]) -> Shown:
    pixels, families, sources, groups, chroma = zip(*rows, strict=True)
    return Shown(
        np.stack(pixels),
        np.array(families),
        np.array(sources),
        np.array(groups),
        np.array(chroma, np.float32),
    )


def _chests(folder: Path, family: str, side: int = KEPT) -> Iterator[Row]:
    for path in _files(folder):
        # Without its suffix: by that name, as ever, a slice has its part.
        patient = patient_of(path.relative_to(folder).with_suffix(""))
        if family == "ct" and path.stem.count("-") > 1:
            # `sysu-b012-03` is a slice of patient 012.
            patient = path.stem.rpartition("-")[0]
        pixels, chroma = _read(path, side)
        yield pixels, family, folder.name, f"{family}/{patient}", chroma


def _others(folder: Path) -> Iterator[Row]:
    for path in _files(folder):
        number = path.stem.partition("-")[0]
        source = path.parent.name
        pixels, chroma = _read(path, KEPT)
        group = source if source in VOLUMES else f"{folder.name}/{source}/{number}"
        yield pixels, folder.name, source, group, chroma


def _made_up(family: str) -> Iterator[Row]:
    for number, grey in enumerate(negatives.family(family, MADE_UP, KEPT)):
        yield rounded(grey * 255), family, "made up", f"{family}/{number}", 0.0


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _read(path: Path, side: int) -> tuple[Grey, float]:
    scan = read_picture(path.read_bytes())
    grey = to_input(to_grey(scan), side)[..., 0]
    return rounded(grey * 255), scan.chroma


def samples(shown: Shown) -> Samples:
    """Show each picture in the ways that the gate must know."""
    rng = np.random.default_rng(0)
    rows = [
        (pixels, list(Kind).index(KIND_OF[family]), turns, inverted, family, group)
        for kept, family, group in zip(
            shown.pixels, shown.families.tolist(), shown.groups.tolist(), strict=True
        )
        for pixels, turns, inverted in _ways(kept, family, rng)
    ]
    pixels, *columns = zip(*rows, strict=True)
    return Samples(inputs(pixels), *(np.array(column) for column in columns))


def inputs(pixels: Iterable[Grey]) -> NDArray[np.float32]:
    """Give what the network takes: (n, SIZE, SIZE, 1) float32 in [0, 1]."""
    return np.stack([to_input(each, SIZE) for each in pixels])


Way = tuple[Grey, int, bool]


def _ways(kept: Grey, family: str, rng: np.random.Generator) -> Iterator[Way]:
    yield kept, 0, False
    yield augment_far(kept, rng), 0, False
    if family == "ct":
        yield photo(_windowed(kept, rng), rng), 0, False
        yield _windowed(kept, rng), 0, False
        yield augment(_windowed(kept, rng), rng), 0, False
        yield _on_a_page(_windowed(kept, rng), rng), 0, False
    elif family == "xray":
        yield photo(augment(kept, rng), rng), 0, False
        yield turned(augment_far(kept, rng), int(rng.integers(1, 4)))
        pixels, turns, _ = turned(255 - augment_far(kept, rng), int(rng.integers(4)))
        yield pixels, turns, True
    else:
        turn = int(rng.integers(4))
        changed = augment_far(np.rot90(kept, turn), rng)
        yield 255 - changed if rng.random() < 0.5 else changed, 0, False


def turned(pixels: Grey, turns: int) -> Way:
    """Turn a picture so that `turns` quarter turns to the left put it upright."""
    return np.rot90(pixels, -turns), turns, False


def _windowed(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Show a CT slice in a narrower window, and without the edges: viewers differ in both."""
    low, high = rng.uniform(0, 0.3), rng.uniform(0.6, 1)
    edge = rng.uniform(0, 0.22, 4) * len(pixels)
    box = (edge[0], edge[1], len(pixels) - edge[2], len(pixels) - edge[3])
    image = Image.fromarray(pixels)
    cut = np.asarray(image.resize(image.size, Image.Resampling.BILINEAR, box)) / 255
    return rounded(255 * (cut - low) / (high - low))


def _on_a_page(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Show a CT slice small on a page of one grey, as viewers and screenshots do."""
    image, side = Image.fromarray(pixels), int(rng.uniform(0.65, 0.95) * len(pixels))
    page = Image.new("L", image.size, int(rng.choice((0, 255, int(rng.integers(256))))))
    place = tuple(rng.integers(0, len(pixels) - side, 2).tolist())
    page.paste(image.resize((side, side), Image.Resampling.BILINEAR), place)
    return np.asarray(page)


def photo(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Take one picture (size, size) off a screen, as `training.stress` does."""
    return STRESSES["photo"](np.ascontiguousarray(pixels), rng)
