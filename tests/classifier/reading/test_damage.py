"""Which JPEGs are told as damaged."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from classifier.labels import Doubt
from classifier.reading.damage import is_damaged
from classifier.reading.picture import read_picture

from .conftest import one

FILM = np.clip(
    np.add.outer(np.linspace(0, 120, 160), np.linspace(0, 130, 200))
    + np.random.default_rng(0).normal(0, 8, (160, 200)),
    0,
    255,
).astype(np.uint8)
END = b"\xff\xd9"


def jpeg(mode: str = "L", **options: object) -> bytes:
    buffer = BytesIO()
    Image.fromarray(FILM).convert("RGB").convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def cut_and_closed(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3] + END


def hole(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(512) + data[middle + 512 :]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_whole_one_is_not(mode: str, options: dict[str, object]) -> None:
    assert not is_damaged(jpeg(mode, **options))
    assert not is_damaged(jpeg(mode, **options) + b"what a phone adds" + bytes(100))


@pytest.mark.parametrize("damage", [cut_and_closed, hole])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_one_that_lacks_a_part_is(
    damage: Callable[[bytes], bytes], options: dict[str, object]
) -> None:
    damaged = damage(jpeg(**options))
    assert is_damaged(damaged)
    assert read_picture(damaged).doubts == {Doubt.DAMAGED}


@pytest.mark.parametrize("damage", [cut_and_closed, hole])
@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGExtended12Bit])
def test_one_inside_a_dicom_file_is_told(
    damage: Callable[[bytes], bytes],
    syntax: str,
    dataset: Callable[..., Dataset],
    written: Callable[..., bytes],
) -> None:
    def inside(frame: bytes) -> bytes:
        made = dataset(FILM, syntax)
        made.PixelData = encapsulate([frame])
        made["PixelData"].VR = "OB"
        return written(made)

    assert not one(inside(jpeg())).doubts
    assert one(inside(damage(jpeg()))).doubts == {Doubt.DAMAGED}


def test_a_whole_picture_is_read_as_whole(picture: Callable[..., bytes]) -> None:
    assert not read_picture(jpeg()).doubts
    assert not read_picture(picture(FILM, "PNG")).doubts


def test_no_real_one_is(shared: Path) -> None:
    files = sorted((shared / "xray" / "original-size").rglob("*.jpeg"))
    assert files
    assert not [file for file in files if is_damaged(file.read_bytes())]
