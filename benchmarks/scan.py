"""Where the time of one scan goes, and what a whole run of the command line costs.

`python benchmarks/scan.py [FOLDER]` with a folder of pictures; without one, of made-up X-rays.
Prints Markdown.
"""

import asyncio
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from classifier.batching import Batcher
from classifier.labels import Modality
from classifier.model import Model, load_installed
from classifier.preprocess import as_trained, to_grey, to_unit
from classifier.reading.isolated import IsolatedReader
from classifier.reading.sources import Source
from classifier.report import Report, draw, to_png
from classifier.report_texts import Language

PROGRAM = Path(__file__).parents[1] / "run_bot.py"
STAGES = ("read", "preprocess", "infer", "draw", "encode PNG")


def made_up(folder: Path, count: int = 30) -> None:
    """Write bright bodies with dark lungs and noise, of the size hospital files have."""
    y, x = np.mgrid[:1000, :1400]
    body = 190 - ((x - 700) / 700) ** 2 * 150
    for centre in (420, 980):
        body[((x - centre) / 220) ** 2 + ((y - 500) / 330) ** 2 < 1] = 60
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = (body + rng.normal(0, 6, body.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.jpg", quality=90)


async def stages(
    source: Source, reader: IsolatedReader, model: Model, batcher: Batcher
) -> list[float]:
    """Take one scan through the stages one after the other and time each."""
    marks = [time.perf_counter()]

    def mark() -> None:
        marks.append(time.perf_counter())

    scan = reader.read(source).scans[0]
    mark()
    grey = to_grey(scan)
    inputs = to_unit(as_trained(grey, model.card.input_size))[np.newaxis]
    mark()
    output = await batcher.run(inputs)
    finding = model.finding(output.logits[0], output.features[0], 1, frozenset())
    mark()
    picture = draw(
        Report(
            shown=grey,
            finding=finding,
            modality=Modality.XRAY,
            model=finding.model,
            case="1",
            when=datetime.now(UTC),
            language=Language.ENGLISH,
        )
    )
    mark()
    to_png(picture)
    mark()
    return [after - before for before, after in pairwise(marks)]


async def all_stages(folder: Path) -> dict[str, float]:
    """Give the median seconds of each stage over a folder, the first picture left out."""
    model = load_installed()[Modality.XRAY]
    with IsolatedReader() as reader:
        async with Batcher(model.engine) as batcher:
            rows = [
                await stages(source, reader, model, batcher) for source in reader.sources([folder])
            ]
    return {
        name: statistics.median(times)
        for name, times in zip(STAGES, zip(*rows[1:], strict=True), strict=True)
    }


def whole_run(paths: list[Path]) -> float:
    """Time `run_bot.py classify` from process start to its end."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, PROGRAM, "classify", *paths, "--out", out]
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begun


def main(folder: Annotated[Path | None, typer.Argument()] = None, rounds: int = 5) -> None:
    """Print the stages of one scan and the whole runs for one picture and for all."""
    with tempfile.TemporaryDirectory() as scratch:
        if folder is None:
            folder = Path(scratch)
            made_up(folder)
        pictures = sorted(path for path in folder.rglob("*") if path.is_file())
        medians = asyncio.run(all_stages(folder))
        one = statistics.median(whole_run(pictures[:1]) for _ in range(rounds))
        every = statistics.median(whole_run(pictures) for _ in range(rounds))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    total = sum(medians.values())
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    print("| stage | median | share |\n|---|---|---|")
    for name, seconds in medians.items():
        print(f"| {name} | {seconds * 1000:.1f} ms | {seconds / total:.0%} |")
    count = len(pictures)
    print(f"\n- process start to first picture and end: {one:.2f} s (median of {rounds})")
    print(f"- {count} pictures from process start: {every:.2f} s; after start ", end="")
    print(f"{(count - 1) / (every - one):.1f} pictures a second")
    print(f"- peak memory of the largest process: {peak:.0f} MB")


if __name__ == "__main__":
    typer.run(main)
