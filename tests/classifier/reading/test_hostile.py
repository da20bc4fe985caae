"""Files made to do harm: refused in time, and the reader reads on.

`refuse` holds each to its limits: the reason, the seconds, the memory of this process, and that an
innocent file is read afterwards.
"""

import struct
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from classifier.labels import Modality
from classifier.reading import child
from classifier.reading.isolated import IsolatedReader
from classifier.reading.limits import MIB, seconds_for
from classifier.reading.scan import FileKind, Study
from classifier.refusals import Refusal, RefusalReason

Make = Callable[..., bytes]
MakeSet = Callable[..., Dataset]
Refuse = Callable[..., Refusal]
COSTLY = (RefusalReason.TOO_LARGE, RefusalReason.TOO_COSTLY)


def zeros(count: int, head: bytes, bits: int) -> bytes:
    """Compress a head and so many MiB of zeros."""
    packer = zlib.compressobj(1, zlib.DEFLATED, bits)
    block = bytes(1024 * 1024)
    return b"".join(
        [packer.compress(head), *(packer.compress(block) for _ in range(count)), packer.flush()]
    )


def rle_frame(segments: list[bytes]) -> bytes:
    offsets, at = [], 64
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    header = struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(segments)))
    return header + b"".join(segments)


def test_a_deflate_bomb_is_refused(refuse: Refuse, dicom: Make) -> None:
    data = dicom(syntax=DeflatedExplicitVRLittleEndian)
    meta = data[: 144 + struct.unpack_from("<I", data, 140)[0]]
    refuse(meta + zeros(600, struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 2**31), -15), *COSTLY)


@pytest.mark.parametrize("frames", [2, 500, 100_000, 2_000_000_000])
def test_rle_that_lies_about_its_frames_is_refused(
    frames: int, refuse: Refuse, dataset: MakeSet, written: Make
) -> None:
    made = dataset(np.zeros((512, 512), np.int16), Modality="CT")
    made.compress(RLELossless)
    made.NumberOfFrames = frames
    refuse(written(made), RefusalReason.BROKEN, *COSTLY)


@pytest.mark.parametrize(("rows", "columns"), [(65535, 65535), (5000, 5000), (0, 24), (65535, 24)])
def test_false_rows_and_columns_are_refused(
    rows: int, columns: int, refuse: Refuse, dicom: Make
) -> None:
    refuse(dicom(Rows=rows, Columns=columns), RefusalReason.BROKEN, *COSTLY)


@pytest.mark.parametrize(("rows", "columns"), [(65535, 700), (7000, 7000)])
def test_false_rows_in_front_of_rle_are_refused(
    rows: int, columns: int, refuse: Refuse, dataset: MakeSet, written: Make
) -> None:
    made = dataset()
    made.compress(RLELossless)
    made.Rows, made.Columns = rows, columns
    refuse(written(made), RefusalReason.BROKEN, *COSTLY)


def test_two_thousand_nested_sequences_are_refused(refuse: Refuse, dicom: Make) -> None:
    sequence = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    data = dicom()
    start = 144 + struct.unpack_from("<I", data, 140)[0]
    nested = data[:start] + (sequence + item) * 2000
    refuse(nested, RefusalReason.TOO_COSTLY, RefusalReason.BROKEN, RefusalReason.NO_PIXELS)


def test_nested_sequences_of_known_length_are_refused_or_read(
    read: Callable[..., Study], dataset: MakeSet, written: Make
) -> None:
    made = dataset()
    inner = Dataset()
    for _ in range(60):
        outer = Dataset()
        outer.ReferencedImageSequence = Sequence([inner])
        inner = outer
    made.ReferencedImageSequence = Sequence([inner])
    assert read(written(made)).scans


def test_a_decoder_that_panics_costs_one_file_and_no_child(
    refuse: Refuse, reader: IsolatedReader, dataset: MakeSet, written: Make
) -> None:
    # A segment one byte too long makes the RLE decoder, written in Rust, index past its end.
    made = dataset(np.zeros((2, 2), np.uint16))
    made.compress(RLELossless)
    made.PixelData = encapsulate([rle_frame([b"\x0b" + bytes(12), b"\x03" + bytes(4)])])
    before = set(reader.pids)
    caught = refuse(written(made), RefusalReason.BROKEN)
    assert caught.detail == "PanicException"
    assert set(reader.pids) == before


