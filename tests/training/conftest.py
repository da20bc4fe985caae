from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from classifier import resnet

PATIENTS = 12


@pytest.fixture(scope="session")
def labelled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes told apart by where a bright spot lies, two pictures for each patient."""
    folder = tmp_path_factory.mktemp("labelled")
    rng = np.random.default_rng(0)
    names = {"normal": "IM-{:04}-000{}", "bacterial": "person{}_bacteria_{}"}
    for column, label in enumerate(("normal", "bacterial", "viral")):
        (folder / label).mkdir()
        for patient in range(PATIENTS):
            for number in (1, 2):
                pixels = rng.integers(0, 80, (32, 32), np.uint8)
                pixels[8:24, 2 + 10 * column : 12 + 10 * column] += 150
                name = names.get(label, "person{}_virus_{}").format(patient, number)
                Image.fromarray(pixels).save(folder / label / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def adults_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, pneumonia of unknown cause, with the NIH's names: two visits each."""
    folder = tmp_path_factory.mktemp("adults")
    rng = np.random.default_rng(1)
    for first, (label, left) in enumerate((("normal", 2), ("pneumonia", 17))):
        (folder / label).mkdir()
        for patient in range(PATIENTS):
            for visit in range(2):
                pixels = rng.integers(0, 80, (40, 40), np.uint8)
                pixels[10:30, left : left + 20] += 150
                name = f"{100 * first + patient:08}_{visit:03}.png"
                Image.fromarray(pixels).save(folder / label / name)
    return folder


@pytest.fixture(scope="module")
def few_blocks() -> Iterator[None]:
    """The same network with few blocks and channels: most of its time goes into graphs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet, "BLOCKS", (1, 1, 1, 1))
        patch.setattr(resnet, "WIDTHS", (8, 8, 16, 16))
        yield


@pytest.fixture
def tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of a few weights in place of ResNet-34: what is tested is how it is trained."""

    def build(dropout: float) -> keras.Model:
        grey = keras.Input((None, None, 1))
        x = layers.Conv2D(8, 5, 4, use_bias=False, name="conv")(grey)
        x = layers.BatchNormalization(name="bn")(x)
        x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
        logits = layers.Dense(3, dtype="float32", name="fc")(layers.Dropout(dropout)(x))
        return keras.Model(grey, logits)

    monkeypatch.setattr("training.network.resnet.build", build)
