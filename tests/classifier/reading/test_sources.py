"""Files and folders to sources."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from classifier.reading.isolated import IsolatedReader
from classifier.reading.sources import Source, expand, name_apart, opened
from classifier.refusals import Refusal, RefusalReason

Make = Callable[..., bytes]


def fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_a_folder_of_pictures_is_one_source_each(
    reader: IsolatedReader, tmp_path: Path, picture: Make
) -> None:
    fill(tmp_path, {f"{name}.jpg": picture() for name in "cab"})
    assert [source.name for source in reader.sources([tmp_path])] == ["a", "b", "c"]


def test_the_slices_of_a_folder_are_one_source_and_come_in_order(
    reader: IsolatedReader, tmp_path: Path, picture: Make, ct_slice: Make
) -> None:
    fill(tmp_path, {f"scan/{-z}": ct_slice(z) for z in range(5)} | {"scan/p.jpg": picture()})
    series, photo = reader.sources([tmp_path])
    assert (series.name, len(series.paths), photo.name) == ("scan", 5, "p")
    heights = [float(scan.pixels[0, 0]) for scan in reader.read(series).scans]
    assert heights == [0, 1, 2, 3, 4]


def test_two_series_in_one_folder_are_two_sources(
    reader: IsolatedReader, tmp_path: Path, ct_slice: Make
) -> None:
    fill(tmp_path, {f"ct/{z}": ct_slice(z, SeriesInstanceUID=f"1.{z % 2}") for z in range(8)})
    assert [(s.name, len(s.paths)) for s in reader.sources([tmp_path])] == [("ct", 4), ("ct-2", 4)]


def test_one_series_in_two_folders_is_two_sources(
    reader: IsolatedReader, tmp_path: Path, ct_slice: Make
) -> None:
    fill(tmp_path, {f"{z % 2}/{z}": ct_slice(z) for z in range(8)})
    assert [source.name for source in reader.sources([tmp_path])] == ["0", "1"]


def test_copies_of_one_slice_are_one_source_each(
    reader: IsolatedReader, tmp_path: Path, ct_slice: Make
) -> None:
    fill(tmp_path, {str(copy): ct_slice(5) for copy in range(4)})
    assert len(reader.sources([tmp_path])) == 4


def test_junk_in_folders_is_passed_over(tmp_path: Path) -> None:
    names = [".DS_Store", "__MACOSX/a", ".hidden/a", "a/.b", "DICOMDIR"]
    fill(tmp_path, dict.fromkeys([*names, "a/b"], b"x"))
    assert expand([tmp_path]) == [tmp_path / "a/b"]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    fill(tmp_path, {"a": b"x"})
    assert expand([tmp_path, tmp_path / "a"]) == [tmp_path / "a"]


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        expand([tmp_path / "absent"])


def test_no_two_sources_have_one_name() -> None:
    paths = ["x/a.jpg", "y/a.jpg", "a.png", "a-2.jpg", "1.2.840.113", "1.2.840.114"]
    names = [source.name for source in name_apart([(Path(path),) for path in paths])]
    assert len(set(names)) == len(paths)
    assert names[0] == "a"
    assert names[4:] == ["1.2.840.113", "1.2.840.114"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", RefusalReason.EMPTY), (b"words in a file", RefusalReason.UNKNOWN_TYPE)],
)
def test_a_file_that_is_nothing_is_refused_without_a_child(
    data: bytes, reason: RefusalReason, tmp_path: Path
) -> None:
    fill(tmp_path, {"a": data})
    with pytest.raises(Refusal) as caught, opened(tmp_path / "a"):
        pass
    assert caught.value.reason is reason


def test_a_pipe_is_refused_and_not_waited_for(reader: IsolatedReader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refusal):
        reader.read(Source("pipe", (tmp_path / "pipe",)))


def test_progress_is_told_slice_by_slice(
    reader: IsolatedReader, tmp_path: Path, ct_slice: Make
) -> None:
    fill(tmp_path, {str(z): ct_slice(z) for z in range(5)})
    told: list[tuple[int, int]] = []
    (series,) = reader.sources([tmp_path])
    reader.read(series, lambda done, total: told.append((done, total)))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
