"""DICOM to grey or to Hounsfield units."""

from collections.abc import Callable

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from classifier.labels import Modality
from classifier.reading.dicom import read_dicom
from classifier.reading.scan import FileKind, Study, Units
from classifier.reading.series import anatomical_order
from classifier.refusals import Refusal, RefusalReason

from .conftest import one, refusal, with_item

Make = Callable[..., bytes]
MakeSet = Callable[..., Dataset]

RAMP = np.linspace(0, 4000, 32 * 24).astype(np.uint16).reshape(32, 24)
WINDOW = {"WindowCenter": 2000, "WindowWidth": 2001}


# --- X-ray: modality LUT, VOI, inversion


def test_an_x_ray_comes_as_grey_with_its_tags(dicom: Make) -> None:
    scan = one(dicom(RAMP, StudyInstanceUID="1.2", InstanceNumber=3, ImagerPixelSpacing=[1, 2]))
    assert (scan.units, scan.modality, scan.came_as) == (Units.GREY, Modality.XRAY, FileKind.DICOM)
    assert (scan.tags.study_uid, scan.tags.instance_number) == ("1.2", 3)
    assert (scan.spacing, scan.pixels.dtype) == ((1, 2), np.float32)


def test_a_linear_window_follows_the_standard(dicom: Make) -> None:
    expected = np.clip((RAMP - 1999.5) / 2000 + 0.5, 0, 1)
    assert np.allclose(one(dicom(RAMP, **WINDOW)).pixels, expected, atol=1e-5)


def test_a_linear_exact_window_follows_the_standard(dicom: Make) -> None:
    expected = np.clip((RAMP - 2000.0) / 2001 + 0.5, 0, 1)
    scan = one(dicom(RAMP, VOILUTFunction="LINEAR_EXACT", **WINDOW))
    assert np.allclose(scan.pixels, expected, atol=1e-5)


def test_a_sigmoid_window_follows_the_standard(dicom: Make) -> None:
    expected = 1 / (1 + np.exp(-4 * (RAMP - 2000.0) / 2001))
    scan = one(dicom(RAMP, VOILUTFunction="SIGMOID", **WINDOW))
    assert np.allclose(scan.pixels, expected, atol=1e-5)


def test_of_several_windows_the_first_is_taken(dicom: Make) -> None:
    several = one(dicom(RAMP, WindowCenter=[2000, 50], WindowWidth=[2001, 350]))
    assert np.array_equal(several.pixels, one(dicom(RAMP, **WINDOW)).pixels)


def test_a_rescale_is_applied_before_the_window(dicom: Make) -> None:
    halved = one(dicom(RAMP, RescaleSlope=0.5, RescaleIntercept=100, **WINDOW)).pixels
    expected = np.clip((RAMP / 2 + 100 - 1999.5) / 2000 + 0.5, 0, 1)
    assert np.allclose(halved, expected, atol=1e-5)


def test_without_a_window_outliers_do_not_darken_the_picture(dicom: Make) -> None:
    pixels = np.linspace(1000, 2000, 64 * 64).astype(np.uint16).reshape(64, 64)
    pixels[0, 0], pixels[0, 1] = 0, 65535
    rendered = one(dicom(pixels)).pixels
    assert rendered[32, 32] == pytest.approx(0.5, abs=0.02)
    assert (rendered.min(), rendered.max()) == (0, 1)


@pytest.mark.parametrize(("centre", "width"), [(128, 200), (9000, 10), (1500, 1)])
def test_a_window_of_other_values_is_passed_over(centre: int, width: int, dicom: Make) -> None:
    pixels = np.linspace(1000, 2000, 64 * 64).astype(np.uint16).reshape(64, 64)
    misfit = one(dicom(pixels, WindowCenter=centre, WindowWidth=width)).pixels
    assert np.array_equal(misfit, one(dicom(pixels)).pixels)


def test_a_picture_of_one_value_is_read(dicom: Make) -> None:
    assert np.isfinite(one(dicom(np.full((8, 8), 7, np.uint16))).pixels).all()


def test_eight_bits_without_a_window_are_taken_as_they_are(dicom: Make) -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16) // 2
    assert np.allclose(one(dicom(pixels)).pixels, pixels / 255)


