import asyncio
import io
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import typer
from PIL import Image

from classifier import resnet
from classifier.installed import find_models
from classifier.labels import Label
from classifier.model import load_model
from storage import Storage, cases, images, lessons, people
from storage.cases import CaseState, FileKind, StoredFinding, Upload, UploadedFile
from storage.images import ImageKind, Sealed
from storage.transaction import Tx
from training import corrections, dataset
from training.dataset import Example
from training.not_worse import Difference
from training.package import Run, package

from ..classifier.tiny_models import install_model

pytestmark = pytest.mark.usefixtures("few_blocks")

SIZE = 32
PATIENTS = 90


def stripes(label: Label, rng: np.random.Generator) -> np.ndarray:
    """Nothing, stripes across, or stripes down, in noise."""
    across, down = np.mgrid[:SIZE, :SIZE] // 4 % 2
    strength = {Label.NORMAL: 0 * across, Label.BACTERIAL: across, Label.VIRAL: down}[label]
    grey = 60 + 120 * strength + rng.integers(0, 60, (SIZE, SIZE))
    return grey.astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def review(tx: Tx, number: int, label: Label, sealed: Sealed, agreed: bool) -> None:
    """Let a patient have sent a picture that doctors settled."""
    person = people.seen(tx, 1000 + number, "en")
    people.consent(tx, person.id, lessons.CONSENTS[-1] if agreed else "2020-01")
    file = UploadedFile(1, FileKind.PHOTO, f"file-{number}", f"unique-{number}", 1)
    case = cases.receive(tx, Upload(person_id=person.id, files=(file,)))
    images.attach(tx, sealed, case.id, ImageKind.SCAN)
    shares = dict.fromkeys(Label, 1 / 3)
    cases.add_finding(tx, case.id, StoredFinding(model="m", modality="xray", label=None, **shares))
    for state in (CaseState.READ, CaseState.CLASSIFIED, CaseState.ANSWERED):
        cases.advance(tx, case.id, state)
    tx.insert("reviews", case_id=case.id, verdict=label, how="one", decided_at=tx.time)


async def fill(data_dir: Path, patients: int) -> None:
    rng = np.random.default_rng(0)
    async with await Storage.open(data_dir) as storage:
        for number in range(patients):
            label = tuple(Label)[number % 3]
            sealed = await storage.images.seal(png(stripes(label, rng)))
            await storage.write(review, number, label, sealed, agreed=number != 7)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    asyncio.run(fill(folder, PATIENTS))
    return folder


@pytest.fixture(scope="module")
def base_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the base was trained on: the same stripes, of other patients."""
    folder, rng = tmp_path_factory.mktemp("base_set"), np.random.default_rng(1)
    for label in Label:
        (folder / label).mkdir()
        for number in range(30):
            path = folder / label / f"person{number}_x.png"
            path.write_bytes(png(stripes(label, rng)))
    return folder


@pytest.fixture(scope="module")
def base(few_blocks: None, base_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned nothing yet, of another fold than the first."""
    parts = dataset.split(dataset.find_examples(base_set), 1)
    run = Run(
        name="base", recipe="none", seed=0, fold=1, epochs=0, minutes=0, command="none", data="none"
    )
    folder = tmp_path_factory.mktemp("models") / "base"
    keras.utils.set_random_seed(1)
    network = resnet.build()
    network.get_layer("fc").bias.assign([0.01, 0.02, 0.03])
    package(network, run, parts, SIZE, folder)
    return folder


