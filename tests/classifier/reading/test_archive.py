"""Zips: what is in them is found, bounded and never trusted."""

import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from classifier.labels import Modality
from classifier.reading import isolated
from classifier.reading.archive import list_zip, open_zip, read_entry
from classifier.reading.limits import MAX_ARCHIVE_ENTRIES, MAX_INFLATED_BYTES
from classifier.reading.scan import Study
from classifier.refusals import Refusal, RefusalReason

Make = Callable[..., bytes]
Read = Callable[..., Study]
LOCKED = struct.pack("<H", 1)


def reason(read: Read, data: bytes) -> RefusalReason:
    with pytest.raises(Refusal) as caught:
        read(data)
    return caught.value.reason


def heights(study: Study) -> list[float]:
    return [float(scan.pixels[0, 0]) for scan in study.scans]


def test_a_zip_of_one_series_is_read_from_feet_to_head(
    read: Read, zipped: Make, ct_slice: Make
) -> None:
    files = {f"disc/{z % 3}/IM{z}": ct_slice(z) for z in (30, -10, 0, 20, 10)}
    files |= {f"more/{z}": ct_slice(z) for z in range(100, 140)}
    study = read(zipped(files))
    assert heights(study) == [-10, 0, 10, 20, 30, *range(100, 140)]
    assert study.unseen == 0


def test_what_a_disc_brings_beside_the_series_is_nothing_unseen(
    read: Read, zipped: Make, ct_slice: Make, picture: Make
) -> None:
    junk = {
        "__MACOSX/._IM1": b"x",
        "DICOMDIR": ct_slice(7),
        "a/.DS_Store": b"x",
        "readme.txt": b"words",
        "viewer/icon.png": picture(kind="PNG"),
        "empty": b"",
    }
    study = read(zipped({f"{z}.dcm": ct_slice(z) for z in range(4)} | junk))
    assert (heights(study), study.unseen) == ([0, 1, 2, 3], 0)


def test_slices_under_the_same_uid_that_do_not_fit_are_counted(
    read: Read, zipped: Make, ct_slice: Make
) -> None:
    files = {f"{z}.dcm": ct_slice(z) for z in range(5)}
    files |= {f"odd{z}.dcm": ct_slice(z, PixelSpacing=[3, 3]) for z in (7, 8)}
    study = read(zipped(files))
    assert (heights(study), study.unseen) == ([0, 1, 2, 3, 4], 2)


def test_an_x_ray_beside_the_series_is_counted(
    read: Read, zipped: Make, ct_slice: Make, dicom: Make
) -> None:
    tags = {"PatientID": "1", "StudyInstanceUID": "1.2"}
    slices = {f"{z}.dcm": ct_slice(z, **tags) for z in range(4)}
    study = read(zipped(slices | {"scout": dicom(**tags)}))
    assert (heights(study), study.unseen) == ([0, 1, 2, 3], 1)


def test_other_pictures_of_any_kind_beside_the_series_are_counted(
    read: Read, zipped: Make, ct_slice: Make, dicom: Make, picture: Make
) -> None:
    slices = {f"{z}.dcm": ct_slice(z) for z in range(4)}
    others = {
        "pet": dicom(Modality="PT"),
        "head": ct_slice(9, SeriesInstanceUID="1.9", BodyPartExamined="HEAD"),
        "photo.jpg": picture(),
    }
    study = read(zipped(slices | others))
    assert (heights(study), study.unseen) == ([0, 1, 2, 3], len(others))


def test_another_patient_beside_the_series_is_refused_whatever_is_shown(
    read: Read, zipped: Make, ct_slice: Make, dicom: Make
) -> None:
    slices = {f"{z}.dcm": ct_slice(z) for z in range(4)}
    other = dicom(Modality="MR", PatientID="another")
    assert reason(read, zipped(slices | {"other": other})) is RefusalReason.SEVERAL_STUDIES


@pytest.mark.parametrize("name", ["DOE^JANE^^^", "Doe^Jane", "doe^jane^="])
def test_one_name_written_in_two_ways_is_one_patient(
    name: str, read: Read, zipped: Make, ct_slice: Make
) -> None:
    files = {str(z): ct_slice(z, PatientName=name if z % 2 else "DOE^JANE") for z in range(4)}
    assert len(read(zipped(files)).scans) == 4


def test_a_viewer_in_an_archive_does_not_hide_the_series(
    read: Read, zipped: Make, ct_slice: Make
) -> None:
    files = {f"{z}.dcm": ct_slice(z) for z in range(4)}
    study = read(zipped(files | {"viewer/lib.zip": zipped({"a": b"b"})}))
    assert (len(study.scans), study.unseen) == (4, 0)


