"""Chest X-rays projected from CT: one lung behind the other from the side, no table beside them."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy.signal import find_peaks

from classifier.gate import Gate
from classifier.labels import Modality
from classifier.reading.scan import Scan, Units
from training import laterals, phantoms
from training.gate_data import KEPT, Shown
from training.laterals import EACH, FRONTS, LATERALS, projected

from ..journeys.pictures import ct_series

SLICES = 16


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The projections of a drawn chest that lies on a table, a hand's breadth below it."""
    folder = tmp_path_factory.mktemp("ct") / "patient"
    folder.mkdir()
    for number, file in enumerate(ct_series(SLICES)):
        slice_ = pydicom.dcmread(io.BytesIO(file))
        pixels = slice_.pixel_array.copy()
        pixels[60:62] = 600
        slice_.PixelData = pixels.tobytes()
        # Files come in any order.
        slice_.save_as(folder / f"{number * 7 % SLICES}.dcm")
    return projected([folder])


def profile(shown: Shown, number: int) -> np.ndarray:
    """Take what is bright across the middle of a picture."""
    middle: np.ndarray = shown.pixels[number][KEPT // 2 - 4 : KEPT // 2 + 4].mean(0)
    return middle


def dark_places(levels: np.ndarray) -> int:
    """Count what is darker than both its sides."""
    return len(find_peaks(-levels, prominence=22)[0])


def test_both_lungs_are_seen_from_the_front_and_one_from_the_side(shown: Shown) -> None:
    front = int(np.flatnonzero(shown.families == FRONTS)[3])
    side = int(np.flatnonzero(shown.families == LATERALS)[5])
    assert dark_places(profile(shown, front)) == 2
    assert dark_places(profile(shown, side)) == 1


def test_the_table_is_not_seen(shown: Shown) -> None:
    side = profile(shown, int(np.flatnonzero(shown.families == LATERALS)[5]))
    # The body's two rims are alike; a table would be a third thing beside one of them.
    assert side[: KEPT // 2] == pytest.approx(side[: KEPT // 2 - 1 : -1], abs=25)


def test_a_series_is_one_patient_and_one_source(shown: Shown) -> None:
    assert set(shown.groups) == set(shown.sources) == {"patient"}
    assert shown.pixels.shape == (len(shown.families), KEPT, KEPT)
    assert set(shown.families) == {FRONTS, LATERALS}


def test_drawn_chests_are_seen_from_the_side_as_often_as_from_the_front(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(laterals, "DRAWN", 2)
    shown = laterals.drawn()
    assert [*shown.families] == 2 * (EACH * [LATERALS] + EACH * [FRONTS])
    assert len({each.tobytes() for each in shown.pixels}) > 2 * EACH
    assert set(shown.groups) == {"chest 0", "chest 1"}


def test_a_drawn_chest_has_lungs_in_a_body_on_air() -> None:
    for seed in range(3):
        volume = phantoms.chest(np.random.default_rng(seed))
        assert volume.shape == (phantoms.SLICES, phantoms.SIDE, phantoms.SIDE)
        middle = volume[phantoms.SLICES // 2, phantoms.SIDE // 2]
        is_lung = (middle < -500) & (middle > -1000)
        left, right = is_lung[: phantoms.SIDE // 2], is_lung[phantoms.SIDE // 2 :]
        assert left.sum() > 10
        assert right.sum() > 10
        assert (middle[[0, -1]] == phantoms.AIR).all()
        assert (volume == phantoms.BONE).mean() > 0.005


def test_the_gate_that_ships_knows_the_front_from_the_side(shared_data: Path) -> None:
    shown, gate = projected(sorted((shared_data / "ct" / "series").iterdir())), Gate()
    looks = [gate.look(grey) for grey in shown.greys()]
    for header, most in ((None, 0), (Modality.XRAY, 2)):
        scan = Scan(shown.pixels[0], Units.GREY, header, None)
        let_in = np.array([gate.modality(scan, look) is not None for look in looks])
        assert let_in[shown.families == FRONTS].all()
        assert let_in[shown.families == LATERALS].sum() <= most
