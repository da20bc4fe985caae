"""Measure how often `classifier.quality` doubts a picture: real ones, and the same made worse.

`python -m training.quality --data CHILDREN --data ADULTS --larger ORIGINALS` adds rows to
`training/results/quality.csv`. The limits were set by what it prints of the pictures trained on.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, fields
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageFilter, ImageOps

from classifier import quality
from classifier.labels import Doubt, Greys, Modality
from classifier.preprocess import as_shown, shrunk, to_levels
from classifier.quality import Quality
from classifier.reading.picture import read_picture
from training.augment import Grey, recompressed, rounded
from training.dataset import Example, find_examples, split
from training.record import add_rows, circumstances, command
from training.stress import Plane

RESULTS = Path(__file__).parent / "results" / "quality.csv"
DOUBTS = (
    Doubt.TOO_SMALL,
    Doubt.BLURRED,
    Doubt.TOO_DARK,
    Doubt.TOO_BRIGHT,
    Doubt.CLIPPED,
    Doubt.FLAT,
    Doubt.EDITED,
    Doubt.POOR_QUALITY,
)
EVERY = 4
BLURS = (1, 1.5, 2, 3, 4)
NOISE = 0.03
# Of 480 pixels, which a phone's pictures are sent with at least; strong, and one in so many lost.
GRAINS = (2, 4, 8)
COARSE_NOISE = 0.05
LOST = 0.03
GAMMAS = (0.2, 0.3, 0.45, 2.2, 3, 4)
GAINS = (3, 2, 1.5, 0.4, 0.2)
STEPS = (0.3, -0.3, 0.5, -0.5)
SIDES = (160, 140, 100)
THUMBNAILS = (96, 64, 48)
JPEGS = (60, 30, 10)
LEVELS = (32, 16, 8)
COVERED = (0.08, 0.2)
Worse = Callable[[Grey], Grey]


def degraded() -> dict[str, Worse]:
    """Name ways to make a picture of 8 bits (rows, columns) worse, each in steps."""
    return {
        **{f"blur of {pixels} px in 224": partial(_blurred, pixels) for pixels in BLURS},
        **{f"blur of {pixels} px, noise": partial(_blurred_and_noisy, pixels) for pixels in BLURS},
        "noise": _noisy,
        **{f"noise in grains of {pixels} px in 480": partial(_grainy, pixels) for pixels in GRAINS},
        "salt and pepper in 224 px": _peppered,
        **{f"gamma {power}": partial(_bent, lambda x, by: x**by, power) for power in GAMMAS},
        **{f"contrast x {gain}": partial(_bent, _stretched, gain) for gain in GAINS},
        **{f"exposure {step:+}": partial(_bent, lambda x, by: x + by, step) for step in STEPS},
        **{f"{side} px a side": partial(_sized, side) for side in SIDES},
        **{f"{side} px, enlarged, sharpened": partial(_enlarged, side) for side in THUMBNAILS},
        **{f"JPEG of quality {jpeg}": partial(_compressed, jpeg) for jpeg in JPEGS},
        **{f"{levels} greys": partial(_posterised, levels) for levels in LEVELS},
        **{f"{share:.0%} covered": partial(_covered, share) for share in COVERED},
        "equalised": _equalised,
    }


def _blurred(pixels: float, grey: Grey) -> Grey:
    radius = pixels * min(grey.shape) / quality.SIDE
    return np.asarray(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(radius)))


def _noisy(grey: Grey) -> Grey:
    return _bent(lambda x, by: x + np.random.default_rng(0).normal(0, by, x.shape), NOISE, grey)


def _grainy(pixels: int, grey: Grey) -> Grey:
    """Lay smooth noise over it, as a phone makes in the dark and then takes away in part."""
    side = 480 // pixels
    drawn = np.random.default_rng(0).normal(0, COARSE_NOISE, (side, side)).astype(np.float32)
    rows, columns = grey.shape
    noise = Image.fromarray(drawn).resize((columns, rows), Image.Resampling.BILINEAR)
    return _bent(lambda x, _: x + np.asarray(noise), 0, grey)


def _peppered(grey: Grey) -> Grey:
    rng, small = np.random.default_rng(0), _sized(quality.SIDE, grey)
    ends = rng.choice(np.array((0, 255), np.uint8), small.shape)
    return np.where(rng.random(small.shape) < LOST, ends, small)


def _blurred_and_noisy(pixels: float, grey: Grey) -> Grey:
    return _noisy(_blurred(pixels, grey))


def _stretched(unit: Plane, gain: float) -> Plane:
    return 0.5 + gain * (unit - 0.5)


def _bent(curve: Callable[[Plane, float], Plane], by: float, grey: Grey) -> Grey:
    return rounded(255 * curve(grey / 255, by))


def _sized(side: int, grey: Grey) -> Grey:
    return np.asarray(Image.fromarray(grey).resize((side, side), Image.Resampling.BILINEAR))


def _enlarged(side: int, grey: Grey) -> Grey:
    """Make a thumbnail large again, and its edges sharp, as a phone's editor does."""
    rows, columns = grey.shape
    small = Image.fromarray(grey)
    small.thumbnail((side, side))
    large = small.resize((columns, rows), Image.Resampling.LANCZOS)
    radius = 0.6 * max(rows, columns) / side
    return np.asarray(large.filter(ImageFilter.UnsharpMask(radius, 250, 0)))


