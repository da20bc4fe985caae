import numpy as np

from classifier.labels import Modality
from classifier.reading.scan import Scan, Units
from classifier.study import aggregate, lung_slices


def ct_slice(lung_rows: int) -> Scan:
    pixels = np.full((96, 96), 40, np.float32)
    pixels[24 : 24 + lung_rows, 20:76] = -850
    return Scan(pixels, Units.HOUNSFIELD, Modality.CT, None)


def test_slices_above_and_below_the_lungs_are_left_out() -> None:
    assert lung_slices([ct_slice(rows) for rows in (0, 10, 30, 48, 40, 5)]) == [2, 3, 4]


def test_air_beside_the_body_is_no_lung() -> None:
    scan = ct_slice(0)
    scan.pixels[:, :12] = scan.pixels[:, -12:] = -1000
    assert lung_slices([scan, ct_slice(48)]) == [1]


def test_a_picture_of_a_slice_is_taken_as_it_is() -> None:
    scan = Scan(np.zeros((9, 9), np.float32), Units.GREY, Modality.CT, None)
    assert lung_slices([scan]) == [0]


def test_a_few_ill_slices_decide_over_many_healthy_ones() -> None:
    healthy, ill = [4.0, 0.0, 0.0], [0.0, 5.0, 0.0]
    logits, deciding = aggregate(np.array([healthy] * 6 + [ill] * 2, np.float32))
    assert logits.argmax() == 1
    assert sorted(deciding) == [6, 7]


def test_one_slice_decides_alone() -> None:
    logits, deciding = aggregate(np.array([[1.0, 2.0, 3.0]], np.float32))
    assert logits.tolist() == [1, 2, 3]
    assert deciding == [0]


def test_of_many_slices_that_decided_the_three_that_did_most_are_named() -> None:
    logits = np.zeros((20, 3), np.float32)
    logits[[3, 5, 7, 11, 13], 2] = [1, 5, 2, 4, 3]
    assert aggregate(logits)[1] == [5, 11, 13]
