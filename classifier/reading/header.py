"""A DICOM header: parsed within limits, and the few attributes that leave it."""

import hashlib
import math
import re
import secrets
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any, BinaryIO

from pydicom import config, dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from classifier.labels import Modality
from classifier.reading.limits import MAX_FILE_BYTES, MAX_SLICES
from classifier.reading.scan import FileKind, Tags
from classifier.reading.series import LOCALIZER, FileLook
from classifier.refusals import Refusal, RefusalReason

# Real files break value rules all the time; what is used here is checked where it is used.
config.settings.reading_validation_mode = config.IGNORE

# Without a salt shared by a reader's children, a short number could be found again by trying all.
OWN_SALT = secrets.token_bytes(16)

_XRAY = {"CR", "DX", "DR", "RG"}
# Without a modality, and of other or captured pictures, the pixels tell.
_KNOWN = _XRAY | {"CT", "OT", "SC", ""}
_MODALITY_OF_CLASS: dict[str, Modality] = {
    ComputedRadiographyImageStorage: Modality.XRAY,
    DigitalXRayImageStorageForPresentation: Modality.XRAY,
    DigitalXRayImageStorageForProcessing: Modality.XRAY,
    CTImageStorage: Modality.CT,
    EnhancedCTImageStorage: Modality.CT,
    LegacyConvertedEnhancedCTImageStorage: Modality.CT,
}
_CAPTURES = {
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
}
# Only what surely is another part: the attribute is often wrong, and the pixels are judged later.
_OTHER_PARTS = {
    "ABDOMEN", "ANKLE", "ARM", "BRAIN", "BREAST", "CALCANEUS", "CSPINE", "CERVICALSPINE", "ELBOW",
    "EXTREMITY", "FEMUR", "FINGER", "FOOT", "FOREARM", "HAND", "HEAD", "HIP", "HUMERUS", "JAW",
    "KNEE", "LEG", "LSPINE", "LUMBARSPINE", "MANDIBLE", "PATELLA", "PELVIS", "SHOULDER", "SKULL",
    "TIBIA", "TOE", "WRIST",
}  # fmt: skip

# PS3.3 C.8.11.5.1.1 and C.8.1.3.1.1: left and right lateral, and what makers write for it.
_FROM_THE_SIDE = {"LL", "RL", "LAT", "LATERAL", "LLAT", "RLAT"}
# PS3.16 CID 4010: lateral, left and right lateral, sagittal.
_LATERAL_VIEWS = {"399067008", "399173006", "399198007", "30730003"}


def parse(source: bytes | BinaryIO, *, pixels: bool = True) -> Dataset:
    """Parse a DICOM file, with its pixel data or up to it; deflated ones inflate within a limit."""
    stream = BytesIO(source) if isinstance(source, bytes) else source
    start = stream.tell()
    read_preamble(stream, force=True)
    meta = read_dataset(stream, False, True, stop_when=_after_group_2)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        return _parse_deflated(stream, meta)
    stream.seek(start)
    dataset = dcmread(stream, force=True, stop_before_pixels=not pixels)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = _guessed_syntax(dataset)
    return dataset


