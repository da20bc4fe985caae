"""Why a file gets no class estimate, as types, and what the sender can do instead."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """One reason for each way a file can fall outside what is read; the value is a message key."""

    EMPTY = "empty"
    UNKNOWN_TYPE = "unknown_type"
    BROKEN = "broken"
    TOO_LARGE = "too_large"
    TOO_COSTLY = "too_costly"
    UNSUPPORTED_SYNTAX = "unsupported_syntax"
    NO_PIXELS = "no_pixels"
    NOT_CHEST = "not_chest"
    ENCRYPTED_ARCHIVE = "encrypted_archive"
    NESTED_ARCHIVE = "nested_archive"
    TOO_MANY_FILES = "too_many_files"
    NOTHING_INSIDE = "nothing_inside"
    SEVERAL_STUDIES = "several_studies"
    NO_CT_MODEL = "no_ct_model"


SENTENCES: dict[RefusalReason, str] = {
    RefusalReason.EMPTY: "The file is empty. Please send it again.",
    RefusalReason.UNKNOWN_TYPE: (
        "This is not a picture we can read. Please send a JPEG, PNG, WebP, TIFF or BMP picture, "
        "a DICOM file, or a zip of one CT series."
    ),
    RefusalReason.BROKEN: (
        "The file is damaged or incomplete. "
        "Please export or download it again and send the new copy."
    ),
    RefusalReason.TOO_LARGE: (
        "The picture is larger than any chest scan we read. Please export it at its normal size."
    ),
    RefusalReason.TOO_COSTLY: (
        "The file took too long or too much memory to open, so we stopped. "
        "Please export it again, without compression if you can choose."
    ),
    RefusalReason.UNSUPPORTED_SYNTAX: (
        "This DICOM file is compressed in a way that is retired or that we do not read. "
        "Please export it uncompressed or as JPEG 2000, JPEG-LS or RLE; the hospital's imaging "
        "department can do this."
    ),
    RefusalReason.NO_PIXELS: (
        "This DICOM file holds no picture. Please send the image files of the study."
    ),
    RefusalReason.NOT_CHEST: (
        "This does not look like a frontal chest X-ray or a chest CT; a view from the side is not "
        "read. If it is a frontal one or a CT, please send the original file from the hospital, or "
        "photograph the film straight on so that it fills the picture."
    ),
    RefusalReason.ENCRYPTED_ARCHIVE: (
        "The zip is locked with a password. Please send it again without one."
    ),
    RefusalReason.NESTED_ARCHIVE: (
        "There is an archive inside the zip. Please unpack it and zip the DICOM files themselves."
    ),
    RefusalReason.TOO_MANY_FILES: (
        "The zip holds more files than one CT series has. Please send one series at a time."
    ),
    RefusalReason.NOTHING_INSIDE: (
        "There is no scan inside. Please send the picture itself, or a zip with the DICOM files."
    ),
    RefusalReason.SEVERAL_STUDIES: (
        "There is more than one picture or study inside. Please send one at a time."
    ),
    RefusalReason.NO_CT_MODEL: (
        "This is a CT. We can show it, but no CT model is installed, so we give no estimate. "
        "Please ask a doctor."
    ),
}


class Refusal(Exception):
    """A file that gets no class estimate.

    `detail` names the tag or limit for whoever runs the program; it never holds a patient's data.
    """

    def __init__(self, reason: RefusalReason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)
