from dataclasses import replace

import numpy as np
import pytest

from training.augment import augment_far
from training.batches import Batch, batches, chances, evened, workers
from training.dataset import Pictures
from training.recipe import Recipe, load

NORMAL, BACTERIAL, VIRAL, UNKNOWN = range(4)


@pytest.fixture
def pictures() -> Pictures:
    """Many children, most with bacterial pneumonia; a few adults, most of them healthy."""
    classes = np.repeat([NORMAL, BACTERIAL, VIRAL, NORMAL, UNKNOWN], [30, 90, 30, 40, 10])
    pixels = np.random.default_rng(0).integers(0, 256, (200, 16, 16), np.uint8)
    sources, patients = np.repeat(["children", "adults"], [150, 50]), np.arange(200).astype(str)
    return Pictures(pixels, classes, sources, patients)


@pytest.fixture
def recipe() -> Recipe:
    return replace(load("recipes/shift"), batch=16)


def test_the_source_tells_nothing_of_the_label(pictures: Pictures) -> None:
    drawn = chances(pictures)
    assert drawn.sum() == pytest.approx(1)
    for source, share in (("children", 0.75), ("adults", 0.25)):
        mine = pictures.sources == source
        assert drawn[mine].sum() == pytest.approx(share)
        assert drawn[mine & (pictures.classes == NORMAL)].sum() == pytest.approx(share / 3)


def test_each_label_of_a_source_is_drawn_alike(pictures: Pictures) -> None:
    drawn = chances(pictures)
    shares = [drawn[pictures.classes == each].sum() for each in (BACTERIAL, VIRAL)]
    assert shares == [pytest.approx(0.25)] * 2


def test_bacterial_pictures_of_either_acquisition_are_drawn_alike(pictures: Pictures) -> None:
    early, late = (f"bacterial/{number}" for number in (1306, 1307))
    of_many = np.where(np.arange(200) < 100, early, late)
    told = np.where(pictures.classes == BACTERIAL, of_many, pictures.patients)
    mixed = replace(pictures, patients=told)
    before, after = chances(mixed), evened(chances(mixed), mixed)
    others = mixed.classes != BACTERIAL
    np.testing.assert_array_equal(after[others], before[others])
    shares = [after[told == each].sum() for each in (early, late)]
    assert shares == [pytest.approx(0.125)] * 2
    np.testing.assert_array_equal(evened(before, pictures), before)


def _made(recipe: Recipe, pictures: Pictures, processes: int) -> list[Batch]:
    with workers(processes) as pool:
        return list(batches(recipe, pictures, 3, 7, pool))


def test_a_process_makes_the_same_batches_as_a_thread(pictures: Pictures, recipe: Recipe) -> None:
    ours, theirs = (_made(recipe, pictures, processes) for processes in (0, 1))
    assert len(ours) == 12
    for (x, y), (other_x, other_y) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(x, other_x)
        np.testing.assert_array_equal(y, other_y)


def test_without_balance_each_picture_comes_once(pictures: Pictures, recipe: Recipe) -> None:
    plain = replace(recipe, balance=False, augment=None, batch=20)
    shown = np.concatenate([x for x, _ in _made(plain, pictures, 0)])
    assert sorted(shown[:, 3, 3, 0] * 255) == pytest.approx(sorted(pictures.pixels[:, 3, 3]))


def test_the_recipe_augments_far(recipe: Recipe) -> None:
    assert recipe.augment is augment_far
