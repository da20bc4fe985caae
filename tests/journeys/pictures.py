"""What the people of the stories send: drawn, so that no journey needs a patient's picture."""

import io
import zipfile
from collections.abc import Sequence

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

# What the stand-in model makes of a picture is decided by how bright it is.
NORMAL, UNSURE, BACTERIAL, NOT_A_CHEST = 0.25, 0.5, 0.75, 1.0


def xray(brightness: float = NORMAL, seed: int = 0, kind: str = "JPEG") -> bytes:
    """Draw sharp stripes of a mean brightness, of which no two seeds are alike."""
    if brightness == NOT_A_CHEST:
        return encoded(np.ones((160, 200)), kind)
    share = 0.2 + 0.6 * brightness
    stripes = 0.46 * (np.arange(200) % 40 < 40 * share) + np.zeros((160, 1))
    noise = np.random.default_rng(seed).normal(0, 0.03, (160, 200))
    grey = stripes + noise
    return encoded((brightness + grey - grey.mean()).clip(0, 1), kind)


def chest(seed: int = 0) -> bytes:
    """Draw two dark lungs in a bright body, ribs across: a chest to the real model too."""
    y, x = np.mgrid[:300, :320]
    body = 0.75 - ((x - 160) / 160) ** 2 * 0.6
    for centre in (95, 225):
        body[((x - centre) / 50) ** 2 + ((y - 150) / 100) ** 2 < 1] = 0.25
    body += 0.05 * np.sin(y / 9) + np.random.default_rng(seed).normal(0, 0.01, body.shape)
    return encoded(body.clip(0, 1), "JPEG")


def encoded(grey: np.ndarray, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray((grey * 255).astype(np.uint8)).save(out, kind)
    return out.getvalue()


def ct_slice(number: int, series: str, value: int = -600) -> bytes:
    """Write one CT slice of a series, `value` in Hounsfield units, as a DICOM file."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    slice_ = Dataset()
    slice_.file_meta = meta
    slice_.SOPClassUID, slice_.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    slice_.SeriesInstanceUID = slice_.StudyInstanceUID = series
    slice_.PatientName, slice_.PatientID = "Somebody^Secret", "4711"
    slice_.Modality, slice_.InstanceNumber = "CT", number
    slice_.ImagePositionPatient = [0, 0, 5 * number]
    slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    slice_.Rows = slice_.Columns = 64
    slice_.PixelSpacing = [1, 1]
    slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
    slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit = 16, 16, 15
    slice_.PixelRepresentation = 1
    slice_.RescaleIntercept, slice_.RescaleSlope = 0, 1
    slice_.PixelData = _body(value).tobytes()
    out = io.BytesIO()
    pydicom.dcmwrite(out, slice_, enforce_file_format=True)
    return out.getvalue()


def _body(lung: int) -> np.ndarray:
    """Draw air around soft tissue around two lungs, in Hounsfield units."""
    y, x = np.mgrid[:64, :64]
    pixels = np.full((64, 64), -1000, np.int16)
    pixels[((x - 32) / 28) ** 2 + ((y - 32) / 24) ** 2 < 1] = 40
    for centre in (20, 44):
        pixels[((x - centre) / 9) ** 2 + ((y - 32) / 16) ** 2 < 1] = lung
    return pixels


def ct_series(slices: int = 6) -> list[bytes]:
    """Write the slices of one CT series."""
    series = generate_uid()
    return [ct_slice(number, series) for number in range(slices)]


def zipped(files: Sequence[bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, file in enumerate(files):
            archive.writestr(f"series/{number}.dcm", file)
    return out.getvalue()


def is_answer(picture: bytes) -> bool:
    """Tell an annotated picture from what was sent: it is far larger."""
    return max(Image.open(io.BytesIO(picture)).size) > 1000
