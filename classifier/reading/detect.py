"""What kind of file it is, by content and never by name."""

import struct

from classifier.reading.scan import FileKind

HEAD_BYTES = 512

_DIB_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}
_OTHER_ARCHIVES = (b"\x1f\x8b", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"BZh", b"\xfd7zXZ\x00")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
# GIF, JPEG 2000, JPEG XL, JPEG XR, Photoshop, PGM and PPM, NRRD and OpenEXR.
_OTHER_PICTURES = (
    b"GIF8",
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL ", b"\xff\x0a", b"II\xbc"),
    *(b"8BPS", b"P2\n", b"P5\n", b"P6\n", b"NRRD000", b"\x76\x2f\x31\x01"),
)
# NIfTI-1 in one file or two, at this byte.
_NIFTI, _NIFTI_AT = (b"n+1\0", b"ni1\0"), 344
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def detect(head: bytes) -> FileKind | None:
    """Name the kind of a file from its first `HEAD_BYTES` bytes, None if it is none we read.

    `DICM` at byte 128 wins over everything, because the preamble is the sender's to fill, even with
    a TIFF header or an executable (PS3.10 section 7.1).
    """
    if head[128:132] == b"DICM":
        return FileKind.DICOM
    if head.startswith(b"\xff\xd8\xff"):
        return FileKind.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return FileKind.PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return FileKind.WEBP
    if head.startswith(_TIFF):
        return FileKind.TIFF
    if head.startswith(_ZIP):
        return FileKind.ZIP
    if _is_bmp(head):
        return FileKind.BMP
    return FileKind.DICOM if _is_bare_dicom(head) else None


def is_archive(head: bytes) -> bool:
    """Say whether these first bytes are those of an archive of any usual kind."""
    return head.startswith((*_ZIP, *_OTHER_ARCHIVES)) or head[257:262] == b"ustar"


def is_other_picture(head: bytes) -> bool:
    """Say whether these are the first bytes of a picture of a kind that is not read.

    What iPhones write is HEIF in an ISO base media file.
    """
    is_nifti = head[_NIFTI_AT : _NIFTI_AT + 4] in _NIFTI
    return head.startswith(_OTHER_PICTURES) or head[4:8] == b"ftyp" or is_nifti


def _is_bmp(head: bytes) -> bool:
    if head[:2] != b"BM" or len(head) < 18:
        return False
    (size,) = struct.unpack_from("<I", head, 14)
    return size in _DIB_HEADER_SIZES


def _is_bare_dicom(head: bytes) -> bool:
    """Recognise a data set without preamble: a first element of group 2 or 8, of sane length."""
    if len(head) < 8:
        return False
    return any(_starts_data_set(head, order) for order in "<>")


def _starts_data_set(head: bytes, order: str) -> bool:
    group, element, length = struct.unpack_from(f"{order}HHI", head)
    if group not in (0x0002, 0x0008) or element > 0x0100:
        return False
    vr = head[4:6]
    return length <= 256 or (vr.isalpha() and vr.isupper())