def test_copies_of_a_series_are_read_once(read: Read, zipped: Make, ct_slice: Make) -> None:
    files = {f"{folder}/{z}": ct_slice(z) for folder in "ab" for z in range(4)}
    study = read(zipped(files))
    assert (heights(study), study.slices, study.unseen) == ([0, 1, 2, 3], 4, 0)


def test_of_two_patients_under_one_name_and_one_uid_one_is_shown(
    read: Read, zipped: Make, ct_slice: Make
) -> None:
    apart = {"john": [0.631, 0.631], "mary": [0.604, 0.604]}
    files = {
        f"{folder}/{z}": ct_slice(z, PixelSpacing=spacing)
        for (folder, spacing), count in zip(apart.items(), (6, 4), strict=True)
        for z in range(count)
    }
    study = read(zipped(files))
    assert (heights(study), study.series) == ([0, 1, 2, 3, 4, 5], 2)
    assert {scan.spacing for scan in study.scans} == {(0.631, 0.631)}


def test_frames_at_one_place_are_read_once(read: Read, zipped: Make, dicom: Make) -> None:
    def frame(height: float) -> Dataset:
        place, made = Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, height]
        made.PlanePositionSequence = [place]
        return made

    heights_of = [0, 1, 2, 3, 0, 1, 2, 3]
    frames = np.arange(8, dtype=np.int16)[:, np.newaxis, np.newaxis] + 1024
    made = dicom(
        np.broadcast_to(frames, (8, 16, 16)),
        Modality="CT",
        PerFrameFunctionalGroupsSequence=[frame(height) for height in heights_of],
    )
    assert heights(read(zipped({"phases": made}))) == [0, 1, 2, 3]


def test_a_ct_of_many_frames_comes_before_its_localizers(
    read: Read, zipped: Make, ct_slice: Make, dicom: Make
) -> None:
    frames = np.arange(5, dtype=np.int16)[:, np.newaxis, np.newaxis] + 1024
    files = {f"scout{z}": ct_slice(z, ImageType="ORIGINAL\\PRIMARY\\LOCALIZER") for z in range(2)}
    files["all"] = dicom(np.broadcast_to(frames, (5, 16, 16)), Modality="CT")
    study = read(zipped(files))
    assert (heights(study), study.unseen) == ([0, 1, 2, 3, 4], 0)


def test_of_several_series_the_longest_is_kept(read: Read, zipped: Make, ct_slice: Make) -> None:
    files = {f"a{z}": ct_slice(z) for z in range(3)}
    files |= {f"b{z}": ct_slice(z, SeriesInstanceUID="1.9") for z in range(10, 14)}
    study = read(zipped(files))
    assert (heights(study), study.series, study.unseen) == ([10, 11, 12, 13], 2, 0)


@pytest.mark.parametrize("tag", ["StudyInstanceUID", "PatientID", "PatientName"])
def test_two_studies_or_patients_are_refused(
    tag: str, read: Read, zipped: Make, ct_slice: Make
) -> None:
    files = {f"a{z}": ct_slice(z, **{tag: f"1.{z % 2}"}) for z in range(6)}
    assert reason(read, zipped(files)) is RefusalReason.SEVERAL_STUDIES


def test_a_zip_of_one_picture_is_that_picture(read: Read, zipped: Make, picture: Make) -> None:
    study = read(zipped({"a/photo": picture(), "notes.txt": b"words"}))
    assert np.array_equal(study.scans[0].pixels, read(picture()).scans[0].pixels)
    assert study.unseen == 0


def test_a_zip_of_one_x_ray_is_that_x_ray(read: Read, zipped: Make, dicom: Make) -> None:
    assert read(zipped({"x": dicom()})).scans[0].modality is Modality.XRAY


def test_a_report_beside_an_x_ray_is_nothing_unseen(read: Read, zipped: Make, dicom: Make) -> None:
    study = read(zipped({"x": dicom(), "report": dicom(Rows=None, Modality="SR")}))
    assert (len(study.scans), study.unseen) == (1, 0)