def _after_group_2(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 2


def _parse_deflated(stream: BinaryIO, meta: Dataset) -> Dataset:
    """Inflate the data set (PS3.5 A.5) here, because pydicom inflates without bound."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = inflater.decompress(stream.read(), MAX_FILE_BYTES)
    if inflater.unconsumed_tail:
        raise Refusal(RefusalReason.TOO_LARGE, "deflated data set")
    dataset = read_dataset(BytesIO(body), False, True)
    dataset.file_meta = FileMetaDataset(meta)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _guessed_syntax(dataset: Dataset) -> UID:
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def look(dataset: Dataset, salt: bytes = OWN_SALT) -> FileLook:
    """Tell what a header says of the picture that follows it.

    It shows no chest from the front if it is of another modality (PS3.3 C.7.3.1.1.1) or another
    body part (PS3.16 annex L), a localizer (PS3.3 C.8.2.1.1.1) or seen from the side. It has no
    frames if it should be a picture and its header was cut off. Raises `Refusal`: NO_PIXELS for a
    report.
    """
    is_cut = "Rows" not in dataset or "Columns" not in dataset
    if is_cut and _is_report(dataset):
        raise Refusal(RefusalReason.NO_PIXELS, "Rows, Columns")
    claimed = min(max(1, whole(dataset, "NumberOfFrames") or 1), MAX_SLICES + 1)
    return FileLook(
        FileKind.DICOM,
        _modality(dataset),
        _tags(dataset, salt),
        frames=0 if is_cut else claimed,
        grid=_grid(dataset),
        common=_common(dataset, salt),
        excluded_by=_excluded_by(dataset),
    )


def _excluded_by(dataset: Dataset) -> str | None:
    """Name the attribute that says that this is no chest from the front."""
    part = (text(dataset, "BodyPartExamined") or "").upper().replace(" ", "")
    if _said_modality(dataset) not in _KNOWN:
        return "Modality"
    # Series of chest and belly are tagged so, too: there the slices tell.
    if part in _OTHER_PARTS and not (part == "ABDOMEN" and _modality(dataset) is Modality.CT):
        return "BodyPartExamined"
    if "LOCALIZER" in (text(dataset, "ImageType") or "").upper():
        return LOCALIZER
    return None if _modality(dataset) is Modality.CT else _from_the_side(dataset)


def _from_the_side(dataset: Dataset) -> str | None:
    """Name the attribute that says that an X-ray was taken from the side.

    Along its rows a frontal one goes from left to right, and a lateral one from front to back or
    back to front (PS3.3 C.7.6.1.1.1).
    """
    if (text(dataset, "ViewPosition") or "").upper() in _FROM_THE_SIDE:
        return "ViewPosition"
    views = value(dataset, "ViewCodeSequence") or ()
    if any(text(view, "CodeValue") in _LATERAL_VIEWS for view in views):
        return "ViewCodeSequence"
    along_rows = (text(dataset, "PatientOrientation") or "").upper().split("\\")[0]
    # These two some writers put for how the rays went.
    is_lateral = along_rows.startswith(("A", "P")) and along_rows not in ("AP", "PA")
    return "PatientOrientation" if is_lateral else None


def stored_as(dataset: Dataset) -> str | None:
    """Get the class of what is stored (PS3.4 B.5), which careless writers put in one place only."""
    meta = getattr(dataset, "file_meta", Dataset())
    return text(dataset, "SOPClassUID") or text(meta, "MediaStorageSOPClassUID")


def _is_report(dataset: Dataset) -> bool:
    """Tell what never had a picture that is read here, by its modality or class (PS3.4 B.5)."""
    known = {None, *_MODALITY_OF_CLASS, *_CAPTURES}
    return stored_as(dataset) not in known or _said_modality(dataset) not in _KNOWN


def _grid(dataset: Dataset) -> str:
    """Tell how many pixels there are, and how far apart."""
    sides = (whole(dataset, each) or 0 for each in ("Rows", "Columns"))
    return " ".join(f"{each:.4g}" for each in (*sides, *numbers(dataset, "PixelSpacing")[:2]))


def _common(dataset: Dataset, salt: bytes) -> str:
    """Hash what is one and the same for a series (PS3.3 C.7.4.1, C.7.2.1), whoever its patient."""
    said = (text(dataset, each) or "" for each in ("FrameOfReferenceUID", "AccessionNumber"))
    return _hash("|".join((*said, _date(dataset, "StudyDate"), _sex(dataset))), salt)


def _date(dataset: Dataset, keyword: str) -> str:
    """Get the digits of a date, which older writers set apart by dots."""
    return re.sub(r"\D", "", text(dataset, keyword) or "")


def _sex(dataset: Dataset) -> str:
    sex = (text(dataset, "PatientSex") or "").upper()
    return sex if sex in ("F", "M") else ""


def _hash(said: str, salt: bytes) -> str:
    return hashlib.blake2b(said.encode(), key=salt, digest_size=16).hexdigest()


def _modality(dataset: Dataset) -> Modality | None:
    said = _said_modality(dataset)
    if said == "":
        return _MODALITY_OF_CLASS.get(text(dataset, "SOPClassUID") or "")
    return Modality.XRAY if said in _XRAY else Modality.CT if said == "CT" else None


def _said_modality(dataset: Dataset) -> str:
    return (text(dataset, "Modality") or "").upper()


def _tags(dataset: Dataset, salt: bytes) -> Tags:
    return Tags(
        patient_key=_patient_key(dataset, salt),
        study_uid=text(dataset, "StudyInstanceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        instance_number=_whole_of_32_bits(dataset, "InstanceNumber"),
        position=triple(dataset, "ImagePositionPatient"),
        orientation=sextuple(dataset, "ImageOrientationPatient"),
        slice_location=number(dataset, "SliceLocation"),
    )


def _patient_key(dataset: Dataset, salt: bytes) -> str | None:
    """Hash who it is, by parts: careless anonymisers give one PatientID to several people.

    Case, and how the parts of a name are set apart, tell nobody apart; a name in another script is
    a part of its own, which may be missing (PS3.5 6.2.1). The sex alone is nobody.
    """
    number, name = (text(dataset, each) or "" for each in ("PatientID", "PatientName"))
    scripts = [*name.split("="), "", ""][:3]
    said = (number, *scripts, _date(dataset, "PatientBirthDate"))
    who = [" ".join(re.split(r"[\s^,]+", each.casefold())).strip() for each in said]
    if not any(who):
        return None
    who.append(_sex(dataset))
    return "|".join(part and _hash(part, salt) for part in who)


def value(dataset: Dataset, keyword: str) -> Any:
    """Get a value, None when it is missing, empty or cannot be parsed."""
    try:
        found = dataset.get(keyword)
    except Exception:
        return None
    return None if found is None or (isinstance(found, Sequence) and len(found) == 0) else found


def text(dataset: Dataset, keyword: str) -> str | None:
    """Get a value as at most 128 characters, several values joined by a backslash."""
    found = value(dataset, keyword)
    if found is None:
        return None
    several = not isinstance(found, str) and isinstance(found, Sequence)
    words = "\\".join(str(part) for part in found) if several else str(found)
    return words.strip(" \0")[:128] or None


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Get the values as finite floats, none at all if one of them is not."""
    found = value(dataset, keyword)
    if found is None:
        return ()
    several = not isinstance(found, str) and isinstance(found, Sequence)
    try:
        parsed = tuple(float(part) for part in (found if several else (found,)))
    except (TypeError, ValueError, OverflowError):
        return ()
    return parsed if all(math.isfinite(part) for part in parsed) else ()


def number(dataset: Dataset, keyword: str) -> float | None:
    """Get the first value as a finite float."""
    return next(iter(numbers(dataset, keyword)), None)


def whole(dataset: Dataset, keyword: str) -> int | None:
    """Get the first value as an integer."""
    found = number(dataset, keyword)
    return None if found is None else int(found)


def _whole_of_32_bits(dataset: Dataset, keyword: str) -> int | None:
    """Get what PS3.5 6.2 allows an integer string to be: some writers put a time there."""
    found = whole(dataset, keyword)
    return found if found is not None and -(2**31) <= found < 2**31 else None


def triple(dataset: Dataset, keyword: str) -> tuple[float, float, float] | None:
    """Get exactly three finite floats."""
    found = numbers(dataset, keyword)
    return (found[0], found[1], found[2]) if len(found) == 3 else None


def sextuple(
    dataset: Dataset, keyword: str
) -> tuple[float, float, float, float, float, float] | None:
    """Get exactly six finite floats."""
    found = numbers(dataset, keyword)
    if len(found) != 6:
        return None
    return (found[0], found[1], found[2], found[3], found[4], found[5])
