"""Where the time and the memory of one CT study of 300 slices go.

`python benchmarks/ct_study.py SERIES [--slices 300] [--rounds 3]` with a folder of DICOM slices of
512 × 512, which are repeated under new places and UIDs, as they are and without compression, as
files and as a zip. Prints Markdown.
"""

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import pydicom
import typer
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

import classifier.reading.dicom  # noqa: F401  # for its decoders
from bot.memory import share_one_heap
from classifier.batching import Batcher
from classifier.labels import Modality
from classifier.model import MODELS, load_installed
from classifier.reading.isolated import IsolatedReader
from classifier.report import Report, draw, to_jpeg
from classifier.report_texts import Language
from classifier.study import MOST_LOOKED_AT, conclude, look_at

STAGES = ("read and decode", "lungs and resize", "infer", "aggregate", "draw")


def make_study(series: Path, slices: int, folder: Path) -> dict[str, Path]:
    """Write the study in four forms: folder and zip, as it is and without compression."""
    found = [pydicom.dcmread(path) for path in sorted(series.iterdir())]
    found.sort(key=lambda each: float(each.ImagePositionPatient[2]))
    uids = generate_uid(), generate_uid()
    for kind in ("as it is", "uncompressed"):
        (folder / kind).mkdir()
        for number in range(slices):
            slice_ = found[number * len(found) // slices]
            slice_.StudyInstanceUID, slice_.SeriesInstanceUID = uids
            slice_.SOPInstanceUID = slice_.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            slice_.ImagePositionPatient = [0, 0, 1.0 * number]
            slice_.InstanceNumber = number + 1
            if kind == "uncompressed" and slice_.file_meta.TransferSyntaxUID.is_compressed:
                slice_.decompress(generate_instance_uid=False)
                slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            slice_.save_as(folder / kind / f"{number:04}.dcm")
        with zipfile.ZipFile(folder / f"{kind}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((folder / kind).iterdir()):
                archive.write(path, path.name)
    forms = {}
    for kind in ("as it is", "uncompressed"):
        forms |= {f"{kind}, files": folder / kind, f"{kind}, zip": folder / f"{kind}.zip"}
    return forms


@contextmanager
def peak_memory(pids: tuple[int, ...]) -> Iterator[list[float]]:
    """Look every 50 ms at the memory of the processes together; gives the most in MB.

    What they share, such as libraries, counts once (Pss, proc(5)).
    """
    peak, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            total = 0
            for pid in pids:
                with suppress(OSError):
                    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                    total += int(rollup.split("Pss:")[1].split()[0])
            peak[0] = max(peak[0], total * 1024 / 1e6)

    thread = threading.Thread(target=look)
    thread.start()
    yield peak
    over.set()
    thread.join()


async def one_study(path: Path, models: Path) -> dict[str, float]:
    """Take a study through all stages in this process; seconds of each and MB with children."""
    share_one_heap()  # as the bot and the command line do
    model = load_installed(models)[Modality.CT]
    with IsolatedReader() as reader:
        async with Batcher(model.engine) as batcher:
            # The children load their decoders once, not once for each study.
            reader.read(reader.sources([path])[0])
            with peak_memory((os.getpid(), *reader.pids)) as peak:
                marks = [time.perf_counter()]
                study = reader.read(reader.sources([path])[0])
                marks.append(time.perf_counter())
                looked = look_at(study.scans, model.card.input_size)
                marks.append(time.perf_counter())
                output = await batcher.run(looked.inputs)
                marks.append(time.perf_counter())
                finding, deciding = conclude(model, study, looked, output)
                marks.append(time.perf_counter())
                report = Report(
                    shown=deciding[0],
                    deciding=deciding,
                    finding=finding,
                    modality=Modality.CT,
                    model=finding.model,
                    case="1",
                    when=datetime.now(UTC),
                    language=Language.ENGLISH,
                )
                to_jpeg(draw(report))
                marks.append(time.perf_counter())
    seconds = np.diff(marks).tolist()
    return dict(zip(STAGES, seconds, strict=True)) | {"all": sum(seconds), "MB": peak[0]}


def apart(path: Path, models: Path) -> dict[str, float]:
    """Measure in a process of its own, so that memory is that of one study."""
    command = [sys.executable, __file__, "--one", str(path), "--models", str(models)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured: dict[str, float] = json.loads(shown)
    return measured


def main(
    series: Annotated[Path | None, typer.Argument(help="a folder of DICOM slices")] = None,
    slices: int = 300,
    rounds: int = 3,
    models: Path = MODELS,
    one: Annotated[Path | None, typer.Option(help="measure this study, print JSON")] = None,
) -> None:
    """Print the medians of some rounds for each form of the study."""
    if one is not None:
        print(json.dumps(asyncio.run(one_study(one, models))))
        return
    if series is None:
        raise typer.BadParameter("name a folder of DICOM slices")
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, ",
        end="",
    )
    print(f"{slices} slices of which at most {MOST_LOOKED_AT} are looked at; ", end="")
    print(f"medians of {rounds} rounds in seconds\n")
    print(f"| study | {' | '.join(STAGES)} | all | peak MB |")
    print("|---" * (len(STAGES) + 3) + "|")
    with tempfile.TemporaryDirectory() as scratch:
        for name, path in make_study(series, slices, Path(scratch)).items():
            tried = [apart(path, models) for _ in range(rounds)]
            medians = {key: float(np.median([each[key] for each in tried])) for key in tried[0]}
            cells = [f"{medians[key]:.2f}" for key in (*STAGES, "all")]
            print(f"| {name} | {' | '.join(cells)} | {medians['MB']:.0f} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
