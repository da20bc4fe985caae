"""A zip, never trusted: listed, bounded, and read entry by entry; nothing is ever unpacked."""

import re
import struct
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO
from zipfile import ZipFile, ZipInfo

from classifier.reading.detect import HEAD_BYTES, detect, is_archive, is_other_picture
from classifier.reading.limits import (
    MAX_ARCHIVE_ENTRIES,
    MAX_FILE_BYTES,
    MAX_INFLATED_BYTES,
    refusing,
)
from classifier.reading.scan import FileKind
from classifier.refusals import Refusal, RefusalReason

# How what is read is named, if it is named by an ending at all.
PICTURE_SUFFIXES = {".dcm", ".dicom", ".ima"} | {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp",
}  # fmt: skip
_JUNK = {"__MACOSX", "DICOMDIR", "Thumbs.db", "desktop.ini"}
# Reports and viewers on a hospital's disc: zips by their form, and no scans for that.
_ZIPPED_INSIDE = {".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".jar", ".apk"}
_ENCRYPTED = 0x1
# PKWARE APPNOTE 4.3.16: the end record is 22 bytes, and at most a 16-bit comment follows it.
_END_BYTES = 22 + 0xFFFF
_END_SIGNATURE = b"PK\x05\x06"
_IN_ZIP64 = 0xFFFF


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of a zip that are pictures or DICOM files, by number.

    `unreadable` counts archives and pictures of unsupported kinds; `damaged` counts files of no
    known kind whose names look like pictures or like this zip's DICOM files.
    """

    members: tuple[int, ...]
    unreadable: int
    damaged: int


def is_junk(path: PurePosixPath) -> bool:
    """Tell what file managers and disc writers leave beside the files that were meant."""
    return any(part in _JUNK or (part[0] == "." and part != "..") for part in path.parts)


def open_zip(stream: BinaryIO) -> ZipFile:
    """Open a zip whose directory is within the limits; nothing is inflated.

    Raises `Refusal`: TOO_MANY_FILES, TOO_LARGE, ENCRYPTED_ARCHIVE or BROKEN.
    """
    with refusing():
        if _entries_claimed(stream) > MAX_ARCHIVE_ENTRIES:
            raise Refusal(RefusalReason.TOO_MANY_FILES, f"more than {MAX_ARCHIVE_ENTRIES} entries")
        archive = ZipFile(stream)
        _check(archive.infolist())
        return archive


def _entries_claimed(stream: BinaryIO) -> int:
    """Read the entry count, before `ZipFile` believes it; zip64 leaves that to the next check."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END_BYTES))
    tail = stream.read()
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) < at + 12:
        raise Refusal(RefusalReason.BROKEN, "zip without an end record")
    (count,) = struct.unpack_from("<H", tail, at + 10)
    return 0 if count == _IN_ZIP64 else int(count)


def _check(entries: list[ZipInfo]) -> None:
    if len(entries) > MAX_ARCHIVE_ENTRIES:
        raise Refusal(RefusalReason.TOO_MANY_FILES, f"more than {MAX_ARCHIVE_ENTRIES} entries")
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise Refusal(RefusalReason.ENCRYPTED_ARCHIVE)
    if sum(entry.file_size for entry in entries) > MAX_INFLATED_BYTES:
        raise Refusal(RefusalReason.TOO_LARGE, f"more than {MAX_INFLATED_BYTES} bytes inflated")


def list_zip(archive: ZipFile) -> Listing:
    """Find the entries worth reading by their first bytes.

    An archive inside is passed over only beside DICOM files: a disc brings its viewer in one.
    Raises `Refusal`: NESTED_ARCHIVE, NOTHING_INSIDE or BROKEN.
    """
    members, archives, pictures = [], 0, 0
    dicom_names, unknown, broken = set(), [], None
    files = [(i, entry) for i, entry in enumerate(archive.infolist()) if not entry.is_dir()]
    for index, entry in files:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if is_junk(path) or path.suffix.lower() in _ZIPPED_INSIDE:
            continue
        try:
            head = read_entry(archive, index, HEAD_BYTES)
        except Refusal as refusal:
            if refusal.reason is not RefusalReason.BROKEN:
                raise
            head, broken = b"", refusal
        if is_archive(head):
            archives += 1
        elif (kind := detect(head)) is not None:
            members.append(index)
            dicom_names |= {_form(path)} if kind is FileKind.DICOM else set()
        elif is_other_picture(head):
            pictures += 1
        else:
            unknown.append(path)
    if archives and not dicom_names:
        raise Refusal(RefusalReason.NESTED_ARCHIVE)
    if not members:
        raise broken or Refusal(RefusalReason.NOTHING_INSIDE, f"{len(files)} other files")
    damaged = sum(
        path.suffix.lower() in PICTURE_SUFFIXES or _form(path) in dicom_names for path in unknown
    )
    return Listing(tuple(members), archives + pictures, damaged)


def _form(path: PurePosixPath) -> str:
    """Give what names of one kind share: writers number files, or name them by their UIDs."""
    return re.sub(r"[\d.]+", "#", path.name.lower())


def read_entry(archive: ZipFile, index: int, limit: int | None = None) -> bytes:
    """Inflate one entry, or its first `limit` bytes; never more than it declares or is allowed.

    Raises `Refusal`.
    """
    entry = archive.infolist()[index]
    with refusing(), archive.open(entry) as stream:
        if limit is not None:
            return stream.read(limit)
        data = stream.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise Refusal(RefusalReason.TOO_LARGE, f"entry of more than {MAX_FILE_BYTES} bytes")
        return data
