"""Reasons in a DICOM header to trust the estimate of its X-ray less."""

import re
from contextlib import suppress
from datetime import date, datetime

from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForProcessing

from classifier.labels import Doubt
from classifier.reading.header import text

# Of the children the model learned from (Kermany et al. 2018), in years.
YOUNGEST, TOO_OLD = 1, 6
_OLDEST = 110
_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}


def doubts(dataset: Dataset) -> frozenset[Doubt]:
    """Tell what a header gives reason to doubt.

    The greys are raw values of the detector (PS3.3 C.8.11.1.1.1), or the patient is younger or
    older than the children that the model learned from.
    """
    age = _age(dataset)
    is_raw = text(dataset, "PresentationIntentType") == "FOR PROCESSING"
    is_raw |= text(dataset, "SOPClassUID") == DigitalXRayImageStorageForProcessing
    holds = {
        Doubt.UNLIKE_TRAINING: is_raw,
        Doubt.OTHER_AGE: age is not None and not YOUNGEST <= age < TOO_OLD,
    }
    return frozenset(doubt for doubt, is_so in holds.items() if is_so)


def _age(dataset: Dataset) -> float | None:
    """Give the age in years, as written (PS3.5 6.2, AS) or from two dates; None if unknown."""
    written = re.fullmatch(r"(\d{1,3}) ?([DWMY]?)", text(dataset, "PatientAge") or "")
    if written:
        return int(written[1]) / _A_YEAR[written[2] or "Y"]
    born = _date(dataset, "PatientBirthDate")
    days = (_date(dataset, each) for each in ("StudyDate", "AcquisitionDate", "ContentDate"))
    taken = next((day for day in days if day is not None), None)
    if born is None or taken is None:
        return None
    age = (taken - born).days / _A_YEAR["D"]
    # Who takes names out often puts another date in.
    return age if 0 <= age < _OLDEST else None


def _date(dataset: Dataset, keyword: str) -> date | None:
    digits = (text(dataset, keyword) or "").replace(".", "")
    with suppress(ValueError):
        return datetime.strptime(digits, "%Y%m%d").date()
    return None
