import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier.card import BrokenModel, Flaw
from classifier.gate import GATE, Gate, Kind, Look
from classifier.labels import FloatArray, Modality
from classifier.preprocess import to_grey
from classifier.reading.dicom import read_dicom
from classifier.reading.picture import read_picture
from classifier.reading.scan import Scan, Units

XRAY = Look(Kind.XRAY, {kind: float(kind is Kind.XRAY) for kind in Kind}, 1.0, 0, False, False, 0.5)
GREY = Scan(np.zeros((8, 8), np.float32), Units.GREY, None, None)


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture
def xray(shared_data: Path) -> FloatArray:
    path = next(iter(sorted((shared_data / "xray" / "original-size" / "normal").iterdir())))
    return to_grey(read_picture(path.read_bytes()))


def test_a_chest_xray_is_one_and_stays_as_it_is(gate: Gate, xray: FloatArray) -> None:
    look = gate.look(xray)
    assert look.kind is Kind.XRAY
    assert (look.quarter_turns, look.is_inverted) == (0, False)
    assert sum(look.probabilities.values()) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(look.mended(xray), xray)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_xray_is_put_upright(gate: Gate, xray: FloatArray, turns: int) -> None:
    lying = np.ascontiguousarray(np.rot90(xray, -turns))
    np.testing.assert_array_equal(gate.look(lying).mended(lying), xray)


def test_an_inverted_xray_is_put_right(gate: Gate, xray: FloatArray) -> None:
    negative = 1 - xray
    np.testing.assert_allclose(gate.look(negative).mended(negative), xray, atol=1e-6)


def test_a_half_of_an_xray_is_seen_as_a_part_whichever_way_up(gate: Gate, xray: FloatArray) -> None:
    rows, columns = xray.shape
    halves = (xray[: rows // 2], xray[rows // 2 :], xray[:, : columns // 2])
    assert not gate.look(xray).is_part
    assert not gate.look(np.rot90(xray)).is_part
    assert not gate.look(1 - xray).is_part
    for half in halves:
        assert gate.look(half).is_part
        assert gate.look(np.rot90(half, 2)).is_part


def test_noise_a_blank_and_stripes_are_refused(gate: Gate) -> None:
    noise = np.random.default_rng(0).random((300, 300), np.float32)
    stripes = np.tile(np.float32([0, 0, 0, 0, 1, 1, 1, 1]), (300, 40))
    for grey in (noise, np.full((300, 300), 0.5, np.float32), stripes):
        look = gate.look(grey)
        assert gate.modality(GREY, look) is None
        assert look.quarter_turns == 0


class Turning(Gate):
    """Sees what its test says, the same whatever is done to the picture."""

    def __init__(self, seen: Look) -> None:
        self.seen = seen

    def _seen(self, grey: FloatArray) -> Look:
        return self.seen


@pytest.mark.parametrize("doubt", [{"quarter_turns": 1}, {"is_inverted": True}])
def test_what_mending_does_not_mend_is_left_alone(doubt: dict[str, object]) -> None:
    look = Turning(replace(XRAY, **doubt)).look(np.zeros((4, 6), np.float32))  # type: ignore[arg-type]  # a test's shorthand
    assert (look.quarter_turns, look.is_inverted) == (0, False)


def test_a_tinted_film_passes_and_a_doubtful_coloured_picture_does_not(gate: Gate) -> None:
    film = replace(GREY, chroma=0.2)
    strict = Turning(XRAY)
    strict.card = replace(gate.card, chest_from=0.5, coloured_from=0.8)
    assert strict.modality(film, XRAY) is Modality.XRAY
    assert strict.modality(film, replace(XRAY, chest=0.7)) is None
    assert strict.modality(GREY, replace(XRAY, chest=0.7)) is Modality.XRAY


def seen_as(kind: Kind, **shares: float) -> Look:
    given = dict.fromkeys(Kind, 0.0) | {Kind(name): share for name, share in shares.items()}
    return replace(XRAY, kind=kind, probabilities=given, chest=given[Kind.XRAY] + given[Kind.CT])


def test_a_header_is_a_hint_and_no_proof(gate: Gate) -> None:
    tagged_ct = replace(GREY, modality=Modality.CT)
    assert gate.modality(tagged_ct, XRAY) is Modality.XRAY
    tagged_xray = replace(GREY, modality=Modality.XRAY)
    doubtful = seen_as(Kind.OTHER_MEDICAL, xray=0.3, other_medical=0.7)
    assert gate.modality(tagged_xray, doubtful) is Modality.XRAY
    assert gate.modality(GREY, doubtful) is None
    leg = seen_as(Kind.OTHER_XRAY, xray=0.02, other_xray=0.98)
    assert gate.modality(tagged_xray, leg) is None


def test_hounsfield_units_are_a_chest_but_for_scouts_and_heads(gate: Gate) -> None:
    ct = replace(GREY, units=Units.HOUNSFIELD, modality=Modality.CT)
    doubtful = seen_as(Kind.OTHER_MEDICAL, ct=0.05, other_medical=0.95)
    assert gate.modality(ct, doubtful) is Modality.CT
    assert gate.modality(ct, seen_as(Kind.OTHER_MEDICAL, other_medical=1)) is None
    assert gate.modality(ct, XRAY) is None
    assert gate.modality(ct, seen_as(Kind.OTHER_XRAY, ct=0.3, other_xray=0.7)) is None


def chests(folder: Path) -> Iterator[tuple[str, Scan]]:
    for path in sorted(folder.iterdir()):
        yield path.name, read_dicom(path.read_bytes())[0]


def test_real_dicom_chests_are_xrays_whatever_their_tags_say(gate: Gate, shared_data: Path) -> None:
    for name, scan in chests(shared_data / "dicom" / "chest-xray"):
        look = gate.look(to_grey(scan))
        assert gate.modality(scan, look) is Modality.XRAY, name
        # Of this one only the tag was flipped.
        assert look.is_inverted is name.startswith("Fake_MONO"), name
        assert look.quarter_turns == 0


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(GATE, tmp_path / "gate")
    return tmp_path / "gate"


def test_an_altered_network_is_refused(copy: Path) -> None:
    (copy / "gate.onnx").write_bytes(b"altered")
    with pytest.raises(BrokenModel, match=r"gate/gate\.onnx"):
        Gate(copy)


def test_a_card_that_does_not_fit_is_refused(copy: Path) -> None:
    card = json.loads((copy / "gate.json").read_text())
    (copy / "gate.json").write_text(json.dumps(card | {"input_size": 64}))
    with pytest.raises(BrokenModel) as refused:
        Gate(copy)
    assert refused.value.flaw is Flaw.SHAPE
    (copy / "gate.json").write_text("{}")
    with pytest.raises(BrokenModel) as refused:
        Gate(copy)
    assert refused.value.flaw is Flaw.CARD
