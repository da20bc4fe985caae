import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classifier.labels import Label
from training.acquisitions import gives_away
from training.dataset import (
    FOLDS,
    WRITTEN,
    Example,
    find_all,
    find_examples,
    load_pictures,
    patient_of,
    split,
)


@pytest.mark.parametrize(
    ("path", "patient"),
    [
        ("bacterial/person12_bacteria_47.jpeg", "bacterial/12"),
        ("viral/person12_virus_47.jpeg", "viral/12"),
        ("normal/IM-0115-0001.jpeg", "normal/0115"),
        ("normal/NORMAL2-IM-0115-0001-0002.jpeg", "normal/0115"),
        ("NORMAL/IM-0115-0001.jpeg", "NORMAL/0115"),
        ("normal/anything-else.png", "normal/anything-else.png"),
        ("normal/patient7/first.png", "patient7"),
        ("viral/patient7/later.png", "patient7"),
        ("normal/00001803_001.jpg", "nih/00001803"),
        ("pneumonia/00001803_004.jpg", "nih/00001803"),
    ],
)
def test_pictures_of_one_patient_are_known_by_their_names(path: str, patient: str) -> None:
    assert patient_of(Path(path)) == patient


@pytest.mark.parametrize(
    "name", ["12.png", "12/a.png", "IM-0001-0001.jpg", "BACTERIA-12-0001.jpeg"]
)
def test_only_kaggles_own_names_give_the_kind_away(name: str) -> None:
    names = f"bacterial/{name}", "bacterial/person12_bacteria_47.jpeg"
    patients = np.array([patient_of(Path(each)) for each in names])
    assert gives_away(patients).tolist() == [False, True]


def test_no_patient_stands_on_two_sides_of_a_split(labelled_folder: Path) -> None:
    examples = find_examples(labelled_folder)
    parts = split(examples)
    patients = [{each.patient for each in part} for part in (parts.train, parts.tuning)]
    patients.append({each.patient for each in parts.held_out})
    assert not patients[0] & patients[1]
    assert not patients[0] & patients[2]
    assert not patients[1] & patients[2]
    assert len(parts.train) + len(parts.tuning) + len(parts.held_out) == len(examples)


def test_the_folds_hold_out_each_picture_once(labelled_folder: Path) -> None:
    examples = find_examples(labelled_folder)
    held_out = [each.path for fold in range(5) for each in split(examples, fold).held_out]
    assert sorted(held_out) == sorted(each.path for each in examples)


def test_another_source_beside_it_moves_no_picture_of_a_source(
    labelled_folder: Path, adults_folder: Path
) -> None:
    for fold in range(FOLDS):
        alone, both = (
            split(find_examples(labelled_folder), fold),
            split(find_all([labelled_folder, adults_folder]), fold),
        )
        for part in ("train", "tuning", "held_out"):
            mine = [e for e in getattr(both, part) if e.source == labelled_folder.name]
            assert mine == getattr(alone, part)
            assert len(getattr(both, part)) > len(mine)


def test_pneumonia_of_unknown_cause_is_known_as_such(adults_folder: Path) -> None:
    pictures = load_pictures(find_examples(adults_folder), 32)
    assert [WRITTEN[index] for index in np.unique(pictures.classes)] == [Label.NORMAL, None]
    assert set(pictures.sources) == {adults_folder.name}


def test_kaggles_own_folders_are_read_as_ours(labelled_folder: Path, tmp_path: Path) -> None:
    kaggle = tmp_path / labelled_folder.name
    shutil.copytree(labelled_folder / "normal", kaggle / "NORMAL")
    for kind in ("bacterial", "viral"):
        shutil.copytree(labelled_folder / kind, kaggle / "PNEUMONIA", dirs_exist_ok=True)
    (kaggle / "NORMAL" / ".DS_Store").write_bytes(b"of a Mac")

    def told(folder: Path) -> set[tuple[str, Label | None, str]]:
        return {(each.path.name, each.label, each.patient) for each in find_examples(folder)}

    assert told(kaggle) == told(labelled_folder)


