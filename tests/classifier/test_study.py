"""Which slices are looked at, and what becomes of many answers."""

from dataclasses import replace

import numpy as np
import pytest

from classifier.engines import Output
from classifier.labels import Doubt, Finding, FloatArray, Modality
from classifier.lungs import GRID, lung_box
from classifier.model import Model
from classifier.reading.scan import Scan, Study, Tags, Units
from classifier.study import (
    MOST_LOOKED_AT,
    aggregate,
    conclude,
    look_at,
    lung_slices,
    over_slice,
)

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def ct_slice(lung_rows: int, density: float = -850, tags: Tags | None = None) -> Scan:
    pixels = np.full((96, 96), 40, np.float32)
    pixels[24 : 24 + lung_rows, 20:44] = pixels[24 : 24 + lung_rows, 52:76] = density
    return Scan(pixels, Units.HOUNSFIELD, Modality.CT, None, tags or Tags(orientation=AXIAL))


def masks(*lungs: int) -> np.ndarray:
    made = np.zeros((len(lungs), GRID, GRID), bool)
    for mask, cells in zip(made, lungs, strict=True):
        mask.ravel()[:cells] = True
    return made


def concluded(model: Model, study: Study) -> tuple[Finding, tuple[FloatArray, ...]]:
    looked = look_at(study.scans, model.card.input_size)
    inputs = looked.inputs
    return conclude(model, study, looked, model.engine.run(inputs))


def test_slices_above_and_below_the_lungs_are_left_out() -> None:
    assert lung_slices(masks(0, 10, 30, 48, 40, 5)) == [2, 3, 4]


def test_of_very_many_slices_some_are_looked_at_evenly_from_end_to_end() -> None:
    chosen = lung_slices(masks(*[9] * 400))
    assert len(chosen) == MOST_LOOKED_AT
    assert (chosen[0], chosen[-1]) == (0, 399)
    assert set(np.diff(chosen)) == {6, 7}


def test_without_any_lung_all_slices_are_looked_at() -> None:
    assert lung_slices(masks(0, 0)) == [0, 1]


def test_the_slices_that_speak_most_for_pneumonia_come_first() -> None:
    logits = np.zeros((20, 3), np.float32)
    logits[[3, 5, 7, 11, 13], 2] = [1, 5, 2, 4, 3]
    assert aggregate(logits)[1] == [5, 11, 13]


def test_a_share_of_the_slices_decides() -> None:
    healthy, ill = [4.0, 0.0, 0.0], [0.0, 5.0, 0.0]
    logits = np.array([healthy] * 6 + [ill] * 2, np.float32)
    assert aggregate(logits, 0.25)[0].tolist() == ill
    assert aggregate(logits, 1.0)[0].tolist() == [3, 1.25, 0]


def test_one_slice_decides_alone() -> None:
    logits, deciding = aggregate(np.array([[1.0, 2.0, 3.0]], np.float32))
    assert logits.tolist() == [1, 2, 3]
    assert deciding == [0]


def test_a_finding_names_its_slices_by_their_place_in_the_series(ct_model: Model) -> None:
    scans = [ct_slice(0), *[ct_slice(48)] * 3, ct_slice(48, -500), ct_slice(48, -600), ct_slice(0)]
    study = Study(tuple(scans), from_feet=True, series=2)
    finding, shown = concluded(ct_model, study)
    assert finding.slices == 7
    assert finding.places is not None
    assert finding.places.deciding[:2] == (4, 5)
    assert (finding.places.from_feet, finding.places.series) == (True, 2)
    assert finding.places.looked_at == 5
    assert 0 <= finding.places.affected <= 5
    assert [float(each[40, 30]) for each in shown[:2]] == pytest.approx([0.5667, 0.5], abs=1e-3)


def test_a_single_slice_has_no_place(ct_model: Model) -> None:
    finding, shown = concluded(ct_model, Study((ct_slice(48),)))
    assert finding.places is None
    assert len(shown) == 1


