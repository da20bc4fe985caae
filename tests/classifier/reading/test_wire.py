"""Messages of a child, believed only after they are checked."""

import json
import socket
import struct
import time
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from classifier.labels import Modality
from classifier.reading.archive import Listing
from classifier.reading.limits import MAX_SIDE
from classifier.reading.scan import FileKind, Scan, Tags, Units
from classifier.reading.series import FileLook
from classifier.reading.wire import MAX_HEADER_BYTES, BrokenChild, End, Message, receive, send
from classifier.refusals import Refusal, RefusalReason

TAGS = Tags("key", "1.2", "1.3", 7, (1, 2, 3), (1, 0, 0, 0, 1, 0), 4.5)
PIXELS = np.arange(12, dtype=np.int16).reshape(3, 4) - 1024
SCAN = Scan(PIXELS, Units.HOUNSFIELD, Modality.CT, (0.5, 0.6), TAGS, FileKind.DICOM, 0.25)
PHOTO = Scan(np.arange(12, dtype=np.uint8).reshape(3, 4), Units.GREY, None, None)
XRAY = Scan(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4), Units.GREY, None, None)


def over_the_wire(message: Message) -> Message:
    near, far = socket.socketpair()
    with near, far:
        send(far, message)
        return receive(near, time.monotonic() + 5)


def nonsense(header: Any, body: bytes = b"", size: int | None = None) -> None:
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    near, far = socket.socketpair()
    with near, far:
        far.sendall(struct.pack("<I", len(data) if size is None else size) + data + body)
        far.shutdown(socket.SHUT_WR)
        with pytest.raises(BrokenChild):
            receive(near, time.monotonic() + 5)


def described(**changes: Any) -> dict[str, Any]:
    tags = {"patient_key": None, "study_uid": None, "series_uid": None, "instance_number": None,
            "position": None, "orientation": None, "slice_location": None}  # fmt: skip
    return {
        "type": "scan",
        "pixels": [1, 1],
        "dtype": "float32",
        "units": "grey",
        "modality": None,
        "spacing": None,
        "tags": tags | changes.pop("tags", {}),
        "came_as": "png",
        "chroma": 0,
        "patches": 0,
        "doubts": [],
    } | changes


@pytest.mark.parametrize("scan", [SCAN, PHOTO, XRAY], ids=["hounsfield", "levels", "grey"])
def test_a_scan_arrives_as_it_was_sent(scan: Scan) -> None:
    arrived = over_the_wire(scan)
    assert isinstance(arrived, Scan)
    assert np.array_equal(arrived.pixels, scan.pixels)
    assert arrived.pixels.dtype == scan.pixels.dtype
    assert arrived.pixels.flags.writeable
    for name in {field.name for field in fields(Scan)} - {"pixels"}:
        assert getattr(arrived, name) == getattr(scan, name)


@pytest.mark.parametrize(
    "message", [FileLook(FileKind.DICOM, Modality.CT, TAGS), Listing((3, 4), 2, 1)]
)
def test_a_look_and_a_listing_arrive_as_they_were_sent(message: Message) -> None:
    assert over_the_wire(message) == message


def test_a_refusal_and_an_end_arrive() -> None:
    arrived = over_the_wire(Refusal(RefusalReason.NOT_CHEST, "Modality"))
    assert isinstance(arrived, Refusal)
    assert (arrived.reason, arrived.detail) == (RefusalReason.NOT_CHEST, "Modality")
    assert isinstance(over_the_wire(End()), End)


@pytest.mark.parametrize(
    "changes",
    [
        {"pixels": [50_000, 50_000]},
        {"pixels": [-1, -1]},
        {"pixels": [0, 5]},
        {"pixels": [1]},
        {"pixels": [1.0, 1]},
        {"pixels": [True, 1]},
        {"units": "furlongs"},
        {"dtype": "uint8", "units": "hounsfield"},
        {"dtype": "int16", "units": "grey"},
        {"dtype": "float32", "units": "hounsfield"},
        {"dtype": "float64"},
        {"dtype": ["uint8"]},
        {"came_as": "exe"},
        {"modality": "mr"},
        {"chroma": "high"},
        {"patches": None},
        {"doubts": ["haste"]},
        {"doubts": None},
        {"chroma": float("nan")},
        {"spacing": [1]},
        {"tags": {"position": [1, 2, float("inf")]}},
        {"tags": {"study_uid": "x" * 300}},
        {"tags": {"study_uid": 5}},
        {"tags": {"instance_number": 2**40}},
        {"type": "pickle"},
        {"type": None},
    ],
)
def test_a_scan_that_lies_about_itself_is_not_believed(changes: dict[str, Any]) -> None:
    nonsense(described(**changes), np.float32(0.5).tobytes())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1])
def test_grey_outside_0_to_1_is_not_believed(value: float) -> None:
    nonsense(described(), np.float32(value).tobytes())


def test_a_scan_as_long_as_none_is_not_believed() -> None:
    nonsense(described(pixels=[1, MAX_SIDE + 1]), bytes(4 * (MAX_SIDE + 1)))


def test_a_scan_that_is_cut_off_is_not_believed() -> None:
    nonsense(described(pixels=[2, 2]), bytes(8))


@pytest.mark.parametrize("header", [b"", b"not json", b"[1]", b"[" * 60_000, b"\xff\xfe", {}])
def test_what_is_no_message_is_not_believed(header: Any) -> None:
    nonsense(header)


def test_a_header_too_long_is_not_even_received() -> None:
    nonsense(b"{}", size=MAX_HEADER_BYTES + 1)


def test_a_listing_beyond_the_limit_is_not_believed() -> None:
    nonsense({"type": "listing", "members": list(range(5000)), "unreadable": 0})


def test_silence_ends_at_the_deadline() -> None:
    near, far = socket.socketpair()
    with near, far, pytest.raises(TimeoutError):
        receive(near, time.monotonic() + 0.05)
