import numpy as np
import pytest

from classifier.labels import Modality
from classifier.model import MODELS, load_installed
from classifier.saliency import Head, class_maps, pneumonia_map


def test_the_sum_of_a_map_and_the_bias_is_the_logit() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((7, 7, 512)).astype(np.float32)
    head = Head(rng.normal(size=(512, 3)).astype(np.float32), np.array([1, -2, 3], np.float32))
    logits = features.mean((0, 1)) @ head.kernel + head.bias
    maps = class_maps(features, head)
    np.testing.assert_allclose(maps.sum((0, 1)) + head.bias, logits, rtol=1e-4)


def test_the_shipped_engines_maps_add_up_to_its_own_logits() -> None:
    model = load_installed(MODELS)[Modality.XRAY]
    size = model.card.input_size
    output = model.engine.run(np.random.default_rng(0).random((1, size, size, 1), np.float32))
    maps = class_maps(output.features[0], model.head)
    np.testing.assert_allclose(maps.sum((0, 1)) + model.head.bias, output.logits[0], atol=1e-3)


def test_a_place_that_speaks_for_pneumonia_is_positive() -> None:
    maps = np.zeros((2, 2, 3), np.float32)
    maps[0, 1] = (-1, 0, 2)
    maps[1, 0] = (3, 0, 0)
    assert pneumonia_map(maps).tolist() == [[0, 3], [-3, 0]]


@pytest.mark.parametrize("ill", [1, 2])
def test_the_stronger_pneumonia_stands_for_both(ill: int) -> None:
    maps = np.zeros((1, 2, 3), np.float32)
    maps[0, 0, ill] = 5
    assert pneumonia_map(maps).tolist() == [[5, 0]]
