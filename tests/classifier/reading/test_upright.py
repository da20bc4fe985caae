"""A frame turned and stretched as it lies in the body."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from .conftest import one

Make = Callable[..., bytes]

BODY = np.arange(24 * 32, dtype=np.int16).reshape(24, 32)
CT = {"Modality": "CT", "RescaleIntercept": 0, "ImagePositionPatient": [0, 0, 5]}


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        ([1, 0, 0, 0, 1, 0], BODY),
        ([-1, 0, 0, 0, 1, 0], BODY[:, ::-1]),
        ([-1, 0, 0, 0, -1, 0], BODY[::-1, ::-1]),
        ([1, 0, 0, 0, -1, 0], BODY[::-1]),
        ([0, 1, 0, 1, 0, 0], BODY.T),
        ([0, -1, 0, 1, 0, 0], BODY.T[:, ::-1]),
        ([1, 0, 0, 0, 0.94, -0.34], BODY),
        # Not across the body, and nowhere: as it is.
        ([1, 0, 0, 0, 0, -1], BODY),
        (None, BODY),
    ],
)
def test_however_an_axial_slice_is_stored_it_comes_upright(
    orientation: list[float] | None, stored: NDArray[np.int16], dicom: Make
) -> None:
    said = {} if orientation is None else {"ImageOrientationPatient": orientation}
    assert np.array_equal(one(dicom(stored, **CT, **said)).pixels, BODY)


def test_pixels_of_a_slice_become_square(dicom: Make) -> None:
    squashed = one(dicom(BODY, **CT, PixelSpacing=[1.4, 0.7]))
    assert squashed.pixels.shape == (48, 32) and squashed.spacing == (0.7, 0.7)
    assert squashed.pixels.dtype == np.int16
    assert np.abs(squashed.pixels[::2] - BODY).max() <= 16
    uneven = np.where(BODY % 2, -1000, -999).astype(np.int16)
    mean = one(dicom(uneven, **CT, PixelSpacing=[1.3, 0.7])).pixels.mean()
    assert mean == pytest.approx(-999.5, abs=0.1)
    narrow = one(dicom(BODY, **CT, PixelSpacing=[0.7, 1.4]))
    assert narrow.pixels.shape == (24, 64)


@pytest.mark.parametrize(
    ("ratio", "shape"), [([2, 1], (48, 32)), ([1, 2], (24, 64)), ([1, 1], (24, 32))]
)
def test_an_x_ray_tells_how_high_its_pixels_are(
    ratio: list[int], shape: tuple[int, int], dicom: Make
) -> None:
    scan = one(dicom(BODY.astype(np.uint16), PixelAspectRatio=ratio))
    assert scan.pixels.shape == shape
    assert 0 <= scan.pixels.min() <= scan.pixels.max() <= 1


@pytest.mark.parametrize("ratio", [[1, 100_000], [0, 1], [1], [-2, 1]])
def test_a_ratio_of_no_scanner_changes_nothing(ratio: list[int], dicom: Make) -> None:
    scan = one(dicom(BODY.astype(np.uint16), PixelAspectRatio=ratio))
    assert scan.pixels.shape == BODY.shape
