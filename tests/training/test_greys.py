import csv
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from classifier.model import MODELS
from training import dataset, greys
from training.augment import Grey
from training.figures import figures


@pytest.fixture(scope="module")
def usual() -> Grey:
    rng = np.random.default_rng(0)
    levels = np.clip(rng.normal(130, 50, (20, 64, 64)), 0, 255)
    return levels.astype(np.uint8)


@pytest.fixture
def dark() -> Grey:
    rng = np.random.default_rng(1)
    return np.clip(rng.normal(60, 20, (64, 64)), 0, 255).astype(np.uint8)


def test_each_way_brings_a_dark_picture_into_line(usual: Grey, dark: Grey) -> None:
    for name, way in greys.ways(usual).items():
        brought = way(dark)
        assert (brought.shape, brought.dtype) == (dark.shape, np.uint8), name
        assert abs(np.median(brought) - 130) < abs(np.median(dark) - 130) - 30, name


def test_what_is_usual_already_stays(usual: Grey) -> None:
    ways = greys.ways(usual)
    for name in ("gamma", "lungs", "matched"):
        gone = np.abs(ways[name](usual[0]).astype(int) - usual[0])
        assert gone.mean() < 3, name


def test_matched_greys_are_the_usual_ones_in_the_old_order(usual: Grey, dark: Grey) -> None:
    matched = greys.ways(usual)["matched"](dark)
    np.testing.assert_allclose(
        np.sort(matched, None), np.sort(usual.reshape(20, -1)).mean(0), atol=1
    )
    assert (np.diff(matched.ravel()[np.argsort(dark, None, kind="stable")].astype(int)) >= 0).all()


@pytest.mark.parametrize("level", [0, 255])
def test_a_blank_picture_is_no_trouble(usual: Grey, level: int) -> None:
    for way in greys.ways(usual).values():
        assert way(np.full((64, 64), level, np.uint8)).shape == (64, 64)


def test_each_way_is_compared_with_the_same_pictures_as_they_are(
    labelled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greys, "STRESSES", ("dark",))
    monkeypatch.setattr(greys, "figures", partial(figures, resamples=20))
    greys.main(MODELS / "resnet34_xray", [labelled_folder], out=tmp_path / "greys.csv")
    rows = list(csv.DictReader((tmp_path / "greys.csv").open()))
    names = ["as it is", "stretched", "equalised", "gamma", "lungs", "matched"]
    assert [row["greys"] for row in rows] == 2 * names
    assert [row["kind"] for row in rows] == 6 * ["clean"] + 6 * ["dark"]
    count = len(dataset.split(dataset.find_examples(labelled_folder)).tuning)
    assert {row["pictures"] for row in rows} == {str(count)}
    for row in rows:
        gain = float(row["balanced_accuracy"]) - float(
            rows[6 * (row["kind"] == "dark")]["balanced_accuracy"]
        )
        assert float(row["gain"]) == pytest.approx(gain, abs=2e-4)
