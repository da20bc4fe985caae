import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from classifier.card import read_card
from classifier.engines import Engine
from classifier.labels import FloatArray, Modality
from classifier.model import MODELS, EngineKind, Model, calibrated, load_installed
from training import dataset
from training.answering import run_engine
from training.export import agreement

ROOT = Path(__file__).parents[2]
SIZE = read_card(MODELS / "resnet34_xray").input_size


@pytest.fixture(scope="module", params=list(EngineKind))
def engine(request: pytest.FixtureRequest) -> Engine:
    return load_installed(MODELS, request.param)[Modality.XRAY].engine


@pytest.fixture(scope="module")
def inputs() -> FloatArray:
    return np.random.default_rng(0).random((3, SIZE, SIZE, 1), np.float32)


def test_an_engine_gives_logits_and_features(engine: Engine, inputs: FloatArray) -> None:
    output = engine.run(inputs)
    assert output.logits.shape == (3, 3)
    assert output.features.shape == (3, SIZE // 32, SIZE // 32, 512)
    assert output.logits.dtype == output.features.dtype == np.float32
    assert np.isfinite(output.logits).all()


def test_a_picture_gets_the_same_answer_in_any_batch(engine: Engine, inputs: FloatArray) -> None:
    together = engine.run(inputs).logits
    alone = np.concatenate([engine.run(inputs[i : i + 1]).logits for i in range(3)])
    np.testing.assert_allclose(together, alone, atol=1e-3)


def test_an_engine_reports_its_use_to_nobody(tmp_path: Path) -> None:
    program = "from classifier.model import load_installed; load_installed()"
    subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={"HOME": str(tmp_path)}, check=True
    )
    assert not list(tmp_path.iterdir())


def test_int8_agrees_with_float_on_held_out_pictures(shared_data: Path) -> None:
    examples = dataset.split(dataset.find_examples(shared_data / "xray" / "train")).held_out
    # Of all of them the card tells; the float network takes minutes for that.
    pictures = dataset.load_pictures(examples[::3], SIZE)
    shares = [
        calibrated(run_engine(model.engine, pictures.inputs()).logits, model.card.temperature)
        for model in (_model(kind) for kind in EngineKind)
    ]
    assert agreement(*shares).is_enough


def _model(kind: EngineKind) -> Model:
    return load_installed(MODELS, kind)[Modality.XRAY]