def test_what_is_hidden_is_passed_over(labelled_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(labelled_folder, tmp_path / "copy"))
    hidden = folder / "normal" / ".ipynb_checkpoints" / "deeper"
    hidden.mkdir(parents=True)
    Image.new("L", (32, 32)).save(hidden / "a-checkpoint.png")
    assert len(find_examples(folder)) == len(find_examples(labelled_folder))


def test_a_file_that_is_no_picture_is_an_error_that_names_it(
    labelled_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(labelled_folder, tmp_path / "copy"))
    (folder / "viral" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0 of Windows")
    with pytest.raises(ValueError, match=r"viral/Thumbs\.db is no JPEG"):
        find_examples(folder)


def test_a_damaged_jpeg_is_an_error_that_names_it(labelled_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(labelled_folder, tmp_path / "copy"))
    path = folder / "viral" / "spoilt.jpg"
    Image.effect_noise((64, 64), 50).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:-1000] + bytes(500) + data[-500:])
    with pytest.raises(ValueError, match=r"viral/spoilt\.jpg is damaged"):
        load_pictures(find_examples(folder), 32)


def test_a_picture_that_is_refused_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "cut-off.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"cut-off\.png is refused, broken"):
        load_pictures([Example(path, Label.NORMAL, "a", "b")], 32)


def test_the_split_is_the_same_on_every_run(labelled_folder: Path) -> None:
    assert split(find_examples(labelled_folder)) == split(find_examples(labelled_folder))


def test_identical_copies_count_once(labelled_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(labelled_folder, tmp_path / "copy"))
    original = next((folder / "viral").iterdir())
    shutil.copy(original, folder / "viral" / "person99_virus_1.png")
    assert len(find_examples(folder)) == len(find_examples(labelled_folder))


def test_a_picture_in_two_folders_is_an_error_that_names_both(
    labelled_folder: Path, adults_folder: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(adults_folder, tmp_path / "other"))
    original = labelled_folder / "normal" / "IM-0003-0001.png"
    copy = shutil.copy(original, other / "normal" / "00000500_000.png")
    with pytest.raises(ValueError, match=f"{copy} is a copy of {original}"):
        find_all([labelled_folder, other])


def test_one_picture_under_two_labels_is_an_error(labelled_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(labelled_folder, tmp_path / "copy"))
    shutil.copy(next((folder / "viral").iterdir()), folder / "normal" / "IM-9999-0001.png")
    with pytest.raises(ValueError, match="also stands under"):
        find_examples(folder)


def test_a_missing_class_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no picture"):
        find_examples(tmp_path)


def test_pictures_are_loaded_as_the_network_sees_them(labelled_folder: Path) -> None:
    examples = find_examples(labelled_folder)
    pictures = load_pictures(examples, 32)
    assert pictures.pixels.shape == (72, 32, 32)
    assert pictures.inputs().shape == (72, 32, 32, 1)
    assert pictures.inputs().max() <= 1
    assert [tuple(Label)[index] for index in pictures.classes] == [e.label for e in examples]


def test_the_shared_set_has_no_patient_in_two_parts(shared_data: Path) -> None:
    examples = find_examples(shared_data / "xray" / "train")
    parts = split(examples)
    # 28 byte-identical pairs are told of in its README; two of them share one picture.
    assert len(examples) == 5190
    assert not {e.patient for e in parts.train} & {e.patient for e in parts.held_out}
    assert 0.19 < len(parts.held_out) / len(examples) < 0.21


def test_a_mixed_folder_is_read_in_one_order(labelled_folder: Path) -> None:
    paths = [str(each.path) for each in find_examples(labelled_folder)]
    by_label = [paths[start : start + 24] for start in range(0, 72, 24)]
    assert all(part == sorted(part) for part in by_label)
    assert np.unique(paths).size == 72
