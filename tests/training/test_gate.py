import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classifier.engines.onnx import session
from classifier.gate import ENGINE, OUTPUTS, Gate, Kind
from training import gate, gate_data, gate_heads, gate_measure, laterals
from training.gate_data import Part, part_of, turned
from training.gate_graph import FEATURES, SIZE, backbone

from ..journeys.pictures import ct_series


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the shapes of a folded ResNet-18."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("start") / "start.npz"
    shapes = {"conv1": (64, 3, 7, 7), "layer2.0.downsample.0": (128, 64, 1, 1)}
    for stage, width in ((1, 64), (2, 128)):
        for block in (0, 1):
            before = 64 if block == 0 else width
            shapes[f"layer{stage}.{block}.conv1"] = (width, before, 3, 3)
            shapes[f"layer{stage}.{block}.conv2"] = (width, width, 3, 3)
    arrays = {}
    for name, shape in shapes.items():
        spread = np.sqrt(2 / np.prod(shape[1:]))
        arrays[f"{name}.weight"] = rng.normal(0, spread, shape).astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(shape[0], np.float32)
    np.savez(path, **arrays)
    return path


def drawn(family: str, rng: np.random.Generator) -> np.ndarray:
    """A stand-in chest: bright below on an X-ray, a ring in a CT; photographs are stripes."""
    y, x = np.mgrid[:128, :128]
    grey = rng.integers(0, 40, (128, 128))
    if family == "xray":
        grey += (y + rng.integers(0, 9)) // 2 + 90 * (np.abs(x - 64) < 12 + y // 8)
    elif family == "ct":
        grey += 150 * (np.abs(np.hypot(x - 64, y - 64) - 40) < 9)
    else:
        grey += 120 * ((x + y) // int(rng.integers(3, 9)) % 2)
    return grey.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def made(start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the command over drawings: the folder with all it wrote."""
    place, rng = tmp_path_factory.mktemp("gate"), np.random.default_rng(0)
    for name in ("xray/normal", "ct/normal", "others/photographs/package"):
        (place / name).mkdir(parents=True)
        for number in range(40):
            image = Image.fromarray(drawn(name.partition("/")[0], rng))
            image.save(place / name / f"{number}.png")
    (place / "series").mkdir()
    for number, file in enumerate(ct_series(20)):
        (place / "series" / f"{number}.dcm").write_bytes(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate_data, "MADE_UP", 6)
        patch.setattr(laterals, "DRAWN", 2)
        patch.setattr(gate_measure, "CHANGED", 4)
        patch.setattr(gate_measure, "RESAMPLES", 5)
        gate.main(
            [place / "xray"],
            [place / "ct"],
            place / "others",
            start,
            [place / "series"],
            out=place / "out",
            results=place / "r.csv",
        )
    return place


def test_a_run_leaves_a_gate_that_tells_its_kinds_apart(made: Path) -> None:
    looks = Gate(made / "out")
    rng = np.random.default_rng(1)
    for family, kind in (("xray", Kind.XRAY), ("ct", Kind.CT), ("photographs", Kind.OTHER)):
        seen = [looks.look(drawn(family, rng) / np.float32(255)) for _ in range(10)]
        assert sum(look.kind is kind for look in seen) >= 8
    assert (made / "out" / ENGINE).stat().st_size < 6e6


def test_a_run_leaves_a_row_for_each_figure(made: Path) -> None:
    rows = list(csv.DictReader((made / "r.csv").open()))
    figures = {(row["figure"], row["condition"]) for row in rows}
    assert ("auroc", "left out") in figures
    assert ("let in", "known") in figures
    assert ("let in", "projected from CT series") in figures
    assert ("put right", "turned by 90°") in figures
    assert ("turned wrongly", "as it is") in figures
    assert ("taken for a part", "lower half") in figures
    assert all(
        float(row["low"]) <= float(row["value"]) <= float(row["high"])
        for row in rows
        if row["figure"] != "auroc"
    )
    assert all(str(made) not in row["command"] for row in rows)


def test_the_network_says_what_its_heads_were_fitted_to_say(start: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    wide = sum(gate_heads.WIDTHS)
    heads = gate_heads.Heads(
        {
            name: [
                (rng.normal(0, 0.02, (wide, 4)).astype(np.float32), np.zeros(4, np.float32)),
                (rng.normal(0, 1, (4, count)).astype(np.float32), np.zeros(count, np.float32)),
            ]
            for name, count in (("kinds", 5), ("turns", 4), ("inverted", 2), ("part", 2))
        },
        [rng.normal(0, 0.01, (width, width)).astype(np.float32) for width in (128, 256)],
        [rng.normal(0, 1, (2, width)).astype(np.float32) for width in (128, 256)],
    )
    gate_heads.save(heads, start, tmp_path / ENGINE)
    pixels = rng.random((3, SIZE, SIZE, 1), np.float32)
    kinds, turns, inverted, part, distance = session(tmp_path / ENGINE).run(
        list(OUTPUTS), {"grey": pixels}
    )
    expected = gate_heads.chest_scores(heads, gate_heads.extract(start, pixels))
    found = gate.chest_score(kinds[:, 0] + kinds[:, 1], distance)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    for shares in (kinds, turns, inverted, part):
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)


def test_the_frozen_part_pools_over_places_and_over_the_picture(
    start: Path, tmp_path: Path
) -> None:
    backbone(start).save(tmp_path / "b.onnx", dict(zip(FEATURES, gate_heads.WIDTHS, strict=True)))
    pixels = np.random.default_rng(3).random((2, SIZE, SIZE, 1), np.float32)
    grid, looks, *_ = session(tmp_path / "b.onnx").run(list(FEATURES), {"grey": pixels})
    places = grid.reshape(2, 64, 16)
    np.testing.assert_allclose(places.mean(2), looks[:, :64], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_turns_are_those_that_put_a_picture_upright(turns: int) -> None:
    upright = np.arange(12, dtype=np.uint8).reshape(3, 4)
    lying, needed, _ = turned(upright, turns)
    np.testing.assert_array_equal(np.rot90(lying, needed), upright)


def test_a_patient_stays_on_one_side() -> None:
    sides = [part_of(f"person {number}") for number in range(1000)]
    assert sides == [part_of(f"person {number}") for number in range(1000)]
    assert [sides.count(part) for part in Part] == pytest.approx([700, 100, 200], abs=50)
