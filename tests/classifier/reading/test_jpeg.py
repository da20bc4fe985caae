"""JPEG Lossless and JPEG Extended inside DICOM: every depth, colours, frames that lie."""

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

from classifier.reading.scan import Study
from classifier.refusals import Refusal, RefusalReason

Make = Callable[..., bytes]
MakeSet = Callable[..., Dataset]
Read = Callable[..., Study]
Refuse = Callable[..., Refusal]

SIDE = 64


@pytest.fixture(scope="session")
def compressed(dataset: MakeSet, written: Make) -> Make:
    """Make a DICOM file around a JPEG frame; attributes by keyword."""

    def make(frame: bytes, like: np.ndarray, syntax: str = JPEGLossless, **changes: Any) -> bytes:
        made = dataset(like, **changes)
        made.file_meta.TransferSyntaxUID = syntax
        made.PixelData = encapsulate([frame])
        made["PixelData"].VR = "OB"
        return written(made)

    return make


def ramp(bits: int, kind: type[np.unsignedinteger[Any]]) -> np.ndarray:
    return np.linspace(0, 2**bits - 1, SIDE * SIDE).astype(kind).reshape(SIDE, SIDE)


def lossless(pixels: np.ndarray, bits: int) -> bytes:
    frame: bytes = imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits)
    return frame


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
@pytest.mark.parametrize(("bits", "kind"), [(8, np.uint8), (12, np.uint16), (16, np.uint16)])
def test_lossless_gives_what_no_compression_gives(
    syntax: str, bits: int, kind: type, compressed: Make, dicom: Make, read: Read
) -> None:
    pixels = ramp(bits, kind)
    stored = {"BitsStored": bits, "HighBit": bits - 1}
    found = read(compressed(lossless(pixels, bits), pixels, syntax, **stored)).scans[0].pixels
    assert np.array_equal(found, read(dicom(pixels, **stored)).scans[0].pixels)


def test_eight_bits_in_sixteen_are_read(compressed: Make, dicom: Make, read: Read) -> None:
    pixels = ramp(8, np.uint8)
    stored = {"BitsAllocated": 16, "BitsStored": 8, "HighBit": 7}
    found = read(compressed(lossless(pixels, 8), pixels, **stored)).scans[0].pixels
    assert np.array_equal(found, read(dicom(pixels)).scans[0].pixels)


def test_negative_ct_numbers_stay_negative(compressed: Make, read: Read) -> None:
    numbers = np.linspace(-1000, 1000, SIDE * SIDE).astype(np.int16).reshape(SIDE, SIDE)
    frame = lossless(numbers.view(np.uint16), 16)
    about = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": 0}
    assert np.array_equal(read(compressed(frame, numbers, **about)).scans[0].pixels, numbers)


def test_twelve_bits_of_extended_are_read(compressed: Make, dicom: Make, read: Read) -> None:
    pixels = ramp(12, np.uint16)
    frame = imagecodecs.jpeg8_encode(pixels, level=98, bitspersample=12)
    stored = {"BitsStored": 12, "HighBit": 11}
    found = read(compressed(frame, pixels, JPEGExtended12Bit, **stored)).scans[0].pixels
    expected = read(dicom(pixels, **stored)).scans[0].pixels
    assert np.abs(found.astype(float) - expected).max() < 0.01 * np.ptp(expected)


def test_colours_are_read_as_they_are_stored(compressed: Make, dicom: Make, read: Read) -> None:
    grey = ramp(8, np.uint8)
    colours = np.stack([grey, grey[::-1], grey.T], axis=-1)
    found = read(compressed(lossless(colours, 8), colours)).scans[0].pixels
    assert np.array_equal(found, read(dicom(colours)).scans[0].pixels)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_a_frame_that_was_cut_off_is_refused(part: float, compressed: Make, refuse: Refuse) -> None:
    pixels = np.random.default_rng(1).integers(0, 2**12, (SIDE, SIDE), np.uint16)
    frame = lossless(pixels, 12)
    refuse(compressed(frame[: int(len(frame) * part)], pixels), RefusalReason.BROKEN)


@pytest.mark.parametrize("side", [SIDE // 2, 2 * SIDE, 65_500])
def test_a_frame_of_another_size_than_the_header_says_is_refused(
    side: int, compressed: Make, refuse: Refuse
) -> None:
    pixels = ramp(12, np.uint16)
    frame = lossless(pixels, 12)
    size = frame.index(b"\xff\xc3") + 5
    lying = frame[:size] + 2 * side.to_bytes(2) + frame[size + 4 :]
    refuse(compressed(lying, pixels), RefusalReason.BROKEN, RefusalReason.TOO_COSTLY)
