"""Of a long series not every slice is read, and those that are keep their numbers."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from classifier.reading import isolated
from classifier.reading.isolated import IsolatedReader
from classifier.reading.scan import Study

Make = Callable[..., bytes]
SLICES = 20


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "MOST_READ", 8)


@pytest.fixture
def files(ct_slice: Make) -> dict[str, bytes]:
    """The slices under names that say nothing of their order."""
    return {f"{z * 7 % SLICES:03}": ct_slice(z) for z in range(SLICES)}


def read_folder(reader: IsolatedReader, folder: Path, files: Mapping[str, bytes]) -> Study:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (source,) = reader.sources([folder])
    return reader.read(source)


def read_file(reader: IsolatedReader, folder: Path, data: bytes) -> Study:
    (folder / "file").write_bytes(data)
    return reader.read(reader.sources([folder / "file"])[0])


def check(study: Study) -> None:
    heights = [round(float(scan.pixels[0, 0])) for scan in study.scans]
    assert len(heights) == isolated.MOST_READ
    assert (heights[0], heights[-1]) == (0, SLICES - 1)
    assert set(np.diff(heights)) == {2, 3}
    assert study.slices == SLICES
    assert [study.place(index) for index in range(len(heights))] == heights
    assert study.unseen == 0


def test_of_a_folder(reader: IsolatedReader, tmp_path: Path, files: dict[str, bytes]) -> None:
    check(read_folder(reader, tmp_path, files))


def test_of_a_zip(
    reader: IsolatedReader, tmp_path: Path, files: dict[str, bytes], zipped: Make
) -> None:
    check(read_file(reader, tmp_path, zipped(files)))


def test_of_the_frames_of_one_file(reader: IsolatedReader, tmp_path: Path, dicom: Make) -> None:
    frames = np.arange(SLICES, dtype=np.int16)[:, np.newaxis, np.newaxis] + 1024
    data = dicom(np.broadcast_to(frames, (SLICES, 16, 16)), Modality="CT")
    check(read_file(reader, tmp_path, data))


def test_only_what_is_read_can_be_lost(
    reader: IsolatedReader, tmp_path: Path, files: dict[str, bytes], zipped: Make
) -> None:
    last = f"{(SLICES - 1) * 7 % SLICES:03}"
    study = read_file(reader, tmp_path, zipped(files | {last: files[last][:-100]}))
    assert (len(study.scans), study.unseen) == (isolated.MOST_READ - 1, 1)
    assert (study.slices, study.skipped >= {SLICES - 1}) == (SLICES, True)
