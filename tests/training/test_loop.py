import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from training import dataset, loop, network
from training.augment import augment
from training.batches import workers
from training.recipe import Phase, Recipe, load

TINY = Recipe(
    name="tiny",
    phases=(Phase(size=32, epochs=1), Phase(size=40, epochs=1)),
    optimizer=lambda rate: keras.optimizers.AdamW(rate),
    learning_rate=1e-3,
    batch=8,
    warmup_epochs=0.5,
    decay_epochs=1,
    augment=augment,
    balance=True,
    label_smoothing=0.1,
    ema=0.9,
)


@pytest.fixture
def pool() -> Iterator[Executor]:
    with workers(0) as pool:
        yield pool


@pytest.fixture
def train(
    labelled_folder: Path, adults_folder: Path, tiny_network: None, pool: Executor, tmp_path: Path
) -> Callable[[Recipe], tuple[keras.Model, loop.Progress]]:
    parts = dataset.split(dataset.find_all([labelled_folder, adults_folder]))
    return lambda recipe: network.train_network(recipe, parts, tmp_path, None, 0, pool)


def test_a_run_killed_after_an_epoch_goes_on_where_it_was(
    train: Callable[[Recipe], tuple[keras.Model, loop.Progress]],
) -> None:
    train(replace(TINY, phases=TINY.phases[:1]))
    _, progress = train(TINY)
    assert [row["epoch"] for row in progress.history] == [1, 2]
    assert [row["size"] for row in progress.history] == [32, 40]


def test_a_finished_run_is_not_trained_again(
    train: Callable[[Recipe], tuple[keras.Model, loop.Progress]],
) -> None:
    ours, theirs = (train(TINY)[0].get_weights() for _ in range(2))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_folder_knows_what_it_is_a_run_of(
    labelled_folder: Path, adults_folder: Path, tiny_network: None, pool: Executor, tmp_path: Path
) -> None:
    examples = dataset.find_examples(labelled_folder)
    parts, other = dataset.split(examples), dataset.split(examples, 1)
    loop.claim(tmp_path, TINY, other, 1, 1)
    # Nothing is lost yet: whoever mistook the fold may begin anew.
    loop.claim(tmp_path, TINY, parts, 0, 0)
    network.train_network(TINY, parts, tmp_path, None, 0, pool)
    loop.claim(tmp_path, TINY, parts, 0, 0)
    more = dataset.split(dataset.find_all([labelled_folder, adults_folder]))
    for recipe, pictures, seed, fold in (
        (replace(TINY, name="other"), parts, 0, 0),
        (TINY, parts, 1, 0),
        (TINY, parts, 0, 1),
        (TINY, other, 0, 0),
        (TINY, more, 0, 0),
    ):
        with pytest.raises(ValueError, match="holds a run of recipe tiny, seed 0, fold 0"):
            loop.claim(tmp_path, recipe, pictures, seed, fold)


def test_a_run_of_an_earlier_version_is_taken_at_its_word(tmp_path: Path) -> None:
    begun = {"epoch": 1, "best_loss": 0.5, "epochs_without_gain": 0, "history": []}
    (tmp_path / "progress.json").write_text(json.dumps(begun))
    nothing = dataset.Split([], [], [])
    loop.claim(tmp_path, TINY, nothing, 0, 0)
    with pytest.raises(ValueError, match="name another folder"):
        loop.claim(tmp_path, TINY, nothing, 0, 1)


def test_quick_epochs_are_looked_at_only_once_in_a_while(
    train: Callable[[Recipe], tuple[keras.Model, loop.Progress]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOOK_SECONDS", 1e9)
    _, progress = train(replace(TINY, phases=(Phase(size=32, epochs=3),)))
    assert [row["epoch"] for row in progress.history] == [3]


def test_a_recipe_with_patience_stops_and_keeps_its_best_weights(
    train: Callable[[Recipe], tuple[keras.Model, loop.Progress]],
) -> None:
    stuck = replace(
        TINY, phases=(Phase(size=32, epochs=99),), learning_rate=0.0, patience=1, ema=None
    )
    _, progress = train(stuck)
    assert progress.epoch < 99
    assert progress.epochs_without_gain == 1


def test_a_net_learns_what_can_be_seen(
    train: Callable[[Recipe], tuple[keras.Model, loop.Progress]],
) -> None:
    # Long enough for any seed, as processors add up in different orders.
    plain = replace(
        TINY,
        phases=(Phase(size=32, epochs=50),),
        learning_rate=0.05,
        augment=None,
        dropout=0.0,
    )
    _, progress = train(plain)
    assert progress.history[-1]["tuning_accuracy"] > 0.9


def test_the_rate_warms_up_stays_and_falls_at_the_end() -> None:
    recipe = replace(load("recipes/adapt"), warmup_epochs=1)
    times = (0, 1, recipe.epochs - recipe.decay_epochs, recipe.epochs)
    first, warm, late, last = (loop.learning_rate(recipe, epoch) for epoch in times)
    assert warm == late == recipe.learning_rate
    assert first == pytest.approx(last) == pytest.approx(recipe.learning_rate / 100)
