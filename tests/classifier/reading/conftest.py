"""Files built for the tests of reading, and ways to read them."""

import os
import resource
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from classifier.reading import child
from classifier.reading.dicom import read_dicom
from classifier.reading.isolated import IsolatedReader
from classifier.reading.scan import Scan, Study
from classifier.reading.sources import Source
from classifier.refusals import Refusal, RefusalReason

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
XRAY_CLASS = "1.2.840.10008.5.1.4.1.1.1"
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
MOST_GROWTH_KIB = 64 * 1024


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("../shared/data is not here")
    return SHARED


@pytest.fixture(scope="session")
def reader() -> Iterator[IsolatedReader]:
    with IsolatedReader() as reader:
        yield reader


@pytest.fixture
def read(reader: IsolatedReader, tmp_path: Path) -> Callable[..., Study]:
    """Read bytes as a file of some name, in a child."""

    def read(data: bytes, name: str = "file") -> Study:
        path = tmp_path / name
        path.write_bytes(data)
        return reader.read(Source(name, (path,)))

    return read


def took(pids: tuple[int, ...]) -> float:
    """Add up the seconds on the processor of children, and of all that have ended (proc(5))."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for pid in pids:
        with suppress(FileNotFoundError):
            said = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(said[11]) + int(said[12])
    return ticks / os.sysconf("SC_CLK_TCK") + ended.ru_utime + ended.ru_stime


@pytest.fixture
def refuse(
    reader: IsolatedReader, read: Callable[..., Study], picture: Callable[..., bytes]
) -> Callable[..., Refusal]:
    """Hold a hostile file to its limits: refused, in time, at no cost to this process.

    What time it took on the processor is known of a child that goes on, and of one that was ended.
    """

    def refuse(data: bytes, *reasons: RefusalReason) -> Refusal:
        read(picture())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        children, start = reader.pids, took(reader.pids)
        with pytest.raises(Refusal) as caught:
            read(data)
        assert took(children) - start < child.SECONDS_PER_FILE + 0.5
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_GROWTH_KIB
        assert caught.value.reason in reasons
        assert read(picture()).scans
        return caught.value

    return refuse


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """Encode an image, by default a small grey ramp as JPEG."""

    def encode(image: Any = None, kind: str = "JPEG", **options: Any) -> bytes:
        if image is None:
            image = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
        if not isinstance(image, Image.Image):
            image = Image.fromarray(image)
        stream = BytesIO()
        image.save(stream, kind, **options)
        return stream.getvalue()

    return encode


@pytest.fixture(scope="session")
def dataset() -> Callable[..., Dataset]:
    """Make a data set, by default of a 12-bit X-ray; attributes by keyword, None removes one."""

    def make(pixels: Any = None, syntax: str = ExplicitVRLittleEndian, **changes: Any) -> Dataset:
        if pixels is None:
            pixels = np.arange(32 * 24, dtype=np.uint16).reshape(32, 24)
        pixels = np.asarray(pixels)
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = UID(syntax)
        made.file_meta.MediaStorageSOPClassUID = XRAY_CLASS
        made.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
        colour = pixels.shape[-1] == 3 and pixels.ndim > 2
        frames = pixels.ndim - colour - 2
        ct = changes.get("Modality") == "CT"
        bits = 8 * pixels.dtype.itemsize
        attributes = {
            "SOPClassUID": CT_CLASS if ct else XRAY_CLASS,
            "SOPInstanceUID": "1.2.3.4",
            "Modality": "CR",
            "PatientID": "PATIENT-4711",
            "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": "1.2.3.1",
            "SamplesPerPixel": 3 if colour else 1,
            "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
            "PlanarConfiguration": 0 if colour else None,
            "Rows": pixels.shape[frames],
            "Columns": pixels.shape[frames + 1],
            "NumberOfFrames": pixels.shape[0] if frames else None,
            "BitsAllocated": bits,
            "BitsStored": bits,
            "HighBit": bits - 1,
            "PixelRepresentation": int(pixels.dtype.kind == "i"),
            "RescaleSlope": 1 if ct else None,
            "RescaleIntercept": -1024 if ct else None,
        } | changes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for keyword, value in attributes.items():
                if value is not None:
                    setattr(made, keyword, value)
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        made.PixelData = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
        made["PixelData"].VR = "OB" if bits == 8 and syntax != ImplicitVRLittleEndian else "OW"
        return made

    return make


@pytest.fixture(scope="session")
def written() -> Callable[[Dataset], bytes]:
    """Write a data set as a file."""

    def write(made: Dataset, **options: Any) -> bytes:
        stream = BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.save_as(stream, **({"enforce_file_format": True} | options))
        return stream.getvalue()

    return write


@pytest.fixture(scope="session")
def dicom(dataset: Callable[..., Dataset], written: Callable[..., bytes]) -> Callable[..., bytes]:
    """Make a DICOM file; see `dataset`."""

    def make(pixels: Any = None, syntax: str = ExplicitVRLittleEndian, **changes: Any) -> bytes:
        return written(dataset(pixels, syntax, **changes))

    return make


@pytest.fixture(scope="session")
def ct_slice(dicom: Callable[..., bytes]) -> Callable[..., bytes]:
    """Make a CT slice at a height in millimetres; its CT numbers are the height."""

    def make(height: float, **changes: Any) -> bytes:
        attributes = {
            "Modality": "CT",
            "ImagePositionPatient": [0, 0, height],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "InstanceNumber": int(height) + 500,
        } | changes
        return dicom(np.full((16, 16), height + 1024, np.int16), **attributes)

    return make


@pytest.fixture(scope="session")
def zipped() -> Callable[..., bytes]:
    """Zip files by name."""

    def make(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
        stream = BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return stream.getvalue()

    return make


def one(data: bytes) -> Scan:
    (scan,) = read_dicom(data)
    return scan


def refusal(data: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read_dicom(data)
    return caught.value


def with_item(made: Dataset, keyword: str, **values: Any) -> Dataset:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    setattr(made, keyword, Sequence([item]))
    return made