def test_reviewed_cases_make_a_model_that_can_listen_in(
    data_dir: Path,
    base: Path,
    base_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(corrections, "LEARNING_RATE", 1e-2)
    monkeypatch.setattr(corrections, "EPOCHS", 6)
    monkeypatch.setattr(corrections, "augment", lambda pixels, rng: pixels)
    out = tmp_path / "models" / "corrected-1"
    corrections.main(data_dir, base, out, rehearse=base_set)
    (found,) = find_models([tmp_path / "models"]).models
    details = load_model(found.folder).card.details
    assert details["run"]["fold"] == 1
    against = details["against_base"]
    assert set(against) == {"reviewed", "fixed"}
    for each in against.values():
        assert each["candidate"] > each["base"] + 0.3
    assert "fine-tuned from base@" in found.card.trained_on
    said = capsys.readouterr().out
    assert "balanced accuracy" in said and f"{out}: written" in said


def test_who_did_not_agree_is_not_learned_from(data_dir: Path, tmp_path: Path) -> None:
    examples = corrections.reviewed(data_dir, tmp_path / "reviewed")
    assert len(examples) == PATIENTS - 1
    assert "person 8" not in {example.patient for example in examples}
    assert {example.label for example in examples} == set(Label)


def test_a_patient_stays_on_one_side_whoever_else_comes(data_dir: Path, tmp_path: Path) -> None:
    examples = corrections.reviewed(data_dir, tmp_path / "reviewed")
    few, all_ = corrections.split(examples[:30]), corrections.split(examples)
    for some, every in (
        (few.train, all_.train),
        (few.tuning, all_.tuning),
        (few.held_out, all_.held_out),
    ):
        assert set(some) <= set(every)
    assert 0.15 < len(all_.held_out) / len(examples) < 0.45
    again = [replace(example, path=Path("another")) for example in all_.held_out]
    assert len(corrections.split(again).held_out) == len(again)


def test_three_pictures_of_the_base_stand_beside_each_reviewed_one() -> None:
    def pictures(count: int) -> dataset.Split:
        names = [f"p{number}" for number in range(count)]
        return dataset.Split(
            [Example(Path(name), Label.NORMAL, name, "") for name in names], [], []
        )

    both = corrections.rehearsed(pictures(10), pictures(45))
    assert len(both.train) == 10 + 30
    assert {"p0", "p44"} < {example.patient for example in both.train[10:]}
    assert len(corrections.rehearsed(pictures(10), pictures(20)).train) == 10 + 20


def test_too_few_reviewed_cases_end_it_with_words(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill(tmp_path / "data", 6))
    with pytest.raises(typer.Exit) as ended:
        corrections.main(tmp_path / "data", base, tmp_path / "new")
    assert ended.value.exit_code == 1
    assert "are needed" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("short", ["to learn from", "held out"])
def test_many_pictures_that_one_technician_sent_are_too_few(short: str) -> None:
    def sent(patients: int) -> list[Example]:
        names = [f"person {number % patients}" for number in range(300)]
        each_label = [(name, label) for label in Label for name in names]
        return [Example(Path(name), label, name, "") for name, label in each_label]

    few, enough = sent(corrections.FEWEST - 1), sent(corrections.FEWEST)
    train, held_out = (few, enough) if short == "to learn from" else (enough, few)
    said = corrections.too_few(dataset.Split(train, enough, held_out))
    assert f"{short} that are normal come from 4 Telegram accounts; 5 are needed" in said
    assert not corrections.too_few(dataset.Split(enough, enough, enough))


def test_a_candidate_that_may_be_worse_is_not_written(
    data_dir: Path,
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    worse = Difference(base=0.8, candidate=0.79, low=-0.04, high=0.02)
    monkeypatch.setattr(corrections, "_candidate", lambda *_: base)
    monkeypatch.setattr(corrections, "compare", lambda *_: worse)
    with pytest.raises(typer.Exit) as ended:
        corrections.main(data_dir, base, tmp_path / "new")
    assert ended.value.exit_code == 1
    said = capsys.readouterr().out
    assert "No model is written: on reviewed it is worse" in said
    assert not (tmp_path / "new").exists()


def test_both_sets_must_pass(
    data_dir: Path,
    base: Path,
    base_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def compare(_base: object, _candidate: object, examples: list[Example]) -> Difference:
        low = 0.01 if examples[0].source == corrections.REVIEWED else -0.2
        return Difference(base=0.8, candidate=0.8, low=low, high=0.3)

    monkeypatch.setattr(corrections, "_candidate", lambda *_: base)
    monkeypatch.setattr(corrections, "compare", compare)
    with pytest.raises(typer.Exit):
        corrections.main(data_dir, base, tmp_path / "new", evaluate=base_set)
    assert "on fixed it is worse" in capsys.readouterr().out


def test_the_fixed_set_is_what_the_base_never_saw(
    data_dir: Path, base: Path, base_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, list[Example]]] = []
    monkeypatch.setattr(corrections, "_candidate", lambda *_: tmp_path / "made")
    monkeypatch.setattr(corrections, "_judge", lambda base, folder, tests: asked.append(tests))
    monkeypatch.setattr("shutil.move", lambda *_: None)
    corrections.main(data_dir, base, tmp_path / "new", rehearse=base_set)
    assert asked[0]["fixed"] == dataset.split(dataset.find_examples(base_set), 1).held_out


def test_models_are_compared_on_the_pictures_as_they_would_serve(
    tmp_path: Path,
) -> None:
    """Bright is bacterial, dark is normal; the candidate has it the wrong way round."""
    for name in ("right", "wrong"):
        install_model(tmp_path, name, flipped=name == "wrong")
    examples = []
    for number in range(20):
        label, value = ((Label.NORMAL, 40), (Label.BACTERIAL, 220))[number % 2]
        path = tmp_path / f"{number}.png"
        path.write_bytes(png(np.full((64, 64), value, np.uint8)))
        examples.append(Example(path, label, f"p{number}", "made up"))
    models = [load_model(tmp_path / name) for name in ("right", "wrong")]
    found = corrections.compare(*models, examples)
    assert (found.base, found.candidate) == (1, 0)
    assert not found.is_not_worse


@pytest.mark.parametrize("name", ["base", "no name", "a/../../b c"])
def test_a_folder_that_is_there_or_ill_named_is_refused(
    data_dir: Path, base: Path, name: str
) -> None:
    with pytest.raises(typer.BadParameter):
        corrections.main(data_dir, base, base.parent / name)