def test_a_png_bomb_is_refused(refuse: Refuse, picture: Make) -> None:
    refuse(picture(Image.new("1", (30_000, 30_000)), "PNG"), RefusalReason.TOO_LARGE)


def test_a_picture_as_long_as_none_costs_the_parent_nothing(refuse: Refuse, dicom: Make) -> None:
    refuse(dicom(np.zeros((2, 20_002), np.uint16)), RefusalReason.TOO_LARGE)


def test_a_png_whose_data_is_a_bomb_is_inflated_no_further_than_its_header_says(
    read: Callable[..., Study], picture: Make
) -> None:
    bomb = zeros(300, b"\0", 15)
    chunk = b"IDAT" + bomb
    whole = struct.pack(">I", len(bomb)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = picture(np.zeros((100, 100), np.uint8), "PNG")
    at = data.index(b"IDAT") - 4
    start = time.monotonic()
    # Were it unpacked, its two seconds would be up.
    assert read(data[:at] + whole * 10).scans[0].pixels.shape == (100, 100)
    assert time.monotonic() - start < 2


def test_a_picture_that_needs_more_memory_than_there_is_is_refused(
    refuse: Refuse, reader: IsolatedReader, dicom: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So large a file has more time.
    monkeypatch.setattr(child, "SECONDS_PER_FILE", 60.0)
    before = set(reader.pids)
    huge = dicom(np.zeros((7000, 7000, 3), np.uint8))
    caught = refuse(huge, RefusalReason.TOO_COSTLY)
    assert "MemoryError" in caught.detail
    assert set(reader.pids) != before


def test_a_jpeg_larger_than_its_dicom_header_says_is_refused(
    refuse: Refuse, dataset: MakeSet, written: Make, picture: Make
) -> None:
    jpeg = bytearray(picture(np.zeros((64, 64), np.uint8)))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65000, 65000)
    made = dataset(np.zeros((64, 64), np.uint8))
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.PixelData = encapsulate([bytes(jpeg)])
    made["PixelData"].is_undefined_length = True
    refuse(written(made), RefusalReason.BROKEN, *COSTLY)


def test_a_zip_bomb_of_no_use_is_never_inflated(refuse: Refuse, zipped: Make) -> None:
    refuse(zipped({f"{i}": bytes(200_000_000) for i in range(2)}), RefusalReason.NOTHING_INSIDE)


def test_a_zip_bomb_that_begins_like_a_scan_is_refused(
    refuse: Refuse, zipped: Make, dicom: Make
) -> None:
    refuse(zipped({"a": dicom() + bytes(400_000_000)}), *COSTLY)


def test_a_bitmap_that_begins_like_a_zip_is_refused(refuse: Refuse) -> None:
    refuse(b"PK\x03\x04" + bytes(1000), RefusalReason.BROKEN)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "DICOM", "ZIP"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_refused(
    kind: str, part: float, refuse: Refuse, picture: Make, dicom: Make, zipped: Make
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8)
    match kind:
        case "DICOM":
            data = dicom(noise)
        case "ZIP":
            data = zipped({"a": picture(noise)})
        case _:
            data = picture(noise, kind)
    reasons = (RefusalReason.BROKEN, RefusalReason.NO_PIXELS, RefusalReason.UNKNOWN_TYPE)
    refuse(data[: int(len(data) * part)], *reasons)


def test_an_empty_file_is_refused(refuse: Refuse) -> None:
    refuse(b"", RefusalReason.EMPTY)


def test_a_jpeg_called_dcm_is_read_as_a_jpeg(read: Callable[..., Study], picture: Make) -> None:
    assert read(picture(), "scan.dcm").scans[0].came_as is FileKind.JPEG


@pytest.mark.parametrize("magic", [b"MZ", b"\x7fELF", b"#!/bin/sh\n", b"PK\x03\x04"])
def test_dicom_with_an_executable_preamble_is_dicom_and_nothing_else(
    magic: bytes, read: Callable[..., Study], dicom: Make
) -> None:
    scan = read(magic.ljust(128, b"\x90") + dicom()[128:]).scans[0]
    assert (scan.came_as, scan.modality) == (FileKind.DICOM, Modality.XRAY)


def test_a_large_file_may_take_longer_but_not_for_ever() -> None:
    assert seconds_for(0) == 2
    assert seconds_for(12 * MIB) == 5
    assert seconds_for(300 * MIB) == 6
