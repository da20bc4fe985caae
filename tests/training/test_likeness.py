from pathlib import Path

import numpy as np
import pytest

from classifier.engines import Output
from classifier.labels import FloatArray, Label
from classifier.likeness import Likeness
from training import likeness as fitting
from training.dataset import Example, Pictures, Split
from training.likeness import FEWEST, MANY, fit_likeness, likeness_of

CHANNELS = 24


def cloud(place: float, count: int, seed: int, channels: int = CHANNELS) -> FloatArray:
    return np.random.default_rng(seed).normal(place, 1, (count, channels)).astype(np.float32)


def features(pooled: FloatArray) -> FloatArray:
    return np.broadcast_to(pooled, (2, 2, len(pooled)))


def test_about_one_known_picture_in_a_hundred_is_called_unusual() -> None:
    likeness = fit_likeness(cloud(0, 400, 0), cloud(0, 300, 3))
    distances = [likeness.distance(features(each)) for each in cloud(0, 500, 6)]
    assert 0 < np.mean(np.array(distances) > 1) < 0.05
    assert likeness.distance(features(cloud(8, 1, 7)[0])) > 1


def test_it_comes_back_as_saved(tmp_path: Path) -> None:
    likeness = fit_likeness(cloud(0, 80, 0), cloud(0, 30, 3))
    likeness.save(tmp_path / "likeness.npz")
    loaded = Likeness.load(tmp_path / "likeness.npz")
    np.testing.assert_array_equal(loaded.whitening, likeness.whitening)


def test_a_direction_that_few_rows_do_not_show_does_not_outweigh_the_others() -> None:
    """Of 60 rows the last of 128 directions is rounding, and says nothing of the first channel."""
    trained, chosen = cloud(0, FEWEST, 0, channels=128), cloud(0, 300, 3, channels=128)
    unlike = cloud(0, 50, 7, channels=128)
    for each, place in ((trained, 0), (chosen, 0), (unlike, 100)):
        each[:, 0] = 10 * each[:, 0] + place
    likeness = fit_likeness(trained, chosen)
    assert all(likeness.distance(features(each)) > 1 for each in unlike)


def test_a_channel_that_says_nothing_does_not_either() -> None:
    trained, chosen, unlike = cloud(0, 300, 0), cloud(0, 300, 3), cloud(8, 50, 7)
    for each in (trained, chosen):
        each[:, 1:] *= 1e-4
    likeness = fit_likeness(trained, chosen)
    assert likeness.whitening.shape == (CHANNELS, 1)
    assert all(likeness.distance(features(each)) > 1 for each in unlike)


def test_too_few_rows_are_an_error() -> None:
    with pytest.raises(ValueError, match="cannot tell what is unlike them"):
        fit_likeness(cloud(0, FEWEST - 1, 0), cloud(0, 30, 3))


@pytest.mark.parametrize(("count", "used"), [(90, 90), (MANY, MANY), (3 * MANY, MANY)])
def test_of_few_training_pictures_none_is_left_out(
    count: int, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[int] = []

    def load(examples: list[Example], size: int) -> Pictures:
        loaded.append(len(examples))
        return pictures

    monkeypatch.setattr(fitting, "load_pictures", load)
    monkeypatch.setattr(fitting, "run_engine", lambda *_: Output(cloud(0, 80, 1), cloud(0, 80, 0)))
    pictures = Pictures(np.zeros((80, 4, 4), np.uint8), *[np.zeros(80)] * 3)
    train = [Example(Path("a"), Label.NORMAL, "a", "a")] * count
    likeness_of(None, Split(train, [], []), pictures, 4)
    assert loaded == [used]
