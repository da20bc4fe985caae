"""What a DICOM header says: of what the picture is, of whom, and what it leaves out."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from pydicom.dataset import Dataset

from classifier.labels import Doubt, Modality
from classifier.reading.dicom import iterate_dicom, look_at_dicom
from classifier.reading.scan import Tags
from classifier.reading.series import choose
from classifier.refusals import Refusal, RefusalReason

from .conftest import one, refusal

Make = Callable[..., bytes]
MakeSet = Callable[..., Dataset]

RAW = "1.2.840.10008.5.1.4.1.1.1.1.1"
RAMP = np.linspace(0, 4000, 32 * 24).astype(np.uint16).reshape(32, 24)


@pytest.mark.parametrize("modality", ["CR", "DX", "DR", "RG"])
def test_radiographs_are_x_rays(modality: str, dicom: Make) -> None:
    assert one(dicom(Modality=modality)).modality is Modality.XRAY


@pytest.mark.parametrize("modality", ["US", "MR", "MG", "NM", "PT", "XA", "PX", "IO", "RTDOSE"])
def test_another_modality_is_not_a_chest(modality: str, dicom: Make) -> None:
    caught = refusal(dicom(Modality=modality))
    assert (caught.reason, caught.detail) == (RefusalReason.NOT_CHEST, "Modality")


@pytest.mark.parametrize(
    "part", ["CHEST", "THORAX", "LUNG", "RIBCAGE", "", "ADULT PA", "CHEST_ABD"]
)
def test_a_chest_and_odd_words_for_it_pass(part: str, dicom: Make) -> None:
    assert one(dicom(BodyPartExamined=part)).pixels.size


@pytest.mark.parametrize("part", ["LEG", "KNEE", "hand", "SKULL", "C SPINE", "EXTREMITY"])
def test_another_body_part_is_refused(part: str, dicom: Make) -> None:
    caught = refusal(dicom(BodyPartExamined=part))
    assert (caught.reason, caught.detail) == (RefusalReason.NOT_CHEST, "BodyPartExamined")


@pytest.mark.parametrize("view", ["LL", "rl", "LATERAL", "LLAT"])
def test_a_view_from_the_side_is_no_frontal_chest(view: str, dicom: Make) -> None:
    caught = refusal(dicom(ViewPosition=view))
    assert (caught.reason, caught.detail) == (RefusalReason.NOT_CHEST, "ViewPosition")


@pytest.mark.parametrize(
    ("along", "named"), [("A\\F", True), ("pf\\f", True), ("L\\F", False), ("PA", False)]
)
def test_rows_from_front_to_back_are_of_a_view_from_the_side(
    along: str, named: bool, dicom: Make
) -> None:
    made = dicom(PatientOrientation=along)
    if named:
        assert refusal(made).detail == "PatientOrientation"
    else:
        assert one(made).pixels.size


@pytest.mark.parametrize(("code", "named"), [("399067008", True), ("399348003", False)])
def test_a_code_for_a_view_from_the_side_is_believed(code: str, named: bool, dicom: Make) -> None:
    view = Dataset()
    view.CodeValue = code
    made = dicom(ViewCodeSequence=[view])
    if named:
        assert refusal(made).detail == "ViewCodeSequence"
    else:
        assert one(made).pixels.size


@pytest.mark.parametrize("view", ["PA", "AP", "LLD", ""])
def test_a_frontal_or_unknown_view_is_read(view: str, dicom: Make) -> None:
    assert one(dicom(ViewPosition=view)).pixels.size


@pytest.mark.parametrize("modality", ["CT", "OT", None])
def test_a_localizer_alone_is_no_frontal_chest(modality: str | None, dicom: Make) -> None:
    caught = refusal(dicom(Modality=modality, ImageType="ORIGINAL\\PRIMARY\\LOCALIZER"))
    assert (caught.reason, caught.detail) == (RefusalReason.NOT_CHEST, "ImageType")


def test_a_chest_may_lie_in_a_series_of_the_abdomen_but_no_x_ray_of_it(dicom: Make) -> None:
    assert one(dicom(Modality="CT", BodyPartExamined="ABDOMEN")).modality is Modality.CT
    assert refusal(dicom(BodyPartExamined="ABDOMEN")).detail == "BodyPartExamined"


@pytest.mark.parametrize(
    "keyword", ["SamplesPerPixel", "PhotometricInterpretation", "BitsStored", "PixelRepresentation"]
)
def test_what_a_header_leaves_out_is_as_usual(keyword: str, dicom: Make) -> None:
    assert np.array_equal(one(dicom(RAMP, **{keyword: None})).pixels, one(dicom(RAMP)).pixels)


@pytest.mark.parametrize("number", [4294967295, -(2**31) - 1])
def test_a_number_of_more_than_32_bits_is_none(number: int, dicom: Make) -> None:
    assert one(dicom(InstanceNumber=number)).tags.instance_number is None


def test_a_file_with_hardly_a_tag_is_read(dicom: Make) -> None:
    absent = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "SOPClassUID")
    scan = one(dicom(RAMP, **dict.fromkeys(absent)))
    assert (scan.modality, scan.spacing, scan.tags) == (None, None, Tags())


def test_invalid_values_are_passed_over(dataset: MakeSet, written: Make) -> None:
    made = dataset(RAMP, StudyInstanceUID="1.02.x..3", SeriesInstanceUID="no UID at all " * 9)
    for keyword in ("WindowCenter", "WindowWidth", "RescaleSlope", "ImagePositionPatient"):
        made.add_new(keyword, "LO", "nonsense")
        made[keyword].VR = "UN"
        made[keyword]._value = b"nonsense"
    scan = one(written(made))
    assert scan.tags.study_uid == "1.02.x..3"
    assert scan.tags.position is None


@pytest.mark.parametrize("apart", [[1e308, -1e308], [0.5], [0.5] * 60])
def test_pixels_any_distance_apart_are_read(apart: list[float], dicom: Make) -> None:
    grid = look_at_dicom(BytesIO(dicom(RAMP, PixelSpacing=apart))).grid
    assert grid is not None and grid.startswith("32 24") and len(grid) < 40


def test_the_patient_is_known_by_a_salted_hash_alone(dicom: Make) -> None:
    def key(patient: str, salt: bytes) -> str | None:
        (scan,) = iterate_dicom(dicom(PatientID=patient), salt)
        return scan.tags.patient_key

    assert key("4711", b"a") == key("4711", b"a")
    assert len({key("4711", b"a"), key("4712", b"a"), key("4711", b"b"), "4711"}) == 4
    assert "4711" not in str(one(dicom(PatientID="4711")).tags)


def test_however_a_name_is_set_apart_it_is_the_same(dicom: Make) -> None:
    names = ("DOE^JOHN", "Doe^John^^", "DOE JOHN", " doe  john ")
    assert len({one(dicom(PatientName=name)).tags.patient_key for name in names}) == 1
    assert len({one(dicom(PatientName=name)).tags.patient_key for name in ("A^B", "AB")}) == 2


@pytest.mark.parametrize(
    ("said", "otherwise"),
    [
        ({"PatientName": "Lee, Ann"}, {"PatientName": "LEE^ANN"}),
        ({"PatientBirthDate": "19800102"}, {"PatientBirthDate": "1980.01.02"}),
    ],
)
def test_one_patient_in_two_writings_is_one(
    said: dict[str, str], otherwise: dict[str, str], dicom: Make
) -> None:
    utf8 = {"SpecificCharacterSet": "ISO_IR 192"}
    keys = {one(dicom(**utf8, **each)).tags.patient_key for each in (said, otherwise)}
    assert len(keys) == 1 and None not in keys


@pytest.mark.parametrize(
    ("other", "is_refused"),
    [("WANG^XIAODONG", False), ("wang xiaodong=王^小东", False), ("WANG^XIAODONG=汪^晓冬", True)],
)
def test_a_name_in_another_script_may_be_missing_but_not_another(
    other: str, is_refused: bool, dicom: Make
) -> None:
    looks = [
        look_at_dicom(
            BytesIO(
                dicom(
                    Modality="CT",
                    SpecificCharacterSet="ISO_IR 192",
                    PatientName=name,
                    InstanceNumber=number,
                    ImagePositionPatient=[0, 0, number],
                )
            ),
            b"a",
        )
        for number, name in enumerate(("WANG^XIAODONG=王^小东", other, other))
    ]
    if is_refused:
        with pytest.raises(Refusal, match="PatientID"):
            choose(looks, lambda indices: 1.0)
    else:
        assert choose(looks, lambda indices: 1.0) == [0, 1, 2]


@pytest.mark.parametrize(
    "other",
    [{"FrameOfReferenceUID": "1.9"}, {"StudyDate": "20260102"}, {"PatientSex": "F"}],
)
def test_what_a_series_has_in_common_tells_two_apart(other: dict[str, str], dicom: Make) -> None:
    usual = {"FrameOfReferenceUID": "1.8", "StudyDate": "20260101", "PatientSex": "M"}

    def common(**said: str) -> str | None:
        return look_at_dicom(BytesIO(dicom(**usual | said)), b"a").common

    assert common() == common(StudyDate="2026.01.01", PatientSex="m") != common(**other)
    assert "20260101" not in str(common())


def test_the_sex_alone_is_nobody_and_two_are_two(dicom: Make) -> None:
    nobody = {"PatientID": None, "PatientName": None}
    assert one(dicom(**nobody, PatientSex="M")).tags.patient_key is None
    keys = {one(dicom(PatientSex=sex)).tags.patient_key for sex in ("M", "F", "O", "")}
    assert len(keys) == 3


@pytest.mark.parametrize("said", ["monochrome1", "Monochrome2"])
def test_small_letters_say_the_same(said: str, dicom: Make) -> None:
    made = one(dicom(RAMP, PhotometricInterpretation=said))
    same = one(dicom(RAMP, PhotometricInterpretation=said.upper()))
    assert np.array_equal(made.pixels, same.pixels)


# --- reasons to doubt


@pytest.mark.parametrize(
    ("said", "is_doubted"),
    [
        ({"PatientAge": "003Y"}, False),
        ({"PatientAge": "005Y"}, False),
        ({"PatientAge": "018M"}, False),
        ({"PatientAge": "006Y"}, True),
        ({"PatientAge": "062Y"}, True),
        ({"PatientAge": "62"}, True),
        ({"PatientAge": "011M"}, True),
        ({"PatientAge": "040W"}, True),
        ({"PatientAge": "021D"}, True),
        ({"PatientAge": "045y"}, True),
        ({"PatientAge": "45YR"}, True),
        ({"PatientAge": "3 YEARS"}, False),
        ({"PatientAge": "004Y", "PatientBirthDate": "19500101", "StudyDate": "20200101"}, True),
        ({"PatientBirthDate": "20200301", "StudyDate": "20230310"}, False),
        ({"PatientBirthDate": "19400305", "StudyDate": "20040826"}, True),
        ({"PatientBirthDate": "1940.03.05", "StudyDate": "", "ContentDate": "2004.08.26"}, True),
        # Dates that somebody put in who took the true ones out, and what is no age at all.
        ({"PatientBirthDate": "18500101", "StudyDate": "20230310"}, False),
        ({"PatientBirthDate": "20230310", "StudyDate": "20200301"}, False),
        ({"PatientBirthDate": "19400305", "StudyDate": ""}, False),
        ({"PatientBirthDate": "19401399", "StudyDate": "20230310"}, False),
        ({"PatientAge": "unknown"}, False),
        ({}, False),
    ],
)
def test_an_age_that_little_is_known_of_is_a_doubt(
    said: dict[str, str], is_doubted: bool, dicom: Make
) -> None:
    usual = {"PatientBirthDate": "", "StudyDate": ""}
    assert one(dicom(**usual | said)).doubts == ({Doubt.OTHER_AGE} if is_doubted else set())


@pytest.mark.parametrize(
    "said",
    [
        {"PresentationIntentType": "FOR PROCESSING"},
        {"PresentationIntentType": "for processing"},
        {"SOPClassUID": RAW},
    ],
)
def test_greys_that_are_not_meant_for_the_eye_are_a_doubt(
    said: dict[str, str], dicom: Make
) -> None:
    assert one(dicom(**said)).doubts == {Doubt.UNLIKE_TRAINING}


def test_what_is_said_before_the_data_set_alone_is_heard(dataset: MakeSet, written: Make) -> None:
    made = dataset(RAMP, SOPClassUID=None)
    made.file_meta.MediaStorageSOPClassUID = RAW
    assert one(written(made)).doubts == {Doubt.UNLIKE_TRAINING}


def test_greys_that_are_meant_for_the_eye_are_none(dicom: Make) -> None:
    assert not one(dicom(PresentationIntentType="FOR PRESENTATION")).doubts
