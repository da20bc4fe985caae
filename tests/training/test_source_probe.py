import numpy as np

from classifier.labels import FloatArray
from training.calibrate import CAUSE_UNKNOWN
from training.figures import Predictions, kinds_apart
from training.source_probe import probe


def answers(rng: np.random.Generator, by_source: float, by_class: float) -> dict[str, np.ndarray]:
    """Two sources of which the second is mostly ill; features and answer follow as told."""
    is_second = np.arange(400) >= 200
    is_ill = rng.random(400) < np.where(is_second, 0.8, 0.3)
    score = by_source * is_second + by_class * is_ill + rng.normal(size=400)
    features: FloatArray = np.stack([score, *rng.normal(size=(3, 400))], 1).astype(np.float32)
    return {
        "features": features,
        "answers": score,
        "classes": np.where(is_ill, CAUSE_UNKNOWN, 0),
        "sources": np.where(is_second, "adults", "children"),
        "patients": np.array([str(row) for row in range(400)]),
    }


def test_an_answer_that_is_only_the_source_is_found_out() -> None:
    found = probe(**answers(np.random.default_rng(0), by_source=8, by_class=0))
    for name in ("normal", "pneumonia"):
        assert found["answer"][name][0] > 0.99
        assert found["features"][name][0] > 0.99
    for _, low, high in found["within"].values():
        assert low < 0.5 < high


def test_an_answer_that_knows_the_illness_holds_within_each_source() -> None:
    found = probe(**answers(np.random.default_rng(0), by_source=0, by_class=8))
    assert all(value > 0.99 for value, *_ in found["within"].values())
    for _, low, high in found["answer"].values():
        assert low < 0.5 < high


def test_a_kind_told_by_the_acquisition_alone_is_found_out() -> None:
    rng = np.random.default_rng(0)
    # Early bacterial, later bacterial, viral.
    groups = np.repeat([0, 1, 2], 200)
    score = 8 * (groups > 0) + rng.normal(size=600)
    shares = np.stack([np.full(600, 0.0), 1 / (1 + np.exp(score)), 1 / (1 + np.exp(-score))], 1)
    names = ("bacterial/{}", "bacterial/1{:03}7", "viral/{}")
    patients = np.array([names[group].format(row + 1) for row, group in enumerate(groups)])
    found = kinds_apart(Predictions(shares, np.where(groups == 2, 2, 1), patients))
    assert found["given away"][0] > 0.99
    _, low, high = found["not given away"]
    assert low < 0.5 < high
