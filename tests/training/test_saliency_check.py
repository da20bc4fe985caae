import numpy as np
import pytest

from classifier import resnet
from training.dataset import Pictures
from training.saliency_check import LUNGS, alike, lung_share, lungs, redraw


def test_lung_fields_take_what_two_ellipses_take() -> None:
    area = sum(np.pi * width * height for _, _, width, height in LUNGS)
    for size in (5, 7):
        share = lung_share(size, size)
        assert share.mean() == pytest.approx(area, abs=0.005)
        assert max(share[0].max(), share[-1].max()) < 0.05


def test_a_map_on_the_lungs_has_all_its_mass_there_and_a_flat_one_their_area() -> None:
    classes, sources = np.array([1, 2, 0]), np.array(["on", "flat", "flat"])
    maps = np.stack([(lung_share(7, 7) == 1) - 1.0 * (lung_share(7, 7) == 0), *np.ones((2, 7, 7))])
    pixels, patients = np.zeros((3, 8, 8), np.uint8), np.array(["a", "b", "c"])
    found = lungs(maps, Pictures(pixels, classes, sources, patients))
    assert found["on"][0] == 1
    assert found["flat"][0] == pytest.approx(lung_share(7, 7).mean())


def test_likeness_is_that_of_ranks() -> None:
    first = np.arange(18.0).reshape(2, 3, 3)
    np.testing.assert_allclose(alike(first, np.stack([first[0] ** 3, -first[1]])), [1, -1])


def test_only_the_stages_named_are_drawn_anew() -> None:
    network = resnet.build()
    before = {layer.name: layer.get_weights() for layer in network.layers}
    redraw(network, ("fc", "layer4"), np.random.default_rng(0))
    changed = {
        layer.name.split("_")[0]
        for layer in network.layers
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True)
        if not np.array_equal(old, new)
    }
    assert changed == {"fc", "layer4"}
