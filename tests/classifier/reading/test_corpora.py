"""Files of other people: each ends in a study or in a typed refusal."""

from collections.abc import Callable
from pathlib import Path

import data_store
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from classifier.labels import Modality
from classifier.reading.isolated import IsolatedReader
from classifier.reading.scan import Study, Units
from classifier.reading.sources import Source
from classifier.refusals import Refusal, RefusalReason

BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
EXTRA = Path(data_store.__file__).parent / "data"
SYNTAXES = "dicom/ct-one-slice-15-syntaxes"
RETIRED = ("4.53.dcm", "4.55.dcm")
# The error of one 8-bit step where 8 bits hold the CT numbers, and of the other lossy encoders.
MEAN_ERROR = {"4.50.dcm": 25, "4.51.dcm": 5, "4.81.dcm": 1, "4.91.dcm": 2}

Make = Callable[..., bytes]


def outcome(reader: IsolatedReader, path: Path) -> Study | Refusal:
    try:
        return reader.read(Source(path.name, (path,)))
    except Refusal as refusal:
        return refusal


def first(reader: IsolatedReader, path: Path) -> np.ndarray:
    study = outcome(reader, path)
    assert isinstance(study, Study), study
    return study.scans[0].pixels


@pytest.mark.parametrize(("folder", "least"), [(BUNDLED, 160), (EXTRA, 60)])
def test_every_file_of_pydicom_ends_in_a_study_or_a_refusal(
    folder: Path, least: int, reader: IsolatedReader
) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    outcomes = {path.name: outcome(reader, path) for path in paths}
    assert len(paths) >= least
    costly = [n for n, o in outcomes.items() if getattr(o, "reason", None) is
              RefusalReason.TOO_COSTLY]  # fmt: skip
    broken = [n for n, o in outcomes.items() if getattr(o, "reason", None) is RefusalReason.BROKEN]
    assert costly == []
    assert broken == []
    assert sum(isinstance(o, Study) for o in outcomes.values()) >= 20


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_rle.dcm",
        "SC_rgb_gdcm_KY.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "SC_rgb_dcmtk_+eb+cr.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
    ],
)
def test_one_colour_picture_is_one_picture_in_every_encoding(
    name: str, reader: IsolatedReader
) -> None:
    expected = first(reader, EXTRA / "SC_rgb.dcm")
    assert np.abs(first(reader, BUNDLED / name) - expected).mean() < 0.02


def test_lossy_and_lossless_x_rays_agree(reader: IsolatedReader) -> None:
    expected = first(reader, EXTRA / "RG1_UNCR.dcm")
    assert np.array_equal(first(reader, EXTRA / "RG1_J2KR.dcm"), expected)
    assert np.abs(first(reader, EXTRA / "RG1_J2KI.dcm") - expected).mean() < 0.01


def test_an_enhanced_ct_is_a_series(reader: IsolatedReader) -> None:
    study = outcome(reader, EXTRA / "eCT_Supplemental.dcm")
    assert isinstance(study, Study)
    assert [scan.units for scan in study.scans] == [Units.HOUNSFIELD] * 2
    heights = [scan.tags.position[2] for scan in study.scans if scan.tags.position]
    assert len(heights) == 2
    assert heights == sorted(heights)


