"""Of a series that came damaged nothing is passed over in silence."""

from collections.abc import Callable

import pytest

from classifier.reading.scan import Study
from classifier.refusals import Refusal, RefusalReason

Make = Callable[..., bytes]
Read = Callable[..., Study]
Spoil = Callable[[bytes], bytes]

SPOILT: dict[str, Spoil] = {
    "empty": lambda data: b"",
    "a few bytes": lambda data: data[:100],
    "other bytes": lambda data: bytes(range(1, 251)) * 8,
    "cut before its rows": lambda data: data[: data.index(b"\x28\x00\x10\x00")],
    "other bytes after the preamble": lambda data: data[:132] + bytes(range(1, 251)) * 8,
    "cut in its pixels": lambda data: data[:-100],
}


@pytest.fixture
def files(ct_slice: Make) -> dict[str, bytes]:
    return {f"series/{z:02}.dcm": ct_slice(z) for z in range(10)}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_few_lost_slices_are_counted(
    kind: str, read: Read, zipped: Make, files: dict[str, bytes]
) -> None:
    spoilt = {name: SPOILT[kind](files[name]) for name in list(files)[:4]}
    study = read(zipped(files | spoilt))
    assert (len(study.scans), study.unseen) == (6, 4)


@pytest.mark.parametrize("kind", SPOILT)
def test_a_series_of_which_half_is_lost_is_damaged(
    kind: str, read: Read, zipped: Make, files: dict[str, bytes]
) -> None:
    spoilt = {name: SPOILT[kind](files[name]) for name in list(files)[:5]}
    with pytest.raises(Refusal) as caught:
        read(zipped(files | spoilt))
    assert caught.value.reason is RefusalReason.BROKEN


def test_one_slice_left_of_a_series_is_damaged_too(
    read: Read, zipped: Make, files: dict[str, bytes]
) -> None:
    with pytest.raises(Refusal) as caught:
        read(zipped(files | dict.fromkeys(list(files)[1:], b"")))
    assert caught.value.reason is RefusalReason.BROKEN


def test_two_ways_of_losing_slices_add_up(
    read: Read, zipped: Make, files: dict[str, bytes]
) -> None:
    names = list(files)
    spoilt = dict.fromkeys(names[:3], b"") | {name: files[name][:-100] for name in names[3:6]}
    with pytest.raises(Refusal) as caught:
        read(zipped(files | spoilt))
    assert caught.value.reason is RefusalReason.BROKEN


def test_what_is_left_keeps_its_number(read: Read, zipped: Make, files: dict[str, bytes]) -> None:
    names = list(files)
    study = read(zipped(files | {name: files[name][:-100] for name in (names[0], names[4])}))
    heights = [round(float(scan.pixels[0, 0])) for scan in study.scans]
    assert heights == [1, 2, 3, 5, 6, 7, 8, 9]
    assert [study.place(index) for index in range(8)] == heights
    assert study.slices == 10


def test_other_files_of_a_disc_are_no_lost_slices(
    read: Read, zipped: Make, files: dict[str, bytes], dicom: Make
) -> None:
    beside = {
        "viewer/run.exe": b"MZ" + bytes(600),
        "series/notes.txt": b"words",
        "report.dcm": dicom(Rows=None, Modality="SR"),
        "raw.dcm": dicom(Rows=None, Modality="CT", SOPClassUID="1.3.12.2.1107.5.9.1"),
    }
    assert read(zipped(files | beside)).unseen == 0


@pytest.mark.parametrize(
    ("whole", "lost", "counted"),
    [
        ("S1/IM1", "S2/IM1", 1),
        ("1.2.840.1005", "1.2.840.77.3", 1),
        ("a.dcm", "b.jpg", 1),
        ("one/a.dcm", "two/b.DCM", 1),
        ("S1/IM1", "README", 0),
        ("S1/IM1", "viewer/run.exe", 0),
    ],
)
def test_a_lost_film_beside_another_is_counted_by_its_name(
    whole: str, lost: str, counted: int, read: Read, zipped: Make, dicom: Make
) -> None:
    assert read(zipped({whole: dicom(), lost: bytes(600)})).unseen == counted


def test_a_capture_cut_before_its_rows_is_no_report(read: Read, zipped: Make, dicom: Make) -> None:
    capture = SPOILT["cut before its rows"](dicom(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"))
    assert read(zipped({"a.dcm": dicom(), "b.dcm": capture})).unseen == 1


def test_an_entry_that_cannot_be_opened_is_one_lost_slice(
    read: Read, zipped: Make, files: dict[str, bytes]
) -> None:
    data = bytearray(zipped(files))
    name = list(files)[3].encode()
    data[data.index(name) - 30] ^= 0xFF
    study = read(bytes(data))
    assert (len(study.scans), study.unseen) == (9, 1)


def test_a_zip_of_nothing_that_can_be_opened_is_damaged(
    read: Read, zipped: Make, dicom: Make
) -> None:
    data = bytearray(zipped({"a.dcm": dicom()}))
    # Its name stands at byte 30, and once more in the directory.
    data[30] ^= 0xFF
    with pytest.raises(Refusal) as caught:
        read(bytes(data))
    assert caught.value.reason is RefusalReason.BROKEN
