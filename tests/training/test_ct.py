"""A last layer for CT: weighed, cleaned of sources, judged on patients and sources left out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classifier.labels import Label, Modality
from classifier.model import calibrated, load_model
from classifier.preprocess import to_unit
from classifier.reading.picture import read_picture
from classifier.study import look_at
from training.calibrate import NEVER
from training.ct import package as packaging
from training.ct.head import NEVER_LOGIT, Table, fit_head, weigh, without_sources
from training.ct.probes import border_alone, mask_alone, probe
from training.ct.slices import load_slices
from training.ct.validate import (
    Patients,
    by_patient,
    cross_validated,
    measure,
    row,
    source_left_out,
    sure_from,
    temperature,
)

from ..classifier.tiny_models import install_model

CELLS = [("a", 0), ("a", 2), ("b", 1), ("b", 2), ("c", 0)]
PATIENTS, SLICES, CHANNELS = 20, 3, 6


@pytest.fixture
def table() -> Table:
    """Features of which three tell the class, one the source, and two nothing."""
    rng = np.random.default_rng(0)
    cells = [cell for cell in CELLS for _ in range(PATIENTS * SLICES)]
    sources = np.array([source for source, _ in cells])
    classes = np.array([label for _, label in cells])
    features = rng.normal(0, 0.5, (len(cells), CHANNELS)).astype(np.float32)
    features[np.arange(len(cells)), classes] += 2
    features[:, 3] += 6 * (sources == "a") - 6 * (sources == "c")
    numbers = np.repeat(np.arange(len(cells) // SLICES), SLICES)
    return Table(features, classes, sources, np.array([f"p{number}" for number in numbers]))


def test_classes_sources_and_patients_weigh_the_same(table: Table) -> None:
    fewer = table.of(np.arange(len(table.classes)) % 5 > 0)
    weights = weigh(fewer)
    assert weights.mean() == pytest.approx(1)
    by_class = [weights[fewer.classes == each].sum() for each in range(3)]
    assert np.ptp(by_class) == pytest.approx(0)
    healthy = [weights[(fewer.classes == 0) & (fewer.sources == s)].sum() for s in "ac"]
    assert np.ptp(healthy) == pytest.approx(0)
    one = (fewer.classes == 1) & (fewer.sources == "b")
    patients = [weights[one & (fewer.patients == p)].sum() for p in set(fewer.patients[one])]
    assert np.ptp(patients) == pytest.approx(0)


def test_after_erasing_the_sources_of_a_class_have_one_mean(table: Table) -> None:
    known = table.features.astype(np.float64)
    cleaned = known @ without_sources(known, table)
    for each, first, second in ((0, "a", "c"), (2, "a", "b")):
        means = [
            cleaned[(table.classes == each) & (table.sources == source)].mean(0)
            for source in (first, second)
        ]
        np.testing.assert_allclose(*means, atol=1e-8)


def test_with_one_source_for_each_class_nothing_is_erased(table: Table) -> None:
    alone = table.of(table.sources == "b")
    np.testing.assert_array_equal(without_sources(alone.features, alone), np.eye(CHANNELS))


@pytest.mark.parametrize("erase", [False, True])
def test_a_head_learns_the_classes(table: Table, erase: bool) -> None:
    head = fit_head(table, erase)
    right = (table.features @ head.kernel + head.bias).argmax(1) == table.classes
    assert right.mean() > 0.9


def test_a_class_that_was_not_there_is_never_likeliest(table: Table) -> None:
    head = fit_head(table.of(table.classes != 1), erase=False)
    assert head.bias[1] == np.float32(NEVER_LOGIT)
    assert ((table.features @ head.kernel + head.bias).argmax(1) != 1).all()


def test_patients_and_sources_are_answered_by_layers_that_never_saw_them(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Table] = []
    fit = fit_head

    def spy(table: Table, erase: bool) -> object:
        seen.append(table)
        return fit(table, erase)

    monkeypatch.setattr("training.ct.validate.fit_head", spy)
    assert cross_validated(table, False, 0).shape == (len(table.classes), 3)
    whole = set(table.patients)
    left = [whole - set(each.patients) for each in seen]
    assert len(left) == 5
    assert set.union(*left) == whole
    assert sum(map(len, left)) == len(whole)
    seen.clear()
    source_left_out(table, False)
    assert [sorted(set(each.sources)) for each in seen] == [["b", "c"], ["a", "c"], ["a", "b"]]


def test_each_source_is_measured_by_what_its_classes_allow(table: Table) -> None:
    head = fit_head(table, erase=False)
    patients = by_patient(table.features @ head.kernel + head.bias, table, 1.0)
    assert len(patients.names) == len(CELLS) * PATIENTS
    found = measure(patients)
    assert set(found) == {
        "a_sensitivity", "a_specificity", "a_ill_auroc",
        "b_sensitivity", "b_viral_auroc", "b_accuracy",
        "c_specificity",
    }  # fmt: skip
    assert min(found.values()) > 0.9
    cells = row([patients, patients], patients)
    assert cells["a_ill_auroc"].count("±") == 1
    assert "new_a_ill_auroc" in cells
    assert "new_b_accuracy" not in cells


def told(*groups: tuple[int, int, float]) -> Patients:
    """So many patients, each group with its class and its logit for normal."""
    classes = np.concatenate([np.full(count, label) for count, label, _ in groups])
    normal = np.concatenate([np.full(count, logit) for count, _, logit in groups])
    logits = np.stack([normal, 0 * normal, 0 * normal], 1).astype(np.float32)
    names = np.array([f"p{number}" for number in range(len(classes))])
    return Patients(logits, classes, np.full(len(classes), "a"), names)


@pytest.mark.parametrize(
    ("patients", "sure"),
    [
        (told((149, 0, 5.0), (50, 2, -5.0)), True),
        (told((147, 0, 5.0), (50, 2, -5.0)), False),
        (told((200, 0, 5.0), (1, 2, 5.0), (50, 2, -5.0)), False),
        (told((240, 0, 5.0), (1, 2, 5.0), (50, 2, -5.0)), True),
    ],
    ids=["149 right", "147 right", "one of 201 wrong", "one of 241 wrong"],
)
def test_normal_is_sure_only_if_the_exact_bound_over_patients_allows(
    patients: Patients, sure: bool
) -> None:
    threshold = sure_from(patients, 1.0)[Label.NORMAL]
    confidence = calibrated(np.array([5.0, 0.0, 0.0]), 1.0)[0]
    assert threshold == (pytest.approx(confidence) if sure else NEVER)


def test_nothing_is_sure_if_those_answered_most_surely_are_wrong() -> None:
    patients = told((3, 2, 9.0), (900, 0, 3.0))
    assert sure_from(patients, 1.0)[Label.NORMAL] == NEVER


def test_logits_that_say_nothing_of_a_new_source_are_drawn_together() -> None:
    wrong = told((50, 0, -4.0), (50, 2, 4.0), (60, 0, 4.0), (60, 2, -4.0))
    right = told((100, 0, 4.0), (100, 2, -4.0))
    assert temperature(wrong) > 5
    assert temperature(right) < 1


def test_a_probe_finds_what_is_there_and_nothing_else(table: Table) -> None:
    source = np.unique(table.sources, return_inverse=True)[1]
    assert np.mean(probe(table.features[:, 3:4], table, source)) > 0.8
    noise = np.random.default_rng(1).normal(size=(len(source), 4)).astype(np.float32)
    assert np.mean(probe(noise, table, source)) == pytest.approx(0.5, abs=0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Slices as the public sets name them; the last shows no lung."""
    for label, names in {
        "normal": ("mosmed-n001", "cvt-n01-00"),
        "viral": ("sysu-v02-01",),
    }.items():
        place = tmp_path / "slices-x" / label
        place.mkdir(parents=True)
        for name in names:
            chest().save(place / f"{name}.png")
    Image.new("L", (90, 90), 200).save(tmp_path / "slices-x" / "viral" / "sysu-v02-02.png")
    return tmp_path