@pytest.fixture(scope="session")
def good_files(dataset: Callable[..., Dataset], written: Make, picture: Make, zipped: Make,
               ct_slice: Make) -> list[bytes]:  # fmt: skip
    """Give small good files of every kind, to be spoiled."""

    def compressed(syntax: str) -> bytes:
        made = dataset(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
        made.compress(syntax)
        return written(made)

    def as_x_ray(path: Path) -> bytes:
        made = pydicom.dcmread(path)
        made.Modality = "CR"
        return written(made)

    return [
        *(picture(kind=kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP")),
        written(dataset()),
        written(dataset(syntax=DeflatedExplicitVRLittleEndian)),
        compressed(RLELossless),
        compressed(JPEG2000Lossless),
        compressed(JPEGLSLossless),
        as_x_ray(EXTRA / "JPGLosslessP14SV1_1s_1f_8b.dcm"),
        as_x_ray(BUNDLED / "JPGExtended.dcm"),
        as_x_ray(BUNDLED / "JPEG-lossy.dcm"),
        zipped({str(z): ct_slice(z) for z in range(3)}),
    ]


def test_the_files_to_be_spoiled_are_good(
    good_files: list[bytes], read: Callable[..., Study]
) -> None:
    assert all(read(data).scans for data in good_files)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_a_good_file_with_bytes_changed_ends_in_a_study_or_a_refusal(
    data: st.DataObject,
    good_files: list[bytes],
    reader: IsolatedReader,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    spoiled = bytearray(data.draw(st.sampled_from(good_files)))
    places = st.integers(0, len(spoiled) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=12)):
        spoiled[place] = value
    path = tmp_path_factory.getbasetemp() / "spoiled"
    path.write_bytes(spoiled[: data.draw(st.one_of(st.just(len(spoiled)), places))])
    assert isinstance(outcome(reader, path), Study | Refusal)


# --- ../shared/data


def test_one_slice_in_every_lossless_syntax_is_the_same_slice(
    shared: Path, reader: IsolatedReader
) -> None:
    expected = first(reader, shared / SYNTAXES / "CTImage.dcm")
    lossy = (*RETIRED, *MEAN_ERROR)
    paths = [p for p in sorted((shared / SYNTAXES).iterdir()) if not p.name.endswith(lossy)]
    assert len(paths) == 10
    for path in paths:
        assert np.array_equal(first(reader, path), expected), path.name


@pytest.mark.parametrize("ending", MEAN_ERROR)
def test_one_slice_in_every_lossy_syntax_is_nearly_the_same(
    ending: str, shared: Path, reader: IsolatedReader
) -> None:
    expected = first(reader, shared / SYNTAXES / "CTImage.dcm")
    (path,) = (shared / SYNTAXES).glob(f"*{ending}")
    assert np.abs(first(reader, path) - expected).mean() < MEAN_ERROR[ending]


@pytest.mark.parametrize("ending", RETIRED)
def test_the_retired_syntaxes_are_refused(
    ending: str, shared: Path, reader: IsolatedReader
) -> None:
    (path,) = (shared / SYNTAXES).glob(f"*{ending}")
    refusal = outcome(reader, path)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.UNSUPPORTED_SYNTAX


def test_the_same_slice_sixteen_times_is_sixteen_sources(
    shared: Path, reader: IsolatedReader
) -> None:
    sources = reader.sources([shared / SYNTAXES])
    assert len(sources) == len({source.name for source in sources}) == 16


def test_monochrome1_is_inverted(shared: Path, reader: IsolatedReader) -> None:
    folder = shared / "dicom/chest-xray"
    plain = first(reader, folder / "1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm")
    assert np.allclose(first(reader, folder / "Fake_MONOHR1.dcm"), 1 - plain)


@pytest.mark.parametrize("name", ["RG1_J2KI.dcm", "gdcm-CR-MONO1-10-chest.dcm"])
def test_the_air_beside_a_body_is_darker_than_its_middle(
    name: str, shared: Path, reader: IsolatedReader
) -> None:
    pixels = first(reader, shared / "dicom/chest-xray" / name)
    rows, columns = pixels.shape
    middle = pixels[rows // 4 : -rows // 4, columns * 2 // 5 : columns * 3 // 5]
    assert pixels[: rows // 20, : columns // 20].mean() < middle.mean()


def test_the_shared_series_are_three_sources_from_feet_to_head(
    shared: Path, reader: IsolatedReader
) -> None:
    sources = reader.sources([shared / "ct/series"])
    assert {source.name: len(source.paths) for source in sources} == {
        "bacterial-cap002": 66,
        "normal-normal001": 39,
        "viral-P002": 34,
    }
    study = reader.read(sources[-1])
    heights = [scan.tags.position[2] for scan in study.scans if scan.tags.position]
    assert len(heights) == 34
    assert heights == sorted(heights)
    assert {scan.modality for scan in study.scans} == {Modality.CT}


def test_what_says_it_is_no_chest_is_refused(shared: Path, reader: IsolatedReader) -> None:
    for name in ("RG3_J2KI.dcm", "US1_UNCI.dcm"):
        refusal = outcome(reader, shared / "dicom/not-chest" / name)
        assert isinstance(refusal, Refusal)
        assert refusal.reason is RefusalReason.NOT_CHEST


def test_a_slice_without_modality_is_read_as_ct(shared: Path, reader: IsolatedReader) -> None:
    study = outcome(reader, shared / "dicom/ct-single/lungmask_0.dcm")
    assert isinstance(study, Study)
    assert (study.scans[0].modality, study.scans[0].units) == (Modality.CT, Units.HOUNSFIELD)
