import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import classifier.model
from classifier.card import BrokenModel, Flaw, sha256
from classifier.installed import find_models
from classifier.labels import Modality
from classifier.model import load_installed, load_model

from .tiny_models import SIZE, install_model, install_on


def edit_card(folder: Path, **changes: object) -> None:
    raw = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(raw | changes))


def garble(folder: Path) -> None:
    """Swap the network for something else, and the card's sha256 with it."""
    (folder / "model.onnx").write_bytes(b"no network at all")
    files = json.loads((folder / "card.json").read_text())["files"]
    edit_card(folder, files=files | {"model.onnx": sha256(folder / "model.onnx")})


def test_models_of_all_places_are_found_by_name_and_build(tmp_path: Path) -> None:
    for place in ("shipped", "installed"):
        install_model(tmp_path / place, "one", flipped=place == "installed")
    install_model(tmp_path / "installed", "two")
    places = (tmp_path / "shipped", tmp_path / "installed", tmp_path / "none")
    found = find_models(places)
    assert not found.broken
    assert sorted(each.card.name for each in found.models) == ["one", "one", "two"]
    assert len({each.name for each in found.models}) == 3
    for each in found.models:
        loaded = load_model(each.folder)
        assert (loaded.name, loaded.digest) == (each.name, each.digest)


@pytest.mark.parametrize(
    ("spoil", "flaw"),
    [
        (lambda folder: (folder / "card.json").write_text("{"), Flaw.CARD),
        (lambda folder: edit_card(folder, figures={"accuracy": "good"}), Flaw.CARD),
        (lambda folder: edit_card(folder, name="another"), Flaw.NAME),
        (lambda folder: edit_card(folder, labels=["viral", "normal", "bacterial"]), Flaw.LABELS),
        (lambda folder: (folder / "model.onnx").write_bytes(b"altered"), Flaw.FILE),
    ],
)
def test_a_folder_that_does_not_fit_is_told_apart_and_harms_no_other(
    tmp_path: Path, spoil: Callable[[Path], object], flaw: Flaw
) -> None:
    install_model(tmp_path, "whole")
    install_model(tmp_path, "spoilt")
    spoil(tmp_path / "spoilt")
    found = find_models([tmp_path])
    assert [each.card.name for each in found.models] == ["whole"]
    assert [error.flaw for error in found.broken] == [flaw]
    assert "spoilt" in str(found.broken[0])


@pytest.mark.parametrize("shape", [{"size": 48}, {"labels": 2}, {"features": 5}])
def test_a_network_whose_sizes_are_not_the_cards_is_refused(
    tmp_path: Path, shape: dict[str, int]
) -> None:
    install_model(tmp_path, "odd", **shape)
    with pytest.raises(BrokenModel, match="odd") as refused:
        load_model(tmp_path / "odd")
    assert refused.value.flaw is Flaw.SHAPE


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    install_model(tmp_path, "odd")
    garble(tmp_path / "odd")
    with pytest.raises(BrokenModel) as refused:
        load_model(tmp_path / "odd")
    assert refused.value.flaw is Flaw.SHAPE


@pytest.mark.parametrize("name", ["head.npz", "likeness.npz"])
def test_a_head_or_likeness_that_was_altered_is_refused(tmp_path: Path, name: str) -> None:
    install_model(tmp_path, "odd")
    (tmp_path / "odd" / name).write_bytes(b"altered")
    with pytest.raises(BrokenModel, match=name) as refused:
        load_model(tmp_path / "odd")
    assert refused.value.flaw is Flaw.FILE


def test_a_folder_of_an_older_version_is_refused_with_words(tmp_path: Path) -> None:
    install_model(tmp_path, "old")
    files = json.loads((tmp_path / "old" / "card.json").read_text())["files"]
    del files["likeness.npz"]
    edit_card(tmp_path / "old", files=files | {"gate.npz": "0" * 64})
    with pytest.raises(BrokenModel, match="an older version made it"):
        load_model(tmp_path / "old")


def test_a_head_sits_on_the_network_of_the_folder_it_names(tmp_path: Path) -> None:
    install_model(tmp_path, "below")
    install_on(tmp_path, "above", "below")
    below, above = load_model(tmp_path / "below"), load_model(tmp_path / "above")
    bright = np.full((2, SIZE, SIZE, 1), 0.9, np.float32)
    ours, theirs = above.engine.run(bright), below.engine.run(bright)
    np.testing.assert_allclose(ours.logits, -theirs.logits, atol=1e-5)
    np.testing.assert_array_equal(ours.features, theirs.features)
    assert not [file for file in (tmp_path / "above").iterdir() if file.suffix == ".onnx"]
    assert sorted(each.card.name for each in find_models([tmp_path]).models) == ["above", "below"]


def test_a_network_that_two_models_use_is_loaded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Path] = []
    load = classifier.model._load_engine
    monkeypatch.setattr(
        classifier.model, "_load_engine", lambda path, kind: loaded.append(path) or load(path, kind)
    )
    install_model(tmp_path, "below")
    install_on(tmp_path, "above", "below")
    used = load_installed(tmp_path)
    assert set(used) == set(Modality)
    assert loaded == [tmp_path / "below" / "model.onnx"]
    install_model(tmp_path, "other", flipped=True)
    load_model(tmp_path / "other")
    assert len(loaded) == 2


@pytest.mark.parametrize(
    ("trunk", "flaw"), [("gone", Flaw.FILE), ("..", Flaw.NAME), ("a/b", Flaw.NAME)]
)
def test_a_trunk_that_is_not_beside_it_is_refused(tmp_path: Path, trunk: str, flaw: Flaw) -> None:
    install_model(tmp_path, "below")
    install_on(tmp_path, "above", "below")
    edit_card(tmp_path / "above", trunk=trunk)
    found = find_models([tmp_path])
    assert [each.card.name for each in found.models] == ["below"]
    assert [error.flaw for error in found.broken] == [flaw]


def test_a_trunk_that_was_exchanged_is_refused(tmp_path: Path) -> None:
    install_model(tmp_path, "below")
    install_on(tmp_path, "above", "below")
    install_model(tmp_path / "new", "below", flipped=True)
    (tmp_path / "new" / "below").rename(tmp_path / "exchanged")
    (tmp_path / "below").rename(tmp_path / "new" / "below")
    (tmp_path / "exchanged").rename(tmp_path / "below")
    with pytest.raises(BrokenModel, match=r"model\.onnx: sha256"):
        load_model(tmp_path / "above")
