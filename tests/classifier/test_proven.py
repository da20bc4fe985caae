from pathlib import Path

import numpy as np
import pytest

from classifier.engines import EngineDown, Output
from classifier.engines.proven import ProvenEngine
from classifier.engines.remote import RemoteEngine
from classifier.labels import FloatArray
from classifier.model import load_model

from .tiny_models import SIZE, install_model

INPUTS = np.random.default_rng(1).random((3, SIZE, SIZE, 1), np.float32)


class Elsewhere:
    """A network whose features are the pictures, brightened and as wide as asked."""

    def __init__(self, times: float = 1.0, wide: int = 1) -> None:
        self.times, self.wide = times, wide

    def run(self, inputs: FloatArray) -> Output:
        features = np.repeat(self.times * inputs, self.wide, axis=3)
        return Output(np.repeat(inputs.mean((1, 2)), 3, axis=1), features)


def test_the_same_network_answers_for_what_was_asked_alone() -> None:
    proven = ProvenEngine(Elsewhere(), Elsewhere(), SIZE).run(INPUTS)
    plain = Elsewhere().run(INPUTS)
    np.testing.assert_array_equal(proven.logits, plain.logits)
    np.testing.assert_array_equal(proven.features, plain.features)


def test_rounding_is_no_other_network() -> None:
    assert len(ProvenEngine(Elsewhere(1.1), Elsewhere(), SIZE).run(INPUTS).logits) == 3


@pytest.mark.parametrize("other", [Elsewhere(2), Elsewhere(-1), Elsewhere(wide=2)])
def test_another_network_is_an_engine_that_is_down(other: Elsewhere) -> None:
    with pytest.raises(EngineDown, match="another network"):
        ProvenEngine(other, Elsewhere(), SIZE).run(INPUTS)


def test_a_server_of_networks_answers_with_the_last_layer_of_the_model_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_model(tmp_path, "here")
    install_model(tmp_path, "elsewhere", flipped=True)
    here, elsewhere = load_model(tmp_path / "here"), load_model(tmp_path / "elsewhere")
    monkeypatch.setattr(RemoteEngine, "run", lambda _, inputs: elsewhere.engine.run(inputs))
    answered = load_model(tmp_path / "here", url="http://127.0.0.1:9").engine.run(INPUTS)
    np.testing.assert_allclose(answered.logits, here.engine.run(INPUTS).logits, atol=1e-5)


def test_a_server_of_another_network_does_not_answer_for_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_model(tmp_path, "here")
    monkeypatch.setattr(RemoteEngine, "run", lambda _, inputs: Elsewhere(2).run(inputs))
    with pytest.raises(EngineDown, match="another network"):
        load_model(tmp_path / "here", url="http://127.0.0.1:9").engine.run(INPUTS)
