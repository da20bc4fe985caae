from pathlib import Path

import numpy as np

from classifier.labels import FloatArray
from classifier.likeness import Likeness
from training.likeness import fit_likeness

CHANNELS = 24


def cloud(place: float, count: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(place, 1, (count, CHANNELS)).astype(np.float32)


def features(pooled: FloatArray) -> FloatArray:
    return np.broadcast_to(pooled, (2, 2, CHANNELS))


def test_about_one_known_picture_in_a_hundred_is_called_unusual() -> None:
    likeness = fit_likeness(cloud(0, 400, 0), cloud(0, 300, 3))
    distances = [likeness.distance(features(each)) for each in cloud(0, 500, 6)]
    assert 0 < np.mean(np.array(distances) > 1) < 0.05
    assert likeness.distance(features(cloud(8, 1, 7)[0])) > 1


def test_it_comes_back_as_saved(tmp_path: Path) -> None:
    likeness = fit_likeness(cloud(0, 40, 0), cloud(0, 30, 3))
    likeness.save(tmp_path / "likeness.npz")
    loaded = Likeness.load(tmp_path / "likeness.npz")
    np.testing.assert_array_equal(loaded.whitening, likeness.whitening)
