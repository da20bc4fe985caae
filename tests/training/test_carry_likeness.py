import numpy as np
import pytest

from classifier.labels import FloatArray
from classifier.likeness import Likeness
from training.carry_likeness import carry

CHANNELS, DIRECTIONS = 16, 4


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def likeness(rng: np.random.Generator) -> Likeness:
    arrays = (CHANNELS,), (CHANNELS, DIRECTIONS)
    return Likeness(*(rng.normal(size=shape).astype(np.float32) for shape in arrays))


def seen(rng: np.random.Generator, count: int = 400) -> FloatArray:
    return rng.gamma(2, size=(count, CHANNELS)).astype(np.float32)


def distances(likeness: Likeness, features: FloatArray) -> FloatArray:
    """Measure likeness, on the scale on which 99 of 100 are within 1."""
    found: FloatArray = np.linalg.norm((features - likeness.mean) @ likeness.whitening, axis=1)
    return found / np.quantile(found, 0.99)


def test_features_that_did_not_move_keep_their_likeness(
    rng: np.random.Generator, likeness: Likeness
) -> None:
    features = seen(rng)
    carried = carry(likeness, features, features, features)
    expected = distances(likeness, features)
    np.testing.assert_allclose(distances(carried, features), expected, atol=1e-3)


def test_of_moved_features_it_says_what_it_said_before(
    rng: np.random.Generator, likeness: Likeness
) -> None:
    turn = np.eye(CHANNELS) + 0.1 * rng.normal(size=(CHANNELS, CHANNELS))
    old, later = seen(rng), seen(rng)
    new, later_new = (each @ turn + 0.3 for each in (old, later))
    carried = carry(likeness, old, new.astype(np.float32), new.astype(np.float32))
    before = distances(likeness, later)
    assert np.corrcoef(distances(carried, later_new), before)[0, 1] > 0.98
    assert np.corrcoef(distances(likeness, later_new), before)[0, 1] < 0.98


def test_where_no_picture_is_nothing_changes(rng: np.random.Generator, likeness: Likeness) -> None:
    old = seen(rng)
    old[:, 0] = 0
    new = old.copy()
    new[:, 1] += 0.5 * old[:, 2]
    carried = carry(likeness, old, new, new)
    # But for the scale of all.
    shares = carried.whitening[0] / likeness.whitening[0]
    np.testing.assert_allclose(shares, shares.mean(), rtol=1e-4)


def test_likeness_keeps_its_scale(rng: np.random.Generator, likeness: Likeness) -> None:
    old, chosen = seen(rng), seen(rng)
    carried = carry(likeness, old, old * 1.5, chosen * 1.5)
    found = np.linalg.norm((chosen * 1.5 - carried.mean) @ carried.whitening, axis=1)
    assert (found <= 1.001).mean() == pytest.approx(0.99, abs=0.01)
