import numpy as np
import pytest

from classifier.gate import Gate
from classifier.labels import FloatArray, Modality
from classifier.reading.scan import Scan, Units
from training.fit_gate import fit_gate
from training.negatives import negatives

CHANNELS = 24


def cloud(place: float, count: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(place, 1, (count, CHANNELS)).astype(np.float32)


@pytest.fixture(scope="module")
def gate() -> Gate:
    return fit_gate(
        xray=cloud(0, 400, 0),
        more_xray=cloud(0, 50, 8),
        ct=cloud(2, 200, 1),
        neither=cloud(-2, 200, 2),
        chosen=cloud(0, 300, 3),
    )


def features(pooled: FloatArray) -> FloatArray:
    return np.broadcast_to(pooled, (2, 2, CHANNELS))


@pytest.mark.parametrize(("place", "kind"), [(0, Modality.XRAY), (2, Modality.CT), (-2, None)])
def test_the_three_kinds_are_told_apart(gate: Gate, place: float, kind: Modality | None) -> None:
    scan = Scan(np.zeros((9, 9), np.float32), Units.GREY, None, None)
    kinds = [gate.kind_of(scan, features(each)) for each in cloud(place, 50, 4)]
    assert kinds.count(kind) >= 48


def test_what_a_header_says_comes_first(gate: Gate) -> None:
    scan = Scan(np.zeros((9, 9), np.float32), Units.GREY, Modality.XRAY, None)
    assert gate.kind_of(scan, features(cloud(2, 1, 5)[0])) is Modality.XRAY


def test_about_one_known_picture_in_a_hundred_is_called_unusual(gate: Gate) -> None:
    distances = [gate.distance(features(each)) for each in cloud(0, 500, 6)]
    assert 0 < np.mean(np.array(distances) > 1) < 0.05
    assert gate.distance(features(cloud(8, 1, 7)[0])) > 1


def test_a_gate_comes_back_as_saved(gate: Gate, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("gate") / "gate.npz"
    gate.save(path)
    np.testing.assert_array_equal(Gate.load(path).whitening, gate.whitening)


def test_made_up_negatives_differ_and_stay_in_range() -> None:
    made = negatives(12, 48)
    assert made.shape == (12, 48, 48)
    assert made.min() >= 0
    assert made.max() <= 1
    assert len({each.tobytes() for each in made}) == 12
    np.testing.assert_array_equal(made, negatives(12, 48))
