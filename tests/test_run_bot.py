import copy
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from typer.testing import CliRunner, Result

from classifier.labels import Modality
from classifier.model import MODELS, load_installed
from run_bot import app

from .classifier.conftest import BrightnessGate, sure_of_no_kind
from .journeys.pictures import BACTERIAL, xray

ROOT = Path(__file__).parents[1]
EXAMPLE = json.loads((ROOT / "README.md").read_text("utf-8").split("```json")[1].split("```")[0])


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["classify", *map(str, arguments)])


def answers(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def chest(tmp_path: Path) -> Path:
    """The drawn chest of the README, under a name that does not tell its kind."""
    return Path(shutil.copy(ROOT / "docs" / "phantom.jpg", tmp_path / "chest"))


def test_json_is_one_object_a_line_and_nothing_else(chest: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.dcm").touch()
    result = run(chest, tmp_path / "empty.dcm", "--json", "--out", tmp_path / "out")
    picture, empty = answers(result)
    assert list(picture) == list(empty) == list(EXAMPLE)
    shares = picture["probabilities"]
    assert isinstance(shares, dict)
    assert list(shares.values()) == [round(each, 4) for each in shares.values()]
    assert sum(shares.values()) == pytest.approx(1, abs=2e-4)
    assert picture["file"] == str(chest)
    assert picture["model"] == load_installed()[Modality(str(picture["modality"]))].name
    assert empty == empty | {
        "accepted": False,
        "reason": "empty",
        "modality": None,
        "probabilities": None,
        "label": None,
        "slices": 0,
    }
    assert isinstance(empty["seconds"], float)
    assert result.exit_code == 1


def test_without_a_ct_model_a_ct_is_shown_and_refused_in_the_same_form(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "only").symlink_to(MODELS / "resnet34_xray")
    result = run(get_testdata_file("CT_small.dcm"), "--json", "--out", tmp_path, "--models", models)
    (answer,) = answers(result)
    assert answer == answer | {"accepted": False, "reason": "no_ct_model", "modality": "ct"}
    assert answer["slices"] == 1
    assert Image.open(tmp_path / "CT_small.png").width == 1280


def test_a_ct_slice_is_answered_as_experimental(tmp_path: Path) -> None:
    result = run(get_testdata_file("CT_small.dcm"), "--out", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{get_testdata_file('CT_small.dcm')}: unsure (")
    assert "experimental, CT" in result.stdout


@pytest.mark.parametrize("form", ["--json", None], ids=["json", "line"])
def test_pneumonia_of_a_kind_that_is_not_clear_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str | None
) -> None:
    monkeypatch.setattr("run_bot.load_installed", lambda *_: {Modality.XRAY: sure_of_no_kind()})
    monkeypatch.setattr("run_bot.Gate", BrightnessGate)
    (tmp_path / "scan.jpg").write_bytes(xray(BACTERIAL))
    result = run(tmp_path / "scan.jpg", "--out", tmp_path / "out", *([form] if form else []))
    if form:
        (answer,) = answers(result)
        assert (answer["label"], answer["accepted"]) == ("pneumonia", True)
    else:
        assert result.stdout.startswith(f"{tmp_path / 'scan.jpg'}: pneumonia (normal ")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_three_series_come_out_right_or_unsure(
    shared_data: Path, tmp_path: Path, language: str
) -> None:
    folder = shared_data / "ct" / "series"
    given = answers(run(folder, "--json", "--out", tmp_path, "--language", language))
    assert len(given) == 3
    for answer in given:
        truth = Path(str(answer["file"])).name.partition("-")[0]
        assert answer["label"] in (truth, "unsure")
        assert answer["modality"] == "ct"
        assert Image.open(tmp_path / f"{Path(str(answer['file'])).name}.png").width == 1280


def test_of_two_series_in_a_zip_that_with_lung_is_answered(
    shared_data: Path, tmp_path: Path
) -> None:
    slices = sorted((shared_data / "ct" / "series" / "viral-P002").iterdir())
    read = [pydicom.dcmread(path) for path in slices]
    read.sort(key=lambda each: float(each.ImagePositionPatient[2]))
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for number, each in enumerate([read[0]] * 60 + read):
            lung = number >= 60
            if not lung:
                each = copy.deepcopy(each)
                each.SeriesInstanceUID = "1.2.3"
                each.ImagePositionPatient = [0, 0, number]
            buffer = io.BytesIO()
            each.save_as(buffer)
            archive.writestr(f"{number}.dcm", buffer.getvalue())
    (answer,) = answers(run(tmp_path / "study.zip", "--json", "--out", tmp_path / "out"))
    assert answer["slices"] == len(slices)


def test_without_json_each_file_gets_a_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a scan")
    result = run(tmp_path / "notes.txt", "--out", tmp_path / "out")
    assert result.stdout.count("\n") == 1
    assert "refused: This is not a picture we can read." in result.stdout
    assert not list((tmp_path / "out").iterdir())


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert run(tmp_path / "missing.dcm").exit_code == 2


def test_no_picture_is_written_over(chest: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.png"
    shutil.copy(chest, film)
    before = film.read_bytes()
    result = run(film, "--out", tmp_path)
    assert result.exit_code == 2 and "name another" in result.stderr
    assert film.read_bytes() == before


def test_no_earlier_answer_stands_for_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scan.png").write_bytes(b"of somebody else")
    (tmp_path / "scan.jpg").write_bytes(b"\xff\xd8\xff\xe0 this was a JPEG once")
    assert run(tmp_path / "scan.jpg", "--out", tmp_path / "out").exit_code == 1
    assert not (tmp_path / "out" / "scan.png").exists()


def test_an_empty_folder_is_a_usage_error(tmp_path: Path) -> None:
    assert run(tmp_path).exit_code == 2


def test_a_broken_model_is_told_without_a_traceback(chest: Path, tmp_path: Path) -> None:
    result = run(chest, "--models", tmp_path / "none", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "The model cannot be used" in result.stderr
    assert "Traceback" not in result.output


def test_an_engine_that_is_not_installed_is_told_without_a_traceback(
    chest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "classifier.engines.tensorflow", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    result = run(chest, "--engine", "tensorflow", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.strip().splitlines()[-1].startswith("tensorflow cannot be imported")


def test_answers_that_cannot_be_written_are_told_without_a_traceback(
    chest: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = run(chest, "--out", tmp_path / "file" / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith("The answers cannot be written")
    assert str(tmp_path / "file") in result.stderr


def test_bare_it_shows_help() -> None:
    assert "classify" in CliRunner().invoke(app, []).output


def test_a_zip_of_a_series_is_one_answer(shared_data: Path, tmp_path: Path) -> None:
    slices = sorted((shared_data / "ct" / "series" / "viral-P002").iterdir())
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for path in slices:
            archive.write(path, f"nested/folder/{path.name}")
    (answer,) = answers(run(tmp_path / "study.zip", "--json", "--out", tmp_path / "out"))
    assert answer["slices"] == len(slices)
    assert answer["modality"] == "ct"
    assert (tmp_path / "out" / "study.png").exists()


def test_real_xrays_are_all_answered(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "xray" / "original-size"
    result = run(folder, "--json", "--out", tmp_path)
    given = answers(result)
    assert result.exit_code == 0
    assert len(given) == len(list(tmp_path.iterdir())) == 30
    assert all(answer["accepted"] and answer["modality"] == "xray" for answer in given)
    assert right(given, folder) >= 24


def right(given: Sequence[dict[str, object]], folder: Path) -> int:
    """Count the answers whose likeliest class is the folder's; these files were trained on."""
    likeliest = []
    for answer in given:
        shares = answer["probabilities"]
        assert isinstance(shares, dict)
        likeliest.append(max(shares, key=lambda label: float(shares[label])))
    folders = [Path(str(answer["file"])).relative_to(folder).parts[0] for answer in given]
    return sum(guess == label for guess, label in zip(likeliest, folders, strict=True))
