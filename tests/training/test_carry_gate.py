import numpy as np
import pytest

from classifier.gate import Gate
from classifier.labels import FloatArray
from training.carry_gate import carry

CHANNELS, DIRECTIONS = 16, 4


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def gate(rng: np.random.Generator) -> Gate:
    arrays = ((CHANNELS, 3), (3,), (CHANNELS,), (CHANNELS, DIRECTIONS))
    return Gate(*(rng.normal(size=shape).astype(np.float32) for shape in arrays))


def seen(rng: np.random.Generator, count: int = 400) -> FloatArray:
    return rng.gamma(2, size=(count, CHANNELS)).astype(np.float32)


def scores(gate: Gate, features: FloatArray) -> FloatArray:
    return features @ gate.kernel + gate.bias


def distances(gate: Gate, features: FloatArray) -> FloatArray:
    """Measure likeness, on the scale on which 99 of 100 are within 1."""
    found: FloatArray = np.linalg.norm((features - gate.mean) @ gate.whitening, axis=1)
    return found / np.quantile(found, 0.99)


def test_features_that_did_not_move_keep_their_gate(rng: np.random.Generator, gate: Gate) -> None:
    features = seen(rng)
    carried = carry(gate, features, features, features)
    np.testing.assert_allclose(carried.kernel, gate.kernel, atol=1e-4)
    np.testing.assert_allclose(scores(carried, features), scores(gate, features), atol=1e-3)
    np.testing.assert_allclose(distances(carried, features), distances(gate, features), atol=1e-3)


def test_a_gate_says_of_moved_features_what_it_said_before(
    rng: np.random.Generator, gate: Gate
) -> None:
    turn = np.eye(CHANNELS) + 0.1 * rng.normal(size=(CHANNELS, CHANNELS))
    old, later = seen(rng), seen(rng)
    new, later_new = (each @ turn + 0.3 for each in (old, later))
    carried = carry(gate, old, new.astype(np.float32), new.astype(np.float32))
    same = scores(carried, later_new).argmax(1) == scores(gate, later).argmax(1)
    as_it_was = scores(gate, later_new).argmax(1) == scores(gate, later).argmax(1)
    assert same.mean() > 0.95 > as_it_was.mean()
    kept = np.corrcoef(distances(carried, later_new), distances(gate, later))[0, 1]
    assert kept > 0.98


def test_where_no_picture_is_nothing_changes(rng: np.random.Generator, gate: Gate) -> None:
    old = seen(rng)
    old[:, 0] = 0
    new = old.copy()
    new[:, 1] += 0.5 * old[:, 2]
    carried = carry(gate, old, new, new)
    np.testing.assert_allclose(carried.kernel[0], gate.kernel[0], atol=1e-6)


def test_likeness_keeps_its_scale(rng: np.random.Generator, gate: Gate) -> None:
    old, chosen = seen(rng), seen(rng)
    carried = carry(gate, old, old * 1.5, chosen * 1.5)
    found = np.linalg.norm((chosen * 1.5 - carried.mean) @ carried.whitening, axis=1)
    assert (found <= 1.001).mean() == pytest.approx(0.99, abs=0.01)
