import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from classifier import resnet
from classifier.labels import Modality
from classifier.model import EngineKind, load_model
from training import dataset, evaluate, loop, train
from training.recipe import Phase, Recipe, load

TINY = Recipe(
    name="tiny",
    phases=(Phase(size=32, epochs=1), Phase(size=40, epochs=1)),
    optimizer=lambda rate: keras.optimizers.AdamW(rate),
    learning_rate=1e-3,
    batch=8,
    warmup_epochs=0.5,
    cosine=True,
    augment=True,
    balance=True,
    mixup=0.2,
    label_smoothing=0.1,
    ema=0.9,
)


@pytest.fixture(scope="module")
def trained(
    labelled_folder: Path, ct_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of the command line over generated pictures: the folder with all it wrote."""
    run = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.recipe, "load", lambda name: TINY)
        train.main(
            "recipes/tiny",
            labelled_folder,
            run,
            ct_folder,
            labelled_folder,
            results=run / "r.csv",
            seed=1,
        )
    return run


def test_a_run_leaves_a_model_that_both_engines_can_load(trained: Path) -> None:
    folder = trained / "resnet34_tiny"
    inputs = np.random.default_rng(0).random((2, 40, 40, 1), np.float32)
    outputs = [load_model(folder, kind).engine.run(inputs) for kind in EngineKind]
    assert load_model(folder).card.modality is Modality.XRAY
    for output in outputs:
        assert output.logits.shape == (2, 3)
    assert (folder / "MODEL_CARD.md").read_text().startswith("# resnet34_tiny")


def test_a_run_leaves_curves_and_one_row_of_results(trained: Path) -> None:
    assert (trained / "curves.png").stat().st_size > 1000
    rows = list(csv.DictReader((trained / "r.csv").open()))
    assert len(rows) == 1
    assert rows[0]["epochs"] == "2"
    assert 0 <= float(rows[0]["accuracy_low"]) <= float(rows[0]["accuracy"]) <= 1


def test_the_model_can_be_measured_on_any_labelled_folder(
    trained: Path, labelled_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.main(trained / "resnet34_tiny", labelled_folder, tmp_path / "out")
    measured = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert set(measured) >= {"accuracy", "macro_auroc", "sensitivity", "specificity", "ece"}
    assert "72 pictures" in capsys.readouterr().out
    assert (tmp_path / "out" / "reliability.png").stat().st_size > 1000


def _pictures(folder: Path) -> Callable[[int], tuple[dataset.Pictures, dataset.Pictures]]:
    parts = dataset.split(dataset.find_examples(folder))
    return lambda size: (
        dataset.load_pictures(parts.train, size),
        dataset.load_pictures(parts.tuning, size),
    )


def test_a_run_killed_after_an_epoch_goes_on_where_it_was(
    labelled_folder: Path, tmp_path: Path
) -> None:
    half = replace(TINY, phases=TINY.phases[:1])
    loop.fit(half, resnet.build(), _pictures(labelled_folder), tmp_path, seed=0)
    _, progress = loop.fit(TINY, resnet.build(), _pictures(labelled_folder), tmp_path, seed=0)
    assert [row["epoch"] for row in progress.history] == [1, 2]
    assert [row["size"] for row in progress.history] == [32, 40]


def test_a_recipe_with_patience_stops_and_keeps_its_best_weights(
    labelled_folder: Path, tmp_path: Path
) -> None:
    stuck = replace(
        TINY, phases=(Phase(size=32, epochs=9),), learning_rate=0.0, patience=1, ema=None
    )
    _, progress = loop.fit(stuck, resnet.build(), _pictures(labelled_folder), tmp_path, seed=0)
    assert progress.epoch < 9
    assert progress.epochs_without_gain == 1


def test_the_papers_recipe_is_its_table_1() -> None:
    recipe = load("recipes/paper")
    assert isinstance(recipe.optimizer(recipe.learning_rate), keras.optimizers.Adagrad)
    assert (recipe.batch, recipe.learning_rate, recipe.dropout) == (64, 0.01, 0.3)
    assert (recipe.patience, recipe.epochs) == (4, 1000)
    assert not recipe.augment
    assert recipe.label_smoothing == 0


def test_an_unknown_recipe_is_an_error() -> None:
    with pytest.raises(ValueError, match="no recipe"):
        load("recipes/none")


def test_the_rate_warms_up_and_then_falls() -> None:
    recipe = load("recipes/xray")
    rates = [loop.learning_rate(recipe, epoch) for epoch in (0, 1, recipe.epochs)]
    assert rates[1] == pytest.approx(recipe.learning_rate)
    assert rates[0] == pytest.approx(rates[2]) == pytest.approx(recipe.learning_rate / 100)
