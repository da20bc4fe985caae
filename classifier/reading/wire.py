"""What passes between reader and child: lengths, JSON and raw arrays, never pickle.

A decoder that was taken over speaks for the child, so the parent believes nothing it has not
checked: every message is bounded before it is received and every value before it is used.
"""

import json
import math
import socket
import struct
import time
from dataclasses import asdict, fields
from typing import Any, Final

import numpy as np

from classifier.labels import Doubt, Modality
from classifier.reading.archive import Listing
from classifier.reading.limits import MAX_ARCHIVE_ENTRIES, MAX_SIDE, MAX_SLICES, is_too_large
from classifier.reading.scan import FileKind, Scan, Tags, Units
from classifier.reading.series import FileLook
from classifier.refusals import Refusal, RefusalReason

MAX_HEADER_BYTES = 64 * 1024
MAX_TEXT = 256
_LENGTH = struct.Struct("<I")
# How pixels go over the wire, and what they mean.
_PIXELS: Final = {
    "uint8": ("u1", Units.GREY),
    "float32": ("<f4", Units.GREY),
    "int16": ("<i2", Units.HOUNSFIELD),
}


class End:
    """The file, or the entry of a zip, is done."""


Message = Scan | FileLook | Listing | Refusal | End


class BrokenChild(Exception):
    """The child is gone or talks nonsense."""


def send(connection: socket.socket, message: Message) -> None:
    """Send one message from the child."""
    header = json.dumps(_plain(message)).encode()
    connection.sendall(_LENGTH.pack(len(header)) + header)
    if isinstance(message, Scan):
        kind, _ = _PIXELS[message.pixels.dtype.name]
        pixels = np.ascontiguousarray(message.pixels, dtype=kind)
        connection.sendall(pixels.data.cast("B"))


def _plain(message: Message) -> dict[str, Any]:
    match message:
        case Scan():
            described = {f.name: getattr(message, f.name) for f in fields(Scan)}
            described |= {"tags": asdict(message.tags), "pixels": message.pixels.shape}
            described |= {"doubts": sorted(message.doubts)}
            return {"type": "scan", "dtype": message.pixels.dtype.name} | described
        case FileLook():
            return {"type": "look"} | asdict(message)
        case Listing():
            return {"type": "listing"} | asdict(message)
        case Refusal():
            return {"type": "refusal", "reason": message.reason, "detail": message.detail}
        case End():
            return {"type": "end"}


def receive(connection: socket.socket, deadline: float) -> Message:
    """Receive one message in the parent. Raises `BrokenChild`, and `TimeoutError` past deadline."""
    (size,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size, deadline))
    if size > MAX_HEADER_BYTES:
        raise BrokenChild
    header = _exactly(connection, size, deadline)
    try:
        return _message(connection, json.loads(header), deadline)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise BrokenChild from None


def _message(connection: socket.socket, said: dict[str, Any], deadline: float) -> Message:
    match said["type"]:
        case "scan":
            return _scan(connection, said, deadline)
        case "look":
            return _look(said)
        case "listing":
            return _listing(said)
        case "refusal":
            return Refusal(RefusalReason(said["reason"]), _text(said["detail"]) or "")
        case "end":
            return End()
    raise BrokenChild


def _scan(connection: socket.socket, said: dict[str, Any], deadline: float) -> Scan:
    rows, columns = (_whole(part, MAX_SIDE) for part in said["pixels"])
    if not rows * columns or is_too_large(rows, columns):
        raise BrokenChild
    kind, units = _PIXELS[said["dtype"]]
    if units is not Units(said["units"]):
        raise BrokenChild
    pixels = np.empty((rows, columns), dtype=kind)
    _fill(connection, pixels.data.cast("B"), deadline)
    # Written so that NaN fails.
    if pixels.dtype == np.float32 and not (0 <= pixels.min() <= pixels.max() <= 1):
        raise BrokenChild
    return Scan(
        pixels=pixels,
        units=units,
        modality=_modality(said["modality"]),
        spacing=_floats(said["spacing"], 2),
        tags=_tags(said["tags"]),
        came_as=FileKind(said["came_as"]),
        chroma=_float(said["chroma"]),
        patches=_float(said["patches"]),
        doubts=frozenset(map(Doubt, said["doubts"])),
    )


def _look(said: dict[str, Any]) -> FileLook:
    return FileLook(
        FileKind(said["kind"]),
        _modality(said["modality"]),
        _tags(said["tags"]),
        frames=_whole(said["frames"], MAX_SLICES + 1),
        grid=_text(said["grid"]),
        common=_text(said["common"]),
        excluded_by=_text(said["excluded_by"]),
    )


def _listing(said: dict[str, Any]) -> Listing:
    if len(said["members"]) > MAX_ARCHIVE_ENTRIES:
        raise BrokenChild
    members = tuple(_whole(member, MAX_ARCHIVE_ENTRIES) for member in said["members"])
    unreadable, damaged = (
        _whole(said[each], MAX_ARCHIVE_ENTRIES) for each in ("unreadable", "damaged")
    )
    return Listing(members, unreadable, damaged)


def _tags(said: dict[str, Any]) -> Tags:
    number = said["instance_number"]
    location = said["slice_location"]
    return Tags(
        **{name: _text(said[name]) for name in _TEXT_TAGS},
        instance_number=None if number is None else _whole(number, 2**31, -(2**31)),
        position=_floats(said["position"], 3),
        orientation=_floats(said["orientation"], 6),
        slice_location=None if location is None else _float(location),
    )


_TEXT_TAGS = ("patient_key", "study_uid", "series_uid")


def _modality(said: Any) -> Modality | None:
    return None if said is None else Modality(said)


def _text(said: Any) -> str | None:
    if said is not None and (not isinstance(said, str) or len(said) > MAX_TEXT):
        raise BrokenChild
    return said


def _whole(said: Any, most: int, least: int = 0) -> int:
    if type(said) is not int or not least <= said <= most:
        raise BrokenChild
    return said


def _float(said: Any) -> float:
    if type(said) not in (int, float) or not math.isfinite(said):
        raise BrokenChild
    return float(said)


def _floats(said: Any, count: int) -> Any:
    if said is None:
        return None
    if not isinstance(said, list) or len(said) != count:
        raise BrokenChild
    return tuple(_float(part) for part in said)


def _exactly(connection: socket.socket, size: int, deadline: float) -> bytes:
    buffer = bytearray(size)
    _fill(connection, memoryview(buffer), deadline)
    return bytes(buffer)


def _fill(connection: socket.socket, view: memoryview, deadline: float) -> None:
    while view:
        connection.settimeout(max(deadline - time.monotonic(), 1e-3))
        try:
            count = connection.recv_into(view)
        except TimeoutError:
            raise
        except OSError:
            raise BrokenChild from None
        if count == 0:
            raise BrokenChild
        view = view[count:]