def test_other_pictures_beside_an_x_ray_are_counted(
    read: Read, zipped: Make, dicom: Make, picture: Make
) -> None:
    others = {
        "ultrasound": dicom(Modality="US"),
        "belly": dicom(BodyPartExamined="ABDOMEN"),
        "photo.jpg": picture(),
        "iphone.heic": b"\0\0\0\x24ftypheic" + bytes(40),
        "film.jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
        "film.gif": b"GIF89a" + bytes(40),
        "film.jxl": b"\xff\x0a" + bytes(40),
        "film.psd": b"8BPS" + bytes(40),
        "film.pgm": b"P5\n2 2 255\n" + bytes(40),
        "film.jxr": b"II\xbc\x01" + bytes(40),
        "film.nii": bytes(344) + b"n+1\0" + bytes(40),
        "film.jfif": b"what was a JPEG",
    }
    study = read(zipped({"x": dicom(), "notes.txt": b"words"} | others))
    assert study.scans[0].modality is Modality.XRAY
    assert study.unseen == len(others)


def test_a_picture_beside_another_modality_is_that_picture(
    read: Read, zipped: Make, dicom: Make, picture: Make
) -> None:
    study = read(zipped({"mr": dicom(Modality="MR"), "photo.jpg": picture()}))
    assert (study.scans[0].pixels.shape, study.unseen) == ((48, 64), 1)


def test_a_zip_of_another_modality_is_not_a_chest(read: Read, zipped: Make, dicom: Make) -> None:
    files = {"a": dicom(Modality="MR"), "b": dicom(Modality="MR")}
    assert reason(read, zipped(files)) is RefusalReason.NOT_CHEST


def test_two_pictures_are_refused(read: Read, zipped: Make, picture: Make, dicom: Make) -> None:
    two_photos = zipped({"a": picture(), "b": picture()})
    assert reason(read, two_photos) is RefusalReason.SEVERAL_STUDIES
    assert reason(read, zipped({"a": dicom(), "b": dicom()})) is RefusalReason.SEVERAL_STUDIES


@pytest.mark.parametrize("files", [{}, {"a.txt": b"words"}, {"__MACOSX/a": b"\xff\xd8\xff"}])
def test_a_zip_without_a_scan_says_so(files: dict[str, bytes], read: Read, zipped: Make) -> None:
    assert reason(read, zipped(files)) is RefusalReason.NOTHING_INSIDE


def test_a_long_header_is_still_looked_at(read: Read, zipped: Make, ct_slice: Make) -> None:
    files = {str(z): ct_slice(z, ImageComments="x" * 300_000) for z in range(3)}
    assert heights(read(zipped(files))) == [0, 1, 2]


def test_one_broken_slice_does_not_cost_the_series(
    read: Read, zipped: Make, ct_slice: Make
) -> None:
    files = {str(z): ct_slice(z) for z in range(5)} | {"5": ct_slice(5)[:-100]}
    study = read(zipped(files))
    assert (heights(study), study.unseen) == ([0, 1, 2, 3, 4], 1)


def test_an_archive_that_takes_too_long_as_a_whole_is_refused(
    read: Read, zipped: Make, ct_slice: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "SECONDS_PER_STUDY", 0.0)
    data = zipped({f"{z}.dcm": ct_slice(z) for z in range(4)})
    assert reason(read, data) is RefusalReason.TOO_COSTLY


def test_looking_for_lungs_comes_out_of_the_time_of_the_archive(
    read: Read, zipped: Make, ct_slice: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        f"{series}/{z}": ct_slice(z, SeriesInstanceUID=f"1.{series}")
        for series in range(1, 5)
        for z in range(4)
    }
    data, asked = zipped(files), isolated.IsolatedReader._run

    def slow(reader: isolated.IsolatedReader, do: str, task: object) -> tuple[object, float]:
        return asked(reader, do, task)[0], 1.0  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(isolated.IsolatedReader, "_run", slow)
    # One request to look at all headers, one for each series, and one to read the chosen.
    monkeypatch.setattr(isolated, "SECONDS_PER_STUDY", 6.0)
    assert read(data).series == 4
    monkeypatch.setattr(isolated, "SECONDS_PER_STUDY", 5.5)
    assert reason(read, data) is RefusalReason.TOO_COSTLY


def test_a_series_with_mostly_broken_slices_is_refused(
    read: Read, zipped: Make, ct_slice: Make
) -> None:
    files = {str(z): ct_slice(z)[:-100] for z in range(4)} | {"5": ct_slice(5)}
    assert reason(read, zipped(files)) is RefusalReason.BROKEN


