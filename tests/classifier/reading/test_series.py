"""Slices together and in order."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from classifier.labels import Modality
from classifier.reading import series
from classifier.reading.scan import FileKind, Tags
from classifier.reading.series import (
    LOCALIZER,
    FileLook,
    all_series,
    anatomical_order,
    group,
    one_of_each_place,
    runs_from_feet,
)
from classifier.refusals import Refusal, RefusalReason

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
FEET_FIRST = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def ct(
    height: float, series: str = "1", study: str = "s", patient: str = "p", kind: str = "AXIAL"
) -> FileLook:
    tags = Tags(
        position=(0, 0, height),
        orientation=AXIAL,
        series_uid=series,
        study_uid=study,
        patient_key=patient,
    )
    scout = LOCALIZER if kind == "LOCALIZER" else None
    return FileLook(FileKind.DICOM, Modality.CT, tags, excluded_by=scout)


def choose(looks: list[FileLook], lungs: Callable[[list[int]], float] = len) -> list[int]:
    return series.choose(looks, lungs)


@pytest.mark.parametrize("orientation", [AXIAL, FEET_FIRST, None, (0.0,) * 6])
def test_slices_lie_from_feet_to_head_however_the_rows_run(
    orientation: tuple[float, float, float, float, float, float] | None,
) -> None:
    tags = [Tags(position=(0, 0, z), orientation=orientation) for z in (5.0, -7.0, 100.0, 0.0)]
    assert anatomical_order(tags) == [1, 3, 0, 2]


def test_a_tilted_gantry_sorts_along_its_normal() -> None:
    tilt = np.cos(0.3), -np.sin(0.3)
    orientation = (1.0, 0.0, 0.0, 0.0, float(tilt[0]), float(tilt[1]))
    tags = [Tags(position=(0, 50.0 * i, 2.0 * z), orientation=orientation)
            for i, z in ((0, 3), (0, 1), (0, 2))]  # fmt: skip
    assert anatomical_order(tags) == [1, 2, 0]


def test_without_positions_slice_locations_decide() -> None:
    tags = [Tags(slice_location=3, instance_number=1), Tags(slice_location=1, instance_number=2)]
    assert anatomical_order(tags) == [1, 0]


def test_without_places_instance_numbers_decide() -> None:
    tags = [Tags(instance_number=3), Tags(slice_location=9, instance_number=2)]
    assert anatomical_order(tags) == [1, 0]


def test_slices_of_one_series_in_one_folder_are_a_group() -> None:
    looks = [("a", ct(0)), ("a", ct(1)), ("b", ct(2)), ("a", ct(2)), ("a", ct(9, series="2"))]
    assert group(looks) == [[0, 1, 3]]


@pytest.mark.parametrize("other", [{"patient": "q"}, {"study": "t"}])
def test_one_uid_for_two_patients_or_studies_makes_two_groups(other: dict[str, str]) -> None:
    looks = [("a", ct(z, **each)) for each in ({}, other) for z in range(3)]
    assert group(looks) == [[0, 1, 2], [3, 4, 5]]


def test_slices_of_other_pixels_are_another_series_even_under_one_uid() -> None:
    fine, coarse = (
        [replace(ct(z), grid=grid) for z in range(count)]
        for grid, count in (("512 512 631 631", 4), ("512 512 604 604", 3))
    )
    looks = [look for pair in zip(fine, coarse, strict=False) for look in pair] + fine[3:]
    assert all_series(looks) == [[0, 2, 4, 6], [1, 3, 5]]
    assert choose(looks) == [0, 2, 4, 6]
    assert group(("a", look) for look in looks) == [[0, 2, 4, 6], [1, 3, 5]]


def test_slices_of_another_frame_of_reference_are_another_series_even_under_one_uid() -> None:
    one, two = ([replace(ct(z), common=common) for z in range(4)] for common in ("a", "b"))
    looks = [look for pair in zip(one, two, strict=True) for look in pair]
    assert all_series(looks) == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert group(("a", look) for look in looks) == [[0, 2, 4, 6], [1, 3, 5, 7]]


def test_captured_screens_that_lie_nowhere_come_after_slices() -> None:
    nowhere = [
        replace(ct(0), tags=Tags(instance_number=n, series_uid="2", study_uid="s"))
        for n in range(9)
    ]
    named = [replace(each, tags=replace(each.tags, patient_key="p")) for each in nowhere]
    assert choose([*named, *(ct(z) for z in range(4))]) == [9, 10, 11, 12]
    assert choose(named) == list(range(9))


def test_lungs_are_looked_for_in_the_longest_of_very_many_series() -> None:
    looks = [ct(z, series=f"{n}") for n in range(100) for z in range(2 + n // 50)]
    measured: list[int] = []

    def lungs(indices: list[int]) -> float:
        measured.append(len(indices))
        return 1.0

    assert len(choose(looks, lungs)) == 3
    assert measured == [3] * series.MOST_MEASURED


@pytest.mark.parametrize(("sex", "several"), [("m", False), ("", False), ("f", True)])
def test_one_name_of_two_sexes_is_of_two_patients(sex: str, several: bool) -> None:
    looks = [ct(0, patient="a||c|m"), ct(1, patient=f"a||c|{sex}"), ct(2, patient="a||c|m")]
    if several:
        with pytest.raises(Refusal):
            choose(looks)
    else:
        assert choose(looks) == [0, 1, 2]


def test_that_both_are_of_one_sex_is_nothing_shared() -> None:
    with pytest.raises(Refusal):
        choose([ct(0, patient="a|||m"), ct(1, patient="|b||m"), ct(2, patient="a|||m")])


def test_copies_of_one_slice_are_no_series() -> None:
    assert group(("a", ct(5)) for _ in range(15)) == []


def test_a_localizer_is_no_slice() -> None:
    assert group(("a", ct(z, kind="LOCALIZER")) for z in range(5)) == []


def test_the_series_with_most_slices_is_chosen() -> None:
    looks = [ct(0), ct(0, series="2"), ct(1, series="2"), ct(0, "3", kind="LOCALIZER")]
    assert choose(looks) == [1, 2]


@pytest.mark.parametrize("changes", [{"study": "other"}, {"patient": "other"}])
def test_two_studies_or_patients_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(Refusal) as caught:
        choose([ct(0), ct(1), ct(2, **changes)])
    assert caught.value.reason is RefusalReason.SEVERAL_STUDIES


@pytest.mark.parametrize(
    ("other", "several"),
    [("a|b|", False), ("|b|c", False), ("a|x|c", True), ("a|b|x", True), ("x||", True)],
)
def test_a_part_of_a_name_that_is_missing_makes_no_other_patient(other: str, several: bool) -> None:
    looks = [ct(0, patient="a|b|c"), ct(1, patient=other), ct(2, patient="a|b|c")]
    if several:
        with pytest.raises(Refusal):
            choose(looks)
    else:
        assert choose(looks) == [0, 1, 2]


def test_names_that_share_no_part_may_be_of_two_patients() -> None:
    with pytest.raises(Refusal):
        choose([ct(0, patient="a||"), ct(1, patient="|b|"), ct(2, patient="a||")])


def test_who_is_shown_in_other_pictures_counts_too() -> None:
    head = FileLook(FileKind.DICOM, None, Tags(patient_key="q"), excluded_by="Modality")
    with pytest.raises(Refusal) as caught:
        choose([ct(0), ct(1), head])
    assert caught.value.reason is RefusalReason.SEVERAL_STUDIES
    mine = replace(head, tags=Tags(patient_key="p", study_uid="another"))
    assert choose([ct(0), ct(1), mine]) == [0, 1]


def test_slices_that_name_nobody_go_with_their_study() -> None:
    bare = [
        FileLook(FileKind.DICOM, Modality.CT, replace(ct(z).tags, patient_key=None)) for z in (2, 3)
    ]
    assert choose([ct(0), ct(1), *bare]) == [0, 1, 2, 3]
    lost = [FileLook(look.kind, look.modality, replace(look.tags, study_uid=None)) for look in bare]
    with pytest.raises(Refusal) as caught:
        choose([ct(0), ct(1), *lost])
    assert caught.value.reason is RefusalReason.SEVERAL_STUDIES


def test_of_several_series_that_with_most_lung_is_chosen_however_many_slices_it_has() -> None:
    looks = [ct(z) for z in range(9)] + [ct(z, series="2") for z in range(4)]
    lungs = {9: 1.0, 4: 4.0}
    assert choose(looks, lambda indices: lungs[len(indices)]) == [9, 10, 11, 12]


def test_of_two_series_of_the_same_lungs_the_finer_is_chosen() -> None:
    looks = [ct(z) for z in range(4)] + [ct(z / 2, series="2") for z in range(8)]
    assert len(choose(looks, lambda indices: 1.1 if len(indices) == 4 else 1.0)) == 8


def test_slices_that_lie_another_way_are_another_series_even_under_one_uid() -> None:
    upright = [
        FileLook(
            FileKind.DICOM,
            Modality.CT,
            replace(ct(0).tags, position=(0, y, 0), orientation=CORONAL),
        )
        for y in range(4)
    ]
    looks = [*upright, *(ct(z) for z in range(3))]
    assert all_series(looks) == [[0, 1, 2, 3], [4, 5, 6]]
    assert choose(looks) == [4, 5, 6]
    assert group(("a", look) for look in looks) == [[0, 1, 2, 3], [4, 5, 6]]


def test_many_frames_in_one_file_are_a_series() -> None:
    frames = replace(ct(0, "2"), frames=30)
    assert choose([ct(0, "3", kind="LOCALIZER"), frames, ct(9, "4")]) == [1]
    assert choose([ct(0), ct(1), frames], lambda indices: 1.0) == [2]


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ([Tags(position=(0, 0, z % 4), instance_number=z) for z in (7, 3, 2, 5, 1, 0, 6, 4)],
         [5, 4, 2, 1]),
        ([Tags(slice_location=z % 3) for z in range(6)], [0, 1, 2]),
        ([Tags(position=(0, 0, 0), instance_number=z) for z in (2, 1, 0)], [2, 1, 0]),
        ([Tags(instance_number=z) for z in (1, 2, 2, 3, None)], [4, 0, 1, 2, 3]),
        ([Tags(position=(0, 0, z)) for z in (1, 1, 2, 3)] + [Tags()], [0, 1, 2, 3, 4]),
    ],
    ids=["positions", "locations", "all at one place", "no places", "one without a place"],
)  # fmt: skip
def test_of_slices_at_one_place_the_first_stays(tags: list[Tags], kept: list[int]) -> None:
    assert one_of_each_place(tags) == kept


def test_an_axial_series_is_chosen_before_a_longer_one_of_another_cut() -> None:
    upright = replace(ct(0, series="2").tags, orientation=CORONAL)
    looks = [ct(z) for z in range(3)] + [FileLook(FileKind.DICOM, Modality.CT, upright)] * 8
    assert choose(looks) == [0, 1, 2]


def test_all_series_are_counted_and_localizers_are_none() -> None:
    looks = [ct(0), ct(1), ct(0, "2"), ct(1, "2"), ct(0, "3", kind="LOCALIZER")]
    assert all_series([*looks, FileLook(FileKind.PNG)]) == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("tags", "known"),
    [
        ([Tags(position=(0, 0, z), orientation=AXIAL) for z in (1, 2)], True),
        ([Tags(position=(0, 0, z)) for z in (1, 2)], True),
        ([Tags(position=(0, 0, 5), orientation=AXIAL)] * 2, False),
        ([Tags(position=(0, y, 0), orientation=CORONAL) for y in (1, 2)], False),
        ([Tags(slice_location=z) for z in (1, 2)], False),
        ([Tags(position=(0, 0, 1)), Tags(instance_number=2)], False),
    ],
    ids=["axial", "no orientation", "one place", "coronal", "locations", "one without"],
)
def test_where_the_feet_are_is_known_only_from_positions(tags: list[Tags], known: bool) -> None:
    assert runs_from_feet(tags) is known


def test_two_x_rays_are_refused() -> None:
    with pytest.raises(Refusal) as caught:
        choose([FileLook(FileKind.DICOM, Modality.XRAY)] * 2)
    assert caught.value.reason is RefusalReason.SEVERAL_STUDIES


def test_single_slices_of_several_series_are_no_series() -> None:
    with pytest.raises(Refusal) as caught:
        choose([ct(0), ct(0, series="2")])
    assert caught.value.reason is RefusalReason.SEVERAL_STUDIES


def test_icons_beside_a_dicom_file_are_passed_over() -> None:
    assert choose([FileLook(FileKind.PNG), ct(0), FileLook(FileKind.JPEG)]) == [1]


def test_nothing_to_choose_from_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        choose([])
    assert caught.value.reason is RefusalReason.NOTHING_INSIDE