@pytest.mark.parametrize(
    "said",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    ],
)
def test_monochrome1_and_inverse_are_inverted_once_and_last(
    said: dict[str, str], dicom: Make
) -> None:
    plain, inverted = one(dicom(RAMP, **WINDOW)), one(dicom(RAMP, **WINDOW, **said))
    assert np.allclose(inverted.pixels, 1 - plain.pixels)


@pytest.mark.parametrize("shades", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_outside_the_percentiles(shades: str, dicom: Make) -> None:
    pixels = np.linspace(1000, 2000, 32 * 32).astype(np.uint16).reshape(32, 32)
    pixels[:, :16] = 60000
    scan = one(dicom(pixels, PixelPaddingValue=60000, PhotometricInterpretation=shades))
    assert not scan.pixels[:, :16].any()
    assert scan.pixels[:, 16:].mean() == pytest.approx(0.5, abs=0.02)


def test_a_range_of_padding_is_all_padding(dicom: Make) -> None:
    scan = one(dicom(RAMP, PixelPaddingValue=3000, PixelPaddingRangeLimit=4000, **WINDOW))
    assert not scan.pixels[RAMP >= 3000].any()
    assert scan.pixels[(RAMP > 2500) & (RAMP < 3000)].all()


# --- CT


def test_ct_comes_in_hounsfield_units_and_ignores_the_window_of_the_file(dicom: Make) -> None:
    stored = np.arange(-100, 156, dtype=np.int16).reshape(16, 16)
    changes = {"RescaleSlope": 2, "RescaleIntercept": -1024, "PixelSpacing": [0.7, 0.7]}
    scan = one(dicom(stored, Modality="CT", **changes, **WINDOW))
    assert np.array_equal(scan.pixels, stored.astype(np.float32) * 2 - 1024)
    assert (scan.units, scan.modality, scan.spacing) == (
        Units.HOUNSFIELD, Modality.CT, (0.7, 0.7),
    )  # fmt: skip


def test_ct_numbers_are_whole_and_fit_in_sixteen_bits(dicom: Make) -> None:
    stored = np.array([[0, 1, 2, 30_000]], np.int16).repeat(4, 0)
    scan = one(dicom(stored, Modality="CT", RescaleSlope=1.3, RescaleIntercept=0))
    assert scan.pixels.dtype == np.int16
    assert scan.pixels[0].tolist() == [0, 1, 3, 32767]


def test_a_ct_number_that_is_no_number_is_refused(dataset: MakeSet, written: Make) -> None:
    made = dataset(np.zeros((8, 8), np.int16), Modality="CT", BitsAllocated=32)
    del made.PixelData
    made.FloatPixelData = np.full((8, 8), np.nan, np.float32).tobytes()
    with pytest.raises(Refusal, match="ValueError") as caught:
        read_dicom(written(made))
    assert caught.value.reason is RefusalReason.BROKEN


@pytest.mark.parametrize("padding", [-2000, 63536])
def test_ct_padding_becomes_air_even_when_written_unsigned(
    padding: int, dataset: MakeSet, written: Make
) -> None:
    stored = np.full((8, 8), 1024, np.int16)
    stored[0] = -2000
    made = dataset(stored, Modality="CT")
    made.add_new("PixelPaddingValue", "SS" if padding < 0 else "US", padding)
    pixels = one(written(made)).pixels
    assert (pixels[0] == -1024).all()
    assert (pixels[1:] == 0).all()


def test_unused_high_bits_are_no_signal(dicom: Make) -> None:
    stored = np.full((8, 8), 0x0400, np.uint16)
    overlaid = one(dicom(stored | 0x8000, Modality="CT", BitsStored=12, HighBit=11))
    assert (overlaid.pixels == 0).all()


def test_a_ct_without_modality_is_known_by_its_class(dicom: Make) -> None:
    data = dicom(np.zeros((8, 8), np.int16), Modality=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    assert one(data).modality is Modality.CT


@pytest.mark.parametrize("rescale", [(None, None), (1, 0)])
def test_a_rendered_ct_of_eight_bits_is_grey(
    rescale: tuple[int | None, int | None], dicom: Make
) -> None:
    slope, intercept = rescale
    data = dicom(
        np.zeros((8, 8), np.uint8), Modality="CT", RescaleSlope=slope, RescaleIntercept=intercept
    )
    assert (one(data).units, one(data).modality) == (Units.GREY, Modality.CT)


def test_the_frames_of_a_ct_come_one_by_one(dicom: Make) -> None:
    stored = np.stack([np.full((8, 8), value, np.int16) for value in (1, 2, 3)])
    scans = read_dicom(dicom(stored, Modality="CT"))
    assert [scan.pixels[0, 0] for scan in scans] == [-1023, -1022, -1021]
    assert [scan.tags.instance_number for scan in scans] == [1, 2, 3]


def test_frames_at_one_place_keep_the_order_of_the_file_whatever_its_own_number(
    dicom: Make,
) -> None:
    stored = np.zeros((10, 8, 8), np.int16)
    scans = read_dicom(dicom(stored, Modality="CT", InstanceNumber=7))
    assert anatomical_order([scan.tags for scan in scans]) == list(range(10))


def test_the_only_frame_has_the_number_of_its_file(dataset: MakeSet, written: Make) -> None:
    made = enhanced(dataset(np.zeros((8, 8), np.int16), Modality="CT", InstanceNumber=7), [10])
    assert one(written(made)).tags.instance_number == 7


def enhanced(made: Dataset, heights: list[float]) -> Dataset:
    del made.RescaleSlope, made.RescaleIntercept
    shared = Dataset()
    with_item(shared, "PixelMeasuresSequence", PixelSpacing=[0.5, 0.5])
    with_item(shared, "PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for index, height in enumerate(heights):
        frame = Dataset()
        with_item(frame, "PlanePositionSequence", ImagePositionPatient=[0, 0, height])
        with_item(
            frame, "PixelValueTransformationSequence", RescaleSlope=1, RescaleIntercept=-index
        )
        frames.append(frame)
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return made


def test_the_frames_of_an_enhanced_ct_have_their_own_place_and_rescale(
    dataset: MakeSet, written: Make
) -> None:
    made = dataset(np.zeros((3, 8, 8), np.int16), Modality="CT")
    scans = read_dicom(written(enhanced(made, [10, 30, 20])))
    assert [scan.tags.position for scan in scans] == [(0, 0, 10), (0, 0, 30), (0, 0, 20)]
    assert [scan.pixels[0, 0] for scan in scans] == [0, -1, -2]
    assert {scan.spacing for scan in scans} == {(0.5, 0.5)}
    assert {scan.tags.orientation for scan in scans} == {(1, 0, 0, 0, 1, 0)}


def test_frames_without_functional_groups_of_their_own_are_still_read(
    dataset: MakeSet, written: Make
) -> None:
    made = enhanced(dataset(np.zeros((3, 8, 8), np.int16), Modality="CT"), [10])
    assert [scan.tags.position for scan in read_dicom(written(made))] == [(0, 0, 10), None, None]


# --- secondary capture and colour


@pytest.mark.parametrize("said", [{}, {"PlanarConfiguration": None}])
def test_colour_becomes_luma(said: dict[str, None], dicom: Make) -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    scan = one(dicom(red, Modality="OT", **said))
    assert scan.pixels.mean() == pytest.approx(0.299, abs=1e-4)
    assert (scan.chroma, scan.modality, scan.patches) == (1, None, 0)


def test_what_is_painted_over_a_capture_is_told(dicom: Make) -> None:
    film = np.repeat(np.add.outer(np.arange(100), np.arange(100))[..., np.newaxis], 3, axis=2)
    film[30:60, 30:60] = [255, 60, 0]
    assert one(dicom(film.astype(np.uint8), Modality="OT")).patches > 0.1


def test_ybr_is_converted(dicom: Make) -> None:
    grey = np.full((8, 8, 3), 128, np.uint8)
    grey[..., 0] = 51
    scan = one(dicom(grey, Modality="SC", PhotometricInterpretation="YBR_FULL"))
    assert scan.pixels.mean() == pytest.approx(0.2, abs=0.01)
    assert scan.chroma < 0.02


def test_a_palette_is_looked_up(dataset: MakeSet, written: Make) -> None:
    made = dataset(np.arange(256, dtype=np.uint8).reshape(16, 16), Modality="OT")
    made.PhotometricInterpretation = "PALETTE COLOR"
    for name in ("Red", "Green", "Blue"):
        made.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [256, 0, 16])
        table = (np.arange(255, -1, -1) * 257).astype("<u2").tobytes()
        made.add_new(f"{name}PaletteColorLookupTableData", "OW", table)
    pixels = one(written(made)).pixels.ravel()
    assert np.allclose(pixels, np.arange(255, -1, -1) / 255, atol=1e-4)


def test_several_frames_that_are_no_ct_are_several_pictures(dicom: Make) -> None:
    data = dicom(np.zeros((2, 8, 8), np.uint8), Modality="OT")
    assert refusal(data).reason is RefusalReason.SEVERAL_STUDIES


# --- what shows nothing, and what is cut off


@pytest.mark.parametrize(("centre", "width"), [(32768, 65535), (2000, 40_000)])
def test_a_window_that_is_too_wide_is_passed_over(centre: int, width: int, dicom: Make) -> None:
    windowed = one(dicom(RAMP, WindowCenter=centre, WindowWidth=width))
    assert np.array_equal(windowed.pixels, one(dicom(RAMP)).pixels)


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.99])
def test_a_jpeg_ls_frame_that_was_cut_off_is_broken(
    kept: float, read: Callable[..., Study], dataset: MakeSet, written: Make
) -> None:
    """pyjpegls would turn in it for ever."""
    noise = np.random.default_rng(0).integers(0, 30, (128, 128))
    made = dataset((np.add.outer(np.arange(128), np.arange(128)) + noise).astype(np.uint16))
    made.compress(JPEGLSLossless)
    (frame,) = generate_frames(made.PixelData, number_of_frames=1)
    assert read(written(made)).scans
    made.PixelData = encapsulate([frame[: int(kept * len(frame))]])
    with pytest.raises(Refusal) as caught:
        read(written(made))
    assert caught.value.reason is RefusalReason.BROKEN


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_compressed_pixels_that_were_cut_off_are_broken(
    kept: float, dataset: MakeSet, written: Make
) -> None:
    made = dataset(np.random.default_rng(0).integers(0, 4096, (128, 128)).astype(np.uint16))
    made.compress(RLELossless)
    data = written(made)
    assert refusal(data[: int(kept * len(data))]).reason is RefusalReason.BROKEN