@pytest.mark.parametrize("name", ["report.docx", "viewer/weasis.JAR"])
def test_a_report_or_a_viewer_beside_the_slices_costs_nothing(
    name: str, read: Read, zipped: Make, ct_slice: Make
) -> None:
    files = {str(z): ct_slice(z) for z in range(4)} | {name: b"PK\x03\x04" + bytes(100)}
    study = read(zipped(files))
    assert (heights(study), study.unseen) == ([0, 1, 2, 3], 0)


@pytest.mark.parametrize("inner", [b"PK\x03\x04", b"Rar!\x1a\x07\0", b"\x1f\x8b\x08"])
def test_an_archive_inside_is_refused(
    inner: bytes, read: Read, zipped: Make, picture: Make
) -> None:
    data = zipped({"a": picture(), "b": inner + bytes(100)})
    assert reason(read, data) is RefusalReason.NESTED_ARCHIVE


def test_a_locked_zip_is_refused(read: Read, zipped: Make, picture: Make) -> None:
    data = bytearray(zipped({"a": picture()}))
    central = data.rindex(b"PK\x01\x02")
    data[6:8] = data[central + 8 : central + 10] = LOCKED
    assert reason(read, bytes(data)) is RefusalReason.ENCRYPTED_ARCHIVE


def test_the_count_of_entries_is_bounded_before_they_are_listed(zipped: Make) -> None:
    data = zipped({"a": b"a"})
    at = data.rindex(b"PK\x05\x06") + 10
    claims = data[:at] + struct.pack("<H", MAX_ARCHIVE_ENTRIES + 1) + data[at + 2 :]
    with pytest.raises(Refusal) as caught:
        open_zip(BytesIO(claims))
    assert caught.value.reason is RefusalReason.TOO_MANY_FILES


def test_more_entries_than_a_series_has_are_refused(read: Read, zipped: Make) -> None:
    data = zipped({str(i): b"" for i in range(MAX_ARCHIVE_ENTRIES + 1)}, zipfile.ZIP_STORED)
    assert reason(read, data) is RefusalReason.TOO_MANY_FILES


def test_declared_sizes_are_bounded_before_anything_is_inflated(zipped: Make) -> None:
    data = bytearray(zipped({"a": b"a"}))
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", MAX_INFLATED_BYTES + 1)
    with pytest.raises(Refusal) as caught:
        open_zip(BytesIO(data))
    assert caught.value.reason is RefusalReason.TOO_LARGE


def test_an_entry_that_inflates_to_more_than_it_declares_is_cut_off(zipped: Make) -> None:
    data = bytearray(zipped({"a": bytes(10_000_000)}))
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 1000)
    with open_zip(BytesIO(data)) as archive, pytest.raises(Refusal) as caught:
        read_entry(archive, 0)
    assert caught.value.reason is RefusalReason.BROKEN


def test_names_that_climb_out_are_read_and_nothing_is_written(
    read: Read, zipped: Make, ct_slice: Make, tmp_path: Path
) -> None:
    names = ["../../slip", "/tmp/slip", "..\\slip", "C:\\slip"]
    study = read(zipped({name: ct_slice(z) for z, name in enumerate(names)}))
    assert heights(study) == [0, 1, 2, 3]
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]
    assert not Path("/tmp/slip").exists()


def test_listing_reads_by_content_and_not_by_name(zipped: Make, picture: Make) -> None:
    with open_zip(BytesIO(zipped({"a.txt": picture(), "b.jpg": b"words"}))) as archive:
        listing = list_zip(archive)
    assert (listing.members, listing.unreadable) == ((0,), 0)


def test_a_thick_series_of_a_chest_comes_before_a_thin_one_of_a_belly(
    read: Read, zipped: Make, ct_slice: Make, dicom: Make
) -> None:
    body = np.full((64, 64), 1024 + 40, np.int16)
    body[[0, -1]] = body[:, [0, -1]] = 0
    chest, belly = body.copy(), body.copy()
    chest[16:48, 8:28] = chest[16:48, 36:56] = 1024 - 850
    belly[28:36, 28:36] = 1024 - 850

    def series(uid: str, pixels: np.ndarray, heights: range) -> dict[str, bytes]:
        tags = {"Modality": "CT", "SeriesInstanceUID": uid, "PixelSpacing": [5, 5]}
        return {
            f"{uid}/{z * 7 % 101}": dicom(pixels, ImagePositionPatient=[0, 0, z], **tags)
            for z in heights
        }

    study = read(
        zipped(series("1.8", belly, range(0, 90)) | series("1.9", chest, range(0, 90, 10)))
    )
    assert (len(study.scans), study.series) == (9, 2)
    assert study.scans[4].pixels[30, 16] == -850
