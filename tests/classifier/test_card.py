import json
from dataclasses import replace
from pathlib import Path

import pytest

from classifier.card import BrokenModel, Card, Flaw, check_file, read_card, sha256
from classifier.labels import Label, Modality
from classifier.model import MODELS, load_installed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.onnx").write_bytes(b"network")
    card = Card(
        name="small",
        modality=Modality.XRAY,
        input_size=32,
        engine_file="model.onnx",
        temperature=1.5,
        sure_from=dict.fromkeys(Label, 0.6),
        recipe="xray",
        trained_on="made-up pictures",
        command="none",
        figures={"accuracy": (0.9, 0.8, 0.95)},
        files={"model.onnx": sha256(tmp_path / "model.onnx")},
    )
    card.write(tmp_path)
    return tmp_path


def test_a_card_comes_back_as_written(folder: Path) -> None:
    card = read_card(folder)
    assert (card.name, card.modality, card.temperature) == ("small", Modality.XRAY, 1.5)
    assert check_file(folder, card, "model.onnx") == folder / "model.onnx"


def test_a_card_of_an_earlier_version_never_tells_pneumonia_without_its_kind(folder: Path) -> None:
    raw = json.loads((folder / "card.json").read_text())
    assert raw.pop("pneumonia_from") == 1
    (folder / "card.json").write_text(json.dumps(raw))
    assert read_card(folder).pneumonia_from == 1
    (folder / "card.json").write_text(json.dumps(raw | {"pneumonia_from": 0.9}))
    assert read_card(folder).pneumonia_from == 0.9


def test_an_altered_file_is_refused(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"another network")
    with pytest.raises(BrokenModel, match=r"model\.onnx: sha256"):
        read_card(folder)


def test_a_missing_file_is_refused(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    with pytest.raises(BrokenModel, match=r"model\.onnx"):
        read_card(folder)


def test_a_file_the_card_does_not_name_is_refused(folder: Path) -> None:
    with pytest.raises(BrokenModel, match="head"):
        check_file(folder, replace(read_card(folder), files={}), "head.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ["viral", "normal", "bacterial"]},
        {"modality": "mri"},
        {"surprise": 1},
        {"pneumonia_from": 0.4},
        {"pneumonia_from": 1.1},
        {"pneumonia_from": float("nan")},
        {"pneumonia_from": "0.9"},
        {"temperature": -1.5},
        {"temperature": 0},
        {"temperature": float("inf")},
        {"temperature": float("nan")},
        {"input_size": 0},
        {"sure_from": {"normal": 0.6, "bacterial": 0.6, "viral": 0}},
        {"sure_from": {"normal": 0.6, "bacterial": 0.6, "viral": float("nan")}},
    ],
)
def test_a_card_that_does_not_fit_is_refused(folder: Path, change: dict[str, object]) -> None:
    raw = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(raw | change))
    with pytest.raises(BrokenModel) as caught:
        read_card(folder)
    assert caught.value.flaw in (Flaw.CARD, Flaw.LABELS)


def test_a_folder_without_an_xray_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenModel, match="no X-ray model"):
        load_installed(tmp_path)


def test_only_the_shipped_x_ray_model_tells_pneumonia_without_its_kind() -> None:
    installed = load_installed()
    assert 0.5 < installed[Modality.XRAY].card.pneumonia_from < 1
    assert installed[Modality.CT].card.pneumonia_from == 1


def test_the_shipped_model_is_whole_and_tells_its_figures() -> None:
    card = load_installed()[Modality.XRAY].card
    for name in card.files:
        check_file(MODELS / card.name, card, name)
    assert {"accuracy", "macro_auroc", "sensitivity", "specificity", "ece"} <= set(card.figures)
