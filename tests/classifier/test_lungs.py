"""The lungs of phantoms and of real slices."""

from pathlib import Path

import numpy as np
import pytest

from classifier.labels import FloatArray, Modality
from classifier.lungs import GRID, find_lungs, lung_box, lung_input, lung_volume
from classifier.preprocess import to_unit
from classifier.reading.picture import read_picture
from classifier.reading.scan import Scan, Tags, Units

LEFT, RIGHT = (-0.4, 0.0), (0.4, 0.0)


def disc(x: float, y: float, wide: float, high: float, side: int = 256) -> np.ndarray:
    down, across = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    inside: np.ndarray = ((across - x) / wide) ** 2 + ((down - y) / high) ** 2 < 1
    return inside


def chest(lung: float = -850, side: int = 256) -> FloatArray:
    """Air, a body on a hollow table, two lungs with a vessel each, a windpipe; Hounsfield units."""
    pixels = np.full((side, side), -1000, np.float32)
    pixels[disc(0, 0.93, 0.9, 0.06, side)] = 200
    pixels[disc(0, 0.93, 0.85, 0.035, side)] = -1000
    pixels[disc(0, 0, 0.85, 0.7, side)] = 40
    for centre in (LEFT, RIGHT):
        pixels[disc(*centre, 0.25, 0.45, side)] = lung
        pixels[disc(*centre, 0.03, 0.03, side)] = 40
    pixels[disc(0, -0.1, 0.04, 0.04, side)] = -1000
    return pixels


def hounsfield(pixels: FloatArray) -> Scan:
    return Scan(pixels, Units.HOUNSFIELD, Modality.CT, None)


def grey(pixels: FloatArray, lowest: float = -1350, width: float = 1500) -> Scan:
    shown = np.clip((pixels - lowest) / width, 0, 1).astype(np.float32)
    return Scan(shown, Units.GREY, None, None)


def cut(pixels: FloatArray) -> Scan:
    """What others publish: the box of the lungs, black outside them."""
    both = disc(*LEFT, 0.25, 0.45) | disc(*RIGHT, 0.25, 0.45)
    down, across = np.flatnonzero(both.any(1)), np.flatnonzero(both.any(0))
    alone = np.where(both, grey(pixels).pixels, 0)
    return Scan(alone[down[0] : down[-1] + 1, across[0] : across[-1] + 1], Units.GREY, None, None)


TRUE = disc(*LEFT, 0.25, 0.45, GRID) | disc(*RIGHT, 0.25, 0.45, GRID)


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    return float(2 * (found & true).sum() / (found.sum() + true.sum()))


@pytest.mark.parametrize(
    "scan",
    [hounsfield(chest()), grey(chest()), grey(chest(), -1000, 1400), grey(chest(), -2000, 3500)],
    ids=["hounsfield", "lung window", "narrow", "wide"],
)
def test_the_lungs_are_found_whatever_the_window_without_table_windpipe_and_air(scan: Scan) -> None:
    (found,) = find_lungs([scan])
    assert overlap(found, TRUE) > 0.85
    assert not (found & disc(0, -0.1, 0.04, 0.04, GRID)).any()
    assert not found[-16:].any()


def test_vessels_and_dense_spots_inside_belong_to_the_lungs() -> None:
    pixels = chest()
    spot = disc(-0.4, 0.2, 0.08, 0.08)
    pixels[spot] = 0
    (found,) = find_lungs([hounsfield(pixels)])
    assert found[disc(-0.4, 0.0, 0.02, 0.02, GRID)].all()
    assert overlap(found, TRUE) > 0.8


def test_of_a_slice_cut_to_the_lungs_all_but_the_black_is_lung() -> None:
    (found,) = find_lungs([cut(chest())])
    left, top, right, bottom = lung_box(found)
    assert (right - left) * (bottom - top) > 0.85 * GRID**2
    assert not found[:, GRID // 2 - 6 : GRID // 2 + 6].any()


@pytest.mark.parametrize("value", [40, -1000, 0])
def test_where_there_is_no_lung_none_is_found(value: float) -> None:
    belly = np.where(disc(0, 0, 0.85, 0.7), 40, -1000).astype(np.float32)
    even = np.full((64, 64), value, np.float32)
    assert not find_lungs([hounsfield(belly), hounsfield(belly), hounsfield(belly)]).any()
    assert not find_lungs([hounsfield(even), grey(even)]).any()


def test_slices_of_any_size_and_number_go_together() -> None:
    scans = [hounsfield(chest(side=side)) for side in (64, 200, 512)]
    together = find_lungs(scans)
    assert together.shape == (3, GRID, GRID)
    for scan, mask in zip(scans, together, strict=True):
        np.testing.assert_array_equal(find_lungs([scan])[0], mask)


def test_the_network_gets_nearly_the_same_of_every_source() -> None:
    scans = [hounsfield(chest()), grey(chest(), -1000, 1400), cut(chest())]
    inputs = [to_unit(lung_input(scan, find_lungs([scan])[0], 96)) for scan in scans]
    for each in inputs:
        assert each.shape == (96, 96)
        assert each.min() == 0
        assert each.max() <= 1
        assert np.median(each[each > 0]) == pytest.approx(0.27, abs=0.04)
        assert np.abs(each - inputs[0]).mean() < 0.04


def test_a_denser_lung_stays_denser_in_hounsfield_units() -> None:
    thin, dense = (hounsfield(chest(value)) for value in (-850, -650))
    means = [float(lung_input(scan, find_lungs([scan])[0], 96).mean()) for scan in (thin, dense)]
    assert means[1] > means[0] + 255 * 0.05


def test_outside_the_lungs_nothing_reaches_the_network() -> None:
    plain, odd = chest(), chest()
    odd[disc(0, 0, 0.85, 0.7) & ~disc(*LEFT, 0.3, 0.5) & ~disc(*RIGHT, 0.3, 0.5)] = 900
    mask = find_lungs([hounsfield(plain)])[0]
    inputs = [lung_input(hounsfield(pixels), mask, 96) for pixels in (plain, odd)]
    np.testing.assert_array_equal(*inputs)


def test_without_lungs_the_whole_slice_is_taken() -> None:
    whole = lung_input(hounsfield(chest()), np.zeros((GRID, GRID), bool), 96)
    assert whole.any(0).all()
    assert whole.any(1).all()


@pytest.mark.parametrize("folder", ["slices-full/normal", "slices-lung-masked/normal"])
def test_real_lungs_are_found(shared_data: Path, folder: str) -> None:
    paths = sorted((shared_data / "ct" / folder).iterdir())[::20]
    found = find_lungs([read_picture(path.read_bytes()) for path in paths])
    assert (found.mean((1, 2)) > 0.05).all()
    assert (found.mean((1, 2)) < 0.4).all()


@pytest.mark.parametrize("far", [1e308, 1e200])
def test_places_that_no_body_has_make_no_volume(far: float) -> None:
    flat = np.full((32, 32), 40, np.int16)
    scans = [
        Scan(flat, Units.HOUNSFIELD, Modality.CT, (far, far), Tags(position=(0, 0, far * z)))
        for z in (-1, 0, 1)
    ]
    assert lung_volume(scans) == 0