def chest() -> Image.Image:
    y, x = np.mgrid[-1:1:90j, -1:1:90j]
    pixels = np.where(x**2 + y**2 < 0.8, 200, 60)
    for centre in (-0.4, 0.4):
        pixels[((x - centre) / 0.25) ** 2 + (y / 0.5) ** 2 < 1] = 70
    return Image.fromarray(pixels.astype(np.uint8))


def test_names_tell_source_and_patient_and_slices_without_lung_are_left_out(folder: Path) -> None:
    slices, without = load_slices(folder, 32)
    assert without == 1
    assert slices.sources.tolist() == ["cvt", "mosmed", "sysu"]
    assert slices.patients.tolist() == ["cvt-n01", "mosmed-n001", "sysu-v02"]
    assert slices.classes.tolist() == [0, 0, 2]
    assert slices.inputs.shape == (3, 32, 32)


def test_the_network_is_shown_what_it_learned_from_to_the_last_digit(folder: Path) -> None:
    slices, _ = load_slices(folder, 32)
    scan = read_picture((folder / "slices-x" / "viral" / "sysu-v02-01.png").read_bytes())
    shown = look_at([scan], 32).inputs[..., 0]
    np.testing.assert_array_equal(shown, to_unit(slices.inputs[slices.sources == "sysu"]))


def test_a_folder_without_slices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="slices"):
        load_slices(tmp_path, 32)


def test_the_border_shows_no_lung_and_the_mask_no_grey(folder: Path) -> None:
    slices, _ = load_slices(folder, 32)
    inside = replace(slices, greys=np.where(slices.masks, 0.9, slices.greys))
    np.testing.assert_array_equal(border_alone(slices), border_alone(inside))
    np.testing.assert_array_equal(mask_alone(slices), mask_alone(inside))


def test_a_packaged_head_is_a_model_that_says_what_it_is(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_model(tmp_path, "below")
    one = replace(table, features=table.features[:, :1])
    patients = by_patient(source_left_out(one, False), one, 1.0)
    made = packaging.package(
        one, patients, patients, tmp_path / "below", tmp_path / "above", False, 7
    )
    loaded = load_model(tmp_path / "above")
    assert (loaded.card.modality, loaded.card.trunk) == (Modality.CT, "below")
    assert loaded.card == made
    page = (tmp_path / "above" / "MODEL_CARD.md").read_text()
    assert "**Experimental.**" in page
    assert "research use" in page
    if set(made.sure_from.values()) == {NEVER}:
        assert 'The answer is always "unsure".' in page
    files = {path.name for path in (tmp_path / "above").iterdir()}
    assert files == {"card.json", "head.npz", "likeness.npz", "MODEL_CARD.md"}
