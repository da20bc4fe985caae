"""Reasons in a DICOM header to trust the estimate of its X-ray less."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime

from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForProcessing

from classifier.labels import Doubt
from classifier.reading.header import stored_as, text

# Of the children the model learned from (Kermany et al. 2018), in years.
YOUNGEST, TOO_OLD = 1, 6
_OLDEST = 110
_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}


def doubts(dataset: Dataset) -> frozenset[Doubt]:
    """Tell what a header gives reason to doubt.

    The greys are raw values of the detector (PS3.3 C.8.11.1.1.1), or the patient is younger or
    older than the children that the model learned from.
    """
    is_raw = (text(dataset, "PresentationIntentType") or "").upper() == "FOR PROCESSING"
    is_raw |= stored_as(dataset) == DigitalXRayImageStorageForProcessing
    holds = {
        Doubt.UNLIKE_TRAINING: is_raw,
        Doubt.OTHER_AGE: any(not YOUNGEST <= age < TOO_OLD for age in _ages(dataset)),
    }
    return frozenset(doubt for doubt, is_so in holds.items() if is_so)


def _ages(dataset: Dataset) -> Iterator[float]:
    """Give the age in years as far as it is told: as written (PS3.5 6.2, AS), and by two dates."""
    said = (text(dataset, "PatientAge") or "").upper()
    written = re.fullmatch(r"(\d{1,3}) ?([DWMY]?)[A-Z]*", said)
    if written:
        yield int(written[1]) / _A_YEAR[written[2] or "Y"]
    born = _date(dataset, "PatientBirthDate")
    days = (_date(dataset, each) for each in ("StudyDate", "AcquisitionDate", "ContentDate"))
    taken = next((day for day in days if day is not None), None)
    if born is not None and taken is not None:
        age = (taken - born).days / _A_YEAR["D"]
        # Who takes names out often puts another date in.
        if 0 <= age < _OLDEST:
            yield age


def _date(dataset: Dataset, keyword: str) -> date | None:
    digits = (text(dataset, keyword) or "").replace(".", "")
    with suppress(ValueError):
        return datetime.strptime(digits, "%Y%m%d").date()
    return None
