import csv
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
import typer

from classifier import resnet
from classifier.card import read_card
from classifier.engines import Output
from classifier.labels import FloatArray, Label, Modality
from classifier.model import EngineKind, load_model
from training import (
    dataset,
    evaluate,
    greys,
    int8_check,
    limits,
    network,
    saliency_check,
    sizes,
    source_probe,
    train,
)
from training.augment import augment
from training.batches import workers
from training.calibrate import Limits
from training.dataset import Pictures
from training.figures import figures
from training.network import train_network
from training.recipe import Phase, Recipe, Start, load

pytestmark = pytest.mark.usefixtures("few_blocks")

TINY = Recipe(
    name="tiny",
    phases=(Phase(size=40, epochs=2),),
    optimizer=lambda rate: keras.optimizers.AdamW(rate),
    learning_rate=1e-3,
    batch=8,
    warmup_epochs=0.5,
    decay_epochs=1.5,
    augment=augment,
    balance=True,
    label_smoothing=0.1,
    ema=0.9,
)


@pytest.fixture(scope="module")
def trained(
    few_blocks: None,
    labelled_folder: Path,
    adults_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run of the command line over generated pictures: the folder with all it wrote."""
    run = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.recipe, "load", lambda name: TINY)
        train.main(
            "recipes/tiny",
            [labelled_folder, adults_folder],
            run,
            results=run / "r.csv",
            seed=1,
            fold=2,
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


@pytest.mark.parametrize("as_it_stands", [False, True])
def test_a_run_of_another_fold_is_not_packaged(
    as_it_stands: bool,
    trained: Path,
    labelled_folder: Path,
    adults_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train.recipe, "load", lambda name: TINY)
    data = [labelled_folder, adults_folder]
    with pytest.raises(ValueError, match="seed 1, fold 2"):
        train.main("recipes/tiny", data, trained, as_it_stands=as_it_stands, seed=1, fold=0)


def test_the_model_can_be_measured_on_any_labelled_folder(
    trained: Path, labelled_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.main(trained / "resnet34_tiny", labelled_folder, tmp_path / "out")
    measured = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert set(measured) >= {"accuracy", "macro_auroc", "sensitivity", "specificity", "ece"}
    assert "72 pictures" in capsys.readouterr().out
    assert (tmp_path / "out" / "reliability.png").stat().st_size > 1000


def test_an_installed_model_gets_its_limits_anew_and_stays_else_as_it_was(
    trained: Path,
    labelled_folder: Path,
    adults_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(shutil.copytree(trained / "resnet34_tiny", tmp_path / "resnet34_tiny"))
    card = read_card(folder)
    before = {"on": card.details["calibration"]["on"]}
    replace(card, details=card.details | {"calibration": before, "sure": {}}).write(folder)
    found = {Label.NORMAL: 0.9, Label.BACTERIAL: 0.7, Label.VIRAL: 1.0}
    monkeypatch.setattr(limits, "limits_at", lambda both, heat: Limits(heat, found, 0.8))
    old = (folder / "card.json").read_bytes()
    with pytest.raises(typer.BadParameter, match="other pictures"):
        limits.main(folder, [labelled_folder])
    assert (folder / "card.json").read_bytes() == old
    limits.main(folder, [labelled_folder, adults_folder])
    page = (folder / "MODEL_CARD.md").read_text()
    assert "fitted after all else" in page and "| pneumonia | ≤ 2% | 0.800 |" in page
    given = read_card(folder)
    assert (given.sure_from, given.pneumonia_from) == (found, 0.8)
    assert set(given.details["calibration"]["proof"]) == {*Label, "pneumonia"}
    # All bacterial patients there have numbers below 1307.
    assert set(given.details["calibration"]["unaided"]) == {Label.BACTERIAL, Label.VIRAL}
    # The same pictures and engine, read as when the model was packaged.
    assert given.details["sure"] == card.details["sure"]
    unlimited = {"sure_from": card.sure_from, "pneumonia_from": card.pneumonia_from, "details": {}}
    assert replace(given, **unlimited) == replace(card, details={})


def test_sizes_are_compared_on_tuning_pictures(
    trained: Path,
    labelled_folder: Path,
    adults_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sizes, "SIZES", (32, 48))
    monkeypatch.setattr(sizes, "figures", partial(figures, resamples=20))
    sizes.main(trained / "resnet34_tiny", [labelled_folder, adults_folder], out=tmp_path / "s")
    rows = list(csv.DictReader((tmp_path / "s").open()))
    assert [(row["size"], row["looks"]) for row in rows] == 2 * [
        (size, looks) for size in ("32", "40", "48") for looks in ("once", "mirrored too")
    ]
    # Against itself, the shipped size looked at once.
    for row in (rows[2], rows[8]):
        assert float(row["gain"]) == float(row["gain_low"]) == float(row["gain_high"]) == 0
    count = len(dataset.split(dataset.find_examples(labelled_folder), 2).tuning)
    assert {row["pictures"] for row in rows[:6]} == {str(count)}
    assert all(0 <= float(row["accuracy"]) <= 1 for row in rows[:6])
    assert not any(row["accuracy"] for row in rows[6:])


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (greys, []),
        (int8_check, [Path(), Path()]),
        (limits, []),
        (saliency_check, []),
        (sizes, []),
        (source_probe, []),
    ],
)
def test_a_model_is_measured_on_the_fold_that_its_card_tells(
    command: ModuleType,
    more: list[Path],
    trained: Path,
    labelled_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(dataset, "split", lambda examples, fold=0: asked.append(fold))
    # The parts are none: it ends where it takes one of them.
    with pytest.raises(AttributeError):
        command.main(trained / "resnet34_tiny", [labelled_folder], *more)
    assert asked == [2]


def test_a_card_that_tells_no_fold_is_an_error(trained: Path) -> None:
    card = replace(read_card(trained / "resnet34_tiny"), details={})
    with pytest.raises(ValueError, match="does not tell which fold"):
        dataset.fold_of(card)


def test_the_second_look_is_at_the_mirror_image() -> None:
    class LeftBrightness:
        def run(self, inputs: FloatArray) -> Output:
            left = inputs[:, :, :4].mean((1, 2, 3))
            logits = np.stack([0 * left, 8 * left, 0 * left], 1).astype(np.float32)
            return Output(logits, np.zeros((len(inputs), 1, 1, 2), np.float32))

    pixels = np.zeros((2, 8, 8), np.uint8)
    pixels[0, :, :4] = pixels[1, :, 4:] = 255
    pictures = Pictures(pixels, np.zeros(2, int), np.array(["a", "a"]), np.array(["1", "2"]))
    found = sizes.looks(LeftBrightness(), 1.0, pictures)
    bright, dark = found["once"]
    assert bright[1] > 0.99 and dark[1] < 0.34
    np.testing.assert_allclose(found["mirrored too"], np.stack([(bright + dark) / 2] * 2))


@pytest.mark.usefixtures("tiny_network")
def test_a_run_that_was_cut_off_is_packaged_at_the_size_it_had_come_to(
    labelled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off = replace(TINY, phases=(Phase(size=32, epochs=1),))
    parts = dataset.split(dataset.find_examples(labelled_folder))
    with workers(0) as pool:
        network, _ = train_network(cut_off, parts, tmp_path, None, 0, pool)
    packaged: list[Any] = []
    monkeypatch.setattr(train.recipe, "load", lambda name: TINY)
    monkeypatch.setattr(train, "package", lambda *given: packaged.extend(given))
    monkeypatch.setattr(train, "add_result", lambda *given: None)
    train.main("recipes/tiny", [labelled_folder], tmp_path, as_it_stands=True)
    ours, about, _, size, *_ = packaged
    assert (about.epochs, size) == (1, 32)
    # Rounded alike, and nothing learned since.
    np.testing.assert_array_equal(ours.get_weights()[0], network.get_weights()[0])


@pytest.mark.usefixtures("tiny_network")
def test_a_run_can_go_on_from_a_models_weights(
    labelled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.network.trained_network", lambda recipe, run: None)
    given: list[keras.Model] = []
    monkeypatch.setattr("training.network.fit", lambda recipe, model, *rest: given.append(model))
    parts = dataset.split(dataset.find_examples(labelled_folder))
    model = network.resnet.build(0.3)
    weights = tmp_path / "weights.npz"
    resnet.save_weights(model, weights)
    go_on = replace(TINY, start=Start.MODEL)
    with workers(0) as pool:
        train_network(go_on, parts, tmp_path, weights, 0, pool)
    rounded = model.get_weights()[0].astype(np.float16)
    np.testing.assert_array_equal(given[0].get_weights()[0], rounded)


def test_the_papers_recipe_is_its_table_1() -> None:
    recipe = load("recipes/paper")
    assert isinstance(recipe.optimizer(recipe.learning_rate), keras.optimizers.Adagrad)
    assert (recipe.batch, recipe.learning_rate, recipe.dropout) == (64, 0.01, 0.3)
    assert (recipe.patience, recipe.epochs) == (4, 1000)
    assert recipe.augment is None
    assert recipe.label_smoothing == 0


def test_an_unknown_recipe_is_an_error() -> None:
    with pytest.raises(ValueError, match="no recipe"):
        load("recipes/none")
