import csv
import fcntl
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import typer

from training import cross_validate, out_of_fold
from training.calibrate import CAUSE_UNKNOWN
from training.dataset import FOLDS, find_all, split
from training.figures import figures
from training.out_of_fold import Answers
from training.recipe import Phase, Start, load
from training.stress import STRESSES


def answers(fold: int, seed: int, count: int = 60) -> Answers:
    """Logits that are right more often than not, too sure by a factor of three."""
    rng = np.random.default_rng([fold, seed])
    classes = rng.integers(0, 3, count)
    logits = rng.normal(size=(count, 1 + len(STRESSES), 3)) + 2 * np.eye(3)[classes][:, None]
    adult = np.arange(count) % 4 == 0
    return Answers(
        logits=(3 * logits).astype(np.float32),
        classes=np.where(adult & (classes > 0), CAUSE_UNKNOWN, classes),
        sources=np.where(adult, "adults", "children"),
        patients=np.array([f"{fold}/{row}" for row in range(count)]),
        folds=np.full(count, fold),
        seeds=np.full(count, seed),
    )


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two whole seeds, and a third of which one fold is missing."""
    monkeypatch.setattr(out_of_fold, "figures", partial(figures, resamples=20))
    for seed in range(3):
        for fold in range(FOLDS if seed < 2 else FOLDS - 1):
            run = tmp_path / f"fold{fold}-seed{seed}"
            run.mkdir()
            answers(fold, seed).save(run / "held_out.npz")
    return tmp_path


def test_every_seed_and_source_gets_a_row(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out_of_fold.main(runs, "some", runs / "results.csv")
    rows = list(csv.DictReader((runs / "results.csv").open()))
    assert [(row["seed"], row["source"]) for row in rows] == [
        ("0", "adults"),
        ("1", "adults"),
        ("0", "children"),
        ("1", "children"),
    ]
    assert all(0 < float(row["pneumonia_auroc_low"]) <= 1 for row in rows)
    assert [bool(row["accuracy"]) for row in rows] == [False, False, True, True]
    assert 0.3 < float(rows[2]["stress_photo_accuracy"]) <= 1
    assert 0 < float(rows[2]["kind_not_given_away"]) <= 1
    assert "| macro_auroc | 0." in capsys.readouterr().out


def test_the_temperature_is_that_of_the_answers_out_of_fold(runs: Path) -> None:
    out_of_fold.main(runs, "some", runs / "results.csv")
    fitted = json.loads((runs / "calibration.json").read_text())
    assert 1.0 < fitted["temperature"] < 4
    assert set(fitted["sure_from"]) == {"normal", "bacterial", "viral"}


def test_a_model_is_calibrated_on_no_picture_it_is_measured_on(runs: Path) -> None:
    out_of_fold.main(runs, "some", runs / "results.csv")
    others = out_of_fold.answers_of_others(runs / out_of_fold.FILE, fold=1)
    assert others.logits.shape == (2 * (FOLDS - 1) * 60, 3)
    theirs = [answers(fold, seed).classes for fold in (0, 2, 3, 4) for seed in (0, 1)]
    np.testing.assert_array_equal(others.classes, np.concatenate(theirs))
    assert len(set(others.patients)) == (FOLDS - 1) * 60


def test_no_whole_seed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    answers(0, 0).save(tmp_path / "run" / "held_out.npz")
    with pytest.raises(typer.BadParameter, match="no seed"):
        out_of_fold.main(tmp_path, "some", tmp_path / "results.csv")


@pytest.mark.usefixtures("tiny_network")
def test_each_picture_is_answered_by_a_network_that_never_saw_it(
    labelled_folder: Path,
    adults_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = replace(load("recipes/shift"), phases=(Phase(size=32, epochs=1),), start=Start.SCRATCH)
    monkeypatch.setattr("training.recipe.load", lambda name: recipe)
    monkeypatch.setattr(cross_validate, "FOLDS", 2)
    data = [labelled_folder, adults_folder]
    cross_validate.main("recipes/shift", data, tmp_path, [0])
    first, second = (out_of_fold.load(path) for path in sorted(tmp_path.glob("*/held_out.npz")))
    assert not set(first.patients) & set(second.patients)
    for fold, answered in enumerate((first, second)):
        parts = split(find_all(data), fold)
        assert answered.patients.tolist() == [each.patient for each in parts.held_out]
        assert answered.logits.shape == (len(parts.held_out), 1 + len(STRESSES), 3)

    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*")}
    (tmp_path / "fold1-seed0" / "held_out.npz").unlink()
    cross_validate.main("recipes/shift", data, tmp_path, [0])
    changed = {path for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert {path for path in changed if path.name != "lock"} == {
        tmp_path / "fold1-seed0" / "held_out.npz"
    }
    with pytest.raises(ValueError, match="holds a run of"):
        cross_validate.main("recipes/shift", [labelled_folder], tmp_path, [0])


@pytest.mark.usefixtures("tiny_network")
def test_a_run_that_another_process_is_at_is_left_to_it(
    labelled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross_validate, "FOLDS", 1)
    run = tmp_path / "fold0-seed4"
    run.mkdir()
    with (run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cross_validate.main("recipes/shift", [labelled_folder], tmp_path, [4])
    assert [path.name for path in run.iterdir()] == ["lock"]


def test_a_recipe_that_needs_a_start_is_not_trained_without(
    labelled_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="needs a start"):
        cross_validate.main("recipes/shift", [labelled_folder], tmp_path, [0])
