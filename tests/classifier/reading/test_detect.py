"""Kinds by content."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from classifier.reading.detect import HEAD_BYTES, detect, is_archive
from classifier.reading.scan import FileKind


@pytest.mark.parametrize("kind", [k for k in FileKind if k not in (FileKind.DICOM, FileKind.ZIP)])
def test_a_picture_is_known_by_its_content(kind: FileKind, picture: Callable[..., bytes]) -> None:
    assert detect(picture(kind=kind.upper())[:HEAD_BYTES]) is kind


def test_a_zip_is_known_even_when_empty(zipped: Callable[..., bytes]) -> None:
    assert detect(zipped({})) is FileKind.ZIP
    assert detect(zipped({"a": b"a"})) is FileKind.ZIP


@pytest.mark.parametrize("preamble", [b"\0" * 128, b"MZ".ljust(128, b"\x90"), b"II*\0".ljust(128)])
def test_dicom_wins_whatever_its_preamble_is(preamble: bytes, dicom: Callable[..., bytes]) -> None:
    assert detect(preamble + dicom()[128:HEAD_BYTES]) is FileKind.DICOM


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_dicom_without_a_preamble_is_known(
    syntax: str, dataset: Callable[..., Dataset], written: Callable[..., bytes]
) -> None:
    made = dataset(syntax=syntax)
    del made.file_meta
    bare: dict[str, Any] = {
        "implicit_vr": syntax == ImplicitVRLittleEndian,
        "little_endian": syntax != ExplicitVRBigEndian,
        "enforce_file_format": False,
    }
    assert detect(written(made, **bare)[:HEAD_BYTES]) is FileKind.DICOM


@pytest.mark.parametrize(
    "head", [b"", b"B", b"BM", b"BMW and other words in a text", b"MZ" * 100, b"\x08\0", b"{}" * 9]
)
def test_other_content_is_none(head: bytes) -> None:
    assert detect(head) is None


def test_noise_is_hardly_ever_taken_for_a_file() -> None:
    noise = np.random.default_rng(1)
    kinds = [detect(noise.bytes(HEAD_BYTES)) for _ in range(2000)]
    assert kinds.count(None) >= 1998


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"Rar!\x1a\x07\0", b"\x1f\x8b\x08", b"BZh9"])
def test_archives_of_other_kinds_are_known(head: bytes) -> None:
    assert is_archive(head)