@pytest.mark.parametrize(
    "odd", [ct_slice(0), ct_slice(48, tags=Tags(orientation=CORONAL))], ids=["no lung", "coronal"]
)
def test_what_the_network_never_saw_is_never_sure(ct_model: Model, odd: Scan) -> None:
    likeness = replace(ct_model.likeness, whitening=ct_model.likeness.whitening * 0)
    finding, _ = concluded(replace(ct_model, likeness=likeness), Study((odd,)))
    assert Doubt.UNLIKE_TRAINING in finding.doubts
    assert finding.label is None
    usual, _ = concluded(replace(ct_model, likeness=likeness), Study((ct_slice(48),)))
    assert Doubt.UNLIKE_TRAINING not in usual.doubts


def test_a_study_unlike_the_training_studies_is_never_sure(ct_model: Model) -> None:
    far = replace(ct_model.likeness, mean=ct_model.likeness.mean + 9)
    finding, _ = concluded(replace(ct_model, likeness=far), Study((ct_slice(48),) * 4))
    assert Doubt.UNLIKE_TRAINING in finding.doubts
    assert finding.label is None


def test_a_damaged_slice_is_told_and_what_is_said_of_x_rays_alone_is_not(ct_model: Model) -> None:
    sound = ct_slice(48)
    damaged = replace(sound, doubts=frozenset({Doubt.DAMAGED, Doubt.OTHER_AGE}))
    finding, _ = concluded(ct_model, Study((sound, damaged, sound)))
    assert Doubt.DAMAGED in finding.doubts
    assert Doubt.OTHER_AGE not in finding.doubts
    assert finding.label is None


def test_the_map_lies_on_the_lungs_of_the_whole_slice_and_keeps_its_evidence() -> None:
    mask = np.zeros((GRID, GRID), bool)
    mask[32:96, 16:80] = True
    even = np.full((4, 4), 0.5, np.float32)
    spread = over_slice(even, mask)
    assert spread[32, 24] * spread.size == pytest.approx(0.5 * even.size)
    assert lung_box(spread != 0) == (8, 16, 40, 48)


def test_a_map_without_lungs_stays_as_it_is() -> None:
    even = np.full((4, 4), 0.5, np.float32)
    assert over_slice(even, np.zeros((GRID, GRID), bool)) is even


def test_air_in_the_bowel_or_the_windpipe_is_no_chest() -> None:
    def gas(side: int) -> Scan:
        scan = ct_slice(0)
        scan.pixels[40 : 40 + side, 40 : 40 + side] = -950
        return scan

    chest, bowel = ct_slice(48), gas(16)
    assert look_at([bowel] * 3 + [chest], 32).is_chest
    assert not look_at([bowel] * 4, 32).is_chest
    assert not look_at([gas(0)] * 4, 32).is_chest
    assert look_at([bowel], 32).is_chest, "one slice may be from the end of a chest"


def test_more_slices_than_go_at_once_are_looked_at_alike() -> None:
    few, many = look_at([ct_slice(48)] * 3, 32), look_at([ct_slice(48)] * 70, 32)
    assert len(many.inputs) == MOST_LOOKED_AT
    np.testing.assert_array_equal(few.inputs[0], many.inputs[-1])


def test_of_a_long_series_the_slices_between_are_counted(ct_model: Model) -> None:
    study = Study((ct_slice(48),) * 4, skipped=frozenset({1, 2, 4, 5, 7, 8}))
    finding, _ = concluded(ct_model, study)
    assert finding.places is not None
    assert (finding.slices, finding.places.looked_at) == (10, 4)
    assert set(finding.places.deciding) < {0, 3, 6, 9}


def test_affected_counts_slices_rather_ill_than_normal(ct_model: Model) -> None:
    study = Study((ct_slice(48),) * 4)
    looked = look_at(study.scans, 32)
    logits = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 1, 1]], np.float32)
    output = Output(logits, np.zeros((4, 2, 2, 1), np.float32))
    finding, _ = conclude(ct_model, study, looked, output)
    assert finding.places is not None
    assert (finding.places.affected, finding.places.looked_at) == (2, 4)