def _compressed(jpeg: int, grey: Grey) -> Grey:
    return np.asarray(recompressed(Image.fromarray(grey), jpeg))


def _posterised(levels: int, grey: Grey) -> Grey:
    step = 256 // levels
    return grey // step * step


def _covered(share: float, grey: Grey) -> Grey:
    """Lay a grey rectangle over a lung's place, as one who hides a name would."""
    covered, side = grey.copy(), share**0.5
    rows, columns = grey.shape
    top, left = int((0.45 - side / 2) * rows), int((0.3 - side / 2) * columns)
    covered[top : top + int(side * rows), left : left + int(side * columns)] = 70
    return covered


def _equalised(grey: Grey) -> Grey:
    return np.asarray(ImageOps.equalize(Image.fromarray(grey)))


def read(example: Example) -> Greys:
    """Read a picture as it is shown."""
    return as_shown(read_picture(example.path.read_bytes()))


def measure(shown: Greys) -> Quality:
    """Measure a picture (rows, columns) as it is measured for an answer: shrunk if it is large."""
    return quality.measure(shrunk(shown), min(shown.shape))


def shares(found: Sequence[Quality]) -> dict[str, str]:
    """Give the share of pictures that each doubt, and any, is held against."""
    doubts = [quality.doubts(each, Modality.XRAY) for each in found]
    held = {doubt.value: [doubt in some for some in doubts] for doubt in DOUBTS}
    held["any"] = [bool(some) for some in doubts]
    return {name: f"{np.mean(each):.4f}" for name, each in held.items()}


def extremes(found: Iterable[Quality]) -> str:
    """Tell between which values 99 of 100 pictures lie, measure by measure."""
    values = np.array([astuple(each) for each in found])
    ends = np.percentile(values, (0.5, 99.5), axis=0).T
    names = [field.name for field in fields(Quality)]
    return ", ".join(
        f"{name} {low:.3f}–{high:.3f}" for name, (low, high) in zip(names, ends, strict=True)
    )


def main(
    data: Annotated[list[Path], typer.Option(help="labelled folders that are trained on")],
    larger: Annotated[Path | None, typer.Option(help="pictures trained on, in full size")] = None,
    out: Annotated[Path, typer.Option()] = RESULTS,
) -> None:
    """Measure pictures trained on, held out and held out made worse, and add the rows."""
    rows: list[dict[str, object]] = []

    def add(part: str, source: str, found: Sequence[Quality]) -> None:
        rows.append({"part": part, "source": source, "pictures": len(found)} | shares(found))
        print(rows[-1])

    held_out = []
    for folder in data:
        parts = split(find_examples(folder))
        found = [measure(read(each)) for each in parts.train]
        print(folder.name, extremes(found))
        add("trained on", folder.name, found)
        add("held out", folder.name, [measure(read(each)) for each in parts.held_out])
        held_out += parts.held_out[::EVERY]
    if larger:
        found = [measure(read(each)) for each in find_examples(larger)]
        print(larger.name, extremes(found))
        add("trained on", larger.name, found)
    greys = [to_levels(read(each)) for each in held_out]
    for name, worse in degraded().items():
        made = [measure(worse(grey)) for grey in greys]
        add(f"held out, {name}", "all", made)
    add_rows(out, [circumstances(command("training.quality")) | row for row in rows])


if __name__ == "__main__":
    typer.run(main)