def test_a_file_without_pixels_says_so(dataset: MakeSet, written: Make) -> None:
    made = dataset()
    del made.PixelData
    assert refusal(written(made)).reason is RefusalReason.NO_PIXELS


# --- transfer syntaxes


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_uncompressed_syntaxes_give_the_same_pixels(syntax: str, dicom: Make) -> None:
    assert np.array_equal(one(dicom(RAMP, syntax)).pixels, one(dicom(RAMP)).pixels)


def test_rle_gives_the_same_pixels(dataset: MakeSet, written: Make, dicom: Make) -> None:
    made = dataset(RAMP)
    made.compress(RLELossless)
    assert np.array_equal(one(written(made)).pixels, one(dicom(RAMP)).pixels)


def test_a_file_without_meta_information_is_read(dataset: MakeSet, written: Make) -> None:
    made = dataset(RAMP, **WINDOW)
    expected = one(written(made)).pixels
    del made.file_meta
    bare = written(made, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert np.array_equal(one(bare).pixels, expected)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.100", "1.2.3"])
def test_a_syntax_that_is_not_read_is_refused_by_its_tag(
    syntax: str, dataset: MakeSet, written: Make
) -> None:
    made = dataset()
    made.compress(RLELossless)
    made.file_meta.TransferSyntaxUID = syntax
    caught = refusal(
        written(made, enforce_file_format=False, implicit_vr=False, little_endian=True)
    )
    assert (caught.reason, caught.detail) == (
        RefusalReason.UNSUPPORTED_SYNTAX, "TransferSyntaxUID",
    )  # fmt: skip


def test_half_a_file_is_refused(dicom: Make) -> None:
    data = dicom()
    assert refusal(data[: len(data) - 500]).reason is RefusalReason.BROKEN


def test_a_refusal_holds_nothing_of_the_patient(dicom: Make) -> None:
    caught = refusal(dicom(PatientName="Doe^Jane", BodyPartExamined="KNEE")[:-500] + b"Doe")
    assert not {"Doe", "4711"} & set(str(caught).split())
