import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from classifier import quality
from classifier.classifier import Answer, Classifier
from classifier.engines import Output
from classifier.gate import Gate, Kind, Look
from classifier.labels import Doubt, Finding, FloatArray, Label, Modality
from classifier.model import Model
from classifier.reading.scan import FileKind, Scan, Study, Units
from classifier.reading.sources import Source
from classifier.refusals import Refusal, RefusalReason

from .conftest import BrightnessGate

SOURCE = Source("picture", (Path("picture"),))


class Reader:
    """Gives one study, or refuses."""

    def __init__(self, study: Study | Refusal) -> None:
        self.study = study

    def read(self, source: Source, progress: object = None) -> Study:
        if isinstance(self.study, Refusal):
            raise self.study
        return self.study


def picture(brightness: float, **changes: object) -> Scan:
    """A checkered picture of a mean brightness, darker upwards, 200 pixels a side."""
    rows, columns = np.indices((200, 200)) // 10 % 2
    shade = np.linspace(-0.06, 0.06, 200)[:, np.newaxis]
    pixels = (brightness - 0.2 + 0.4 * (rows == columns) + shade).astype(np.float32)
    values: dict[str, object] = {"modality": None, "spacing": None} | changes
    return Scan(pixels, Units.GREY, **values)  # type: ignore[arg-type]  # a test's shorthand


def ct_slice(lung: bool, infiltrate: float = 0.0) -> Scan:
    """A body of soft tissue; with lung in its middle, some of it denser."""
    pixels = np.full((96, 96), 40, np.float32)
    if lung:
        pixels[24:72, 20:76] = -850
        pixels[28 : 28 + int(40 * infiltrate), 24:72] = -450
    return Scan(pixels, Units.HOUNSFIELD, Modality.CT, None, came_as=FileKind.DICOM)


async def answer(study: Study | Refusal, *models: Model, gate: Gate | None = None) -> Answer:
    installed = {model.card.modality: model for model in models}
    reader = Reader(study)
    async with Classifier(reader, installed, gate or BrightnessGate()) as classifier:  # type: ignore[arg-type]  # a stand-in
        return await classifier.classify(SOURCE)


async def test_an_xray_gets_a_finding(xray_model: Model) -> None:
    given = await answer(Study((picture(0.7),)), xray_model)
    assert given.finding is not None
    assert given.finding.label is Label.BACTERIAL
    assert sum(given.finding.probabilities.values()) == pytest.approx(1)
    assert given.finding.saliency.shape == (2, 2)
    assert (given.modality, given.slices, given.refusal) == (Modality.XRAY, 1, None)
    assert given.seconds > 0


async def test_the_network_is_shown_what_it_was_calibrated_on(xray_model: Model) -> None:
    """Unrounded, an ill child of the proof was told "normal": the limit lay 0.0003 above it."""
    shown: list[FloatArray] = []

    def run(inputs: FloatArray) -> Output:
        shown.append(inputs)
        return xray_model.engine.run(inputs)

    engine = SimpleNamespace(run=run)
    await answer(Study((picture(0.7),)), replace(xray_model, engine=engine))  # type: ignore[arg-type]  # a stand-in
    levels = shown[0] * 255
    np.testing.assert_allclose(levels, levels.round(), atol=1e-4)


async def test_below_the_cards_threshold_the_answer_is_unsure(xray_model: Model) -> None:
    given = await answer(Study((picture(0.47),)), xray_model)
    assert given.finding is not None
    assert given.finding.label is None
    assert max(given.finding.probabilities.values()) < 0.6


async def test_close_answers_are_a_doubt(xray_model: Model) -> None:
    given = await answer(Study((picture(0.47),)), xray_model)
    assert given.finding is not None
    assert Doubt.LOW_MARGIN in given.finding.doubts


def concluded(
    shares: list[float],
    model: Model,
    *doubts: Doubt,
    sure_from: float = 0.95,
    pneumonia_from: float = 0.9,
) -> Finding:
    """Conclude from calibrated probabilities; a label is sure from 0.95 on."""
    limits = {"sure_from": dict.fromkeys(Label, sure_from), "pneumonia_from": pneumonia_from}
    model = replace(model, card=replace(model.card, **limits))
    features = np.zeros((2, 2, 1), np.float32)
    return model.finding(np.log(shares), features, 1, frozenset(doubts))


@pytest.mark.parametrize("shares", [[0.06, 0.8, 0.14], [0.06, 0.48, 0.46]], ids=["apart", "close"])
def test_pneumonia_of_a_kind_that_is_not_clear_is_told_without_a_label(
    xray_model: Model, shares: list[float]
) -> None:
    found = concluded(shares, xray_model)
    assert (found.label, found.is_pneumonia, found.doubts) == (None, True, frozenset())
    less = concluded(shares, xray_model, pneumonia_from=0.95)
    assert (less.label, less.is_pneumonia) == (None, False)


def test_a_sure_kind_is_told_as_such(xray_model: Model) -> None:
    found = concluded([0.01, 0.97, 0.02], xray_model)
    assert (found.label, found.is_pneumonia) == (Label.BACTERIAL, False)


@pytest.mark.parametrize("doubt", [doubt for doubt in Doubt if doubt is not Doubt.LOW_MARGIN])
@pytest.mark.parametrize("shares", [[0.06, 0.8, 0.14], [0.06, 0.48, 0.46]], ids=["apart", "close"])
def test_every_doubt_but_that_of_the_kind_forbids_pneumonia_too(
    xray_model: Model, doubt: Doubt, shares: list[float]
) -> None:
    found = concluded(shares, xray_model, doubt)
    assert not found.is_pneumonia
    close = {Doubt.LOW_MARGIN} if shares[1] < 0.5 else set()
    assert found.doubts == {doubt} | close


def test_a_picture_close_to_normal_is_no_pneumonia(xray_model: Model) -> None:
    found = concluded([0.32, 0.34, 0.34], xray_model, pneumonia_from=0.5)
    assert (found.is_pneumonia, found.doubts) == (False, {Doubt.LOW_MARGIN})


def test_a_limit_of_one_is_never_reached(xray_model: Model) -> None:
    shares = [0.0, 0.5, 0.5]
    with np.errstate(divide="ignore"):
        assert not concluded(shares, xray_model, pneumonia_from=1.0).is_pneumonia
        assert concluded(shares, xray_model, pneumonia_from=0.999).is_pneumonia
        certain = [0.0, 1.0, 0.0]
        assert concluded(certain, xray_model, sure_from=1.0).label is None
        assert concluded(certain, xray_model, sure_from=0.999).label is Label.BACTERIAL


async def test_what_is_unlike_the_training_pictures_is_never_sure(xray_model: Model) -> None:
    given = await answer(Study((picture(0.02),)), xray_model)
    assert given.finding is not None
    assert Doubt.UNLIKE_TRAINING in given.finding.doubts
    assert max(given.finding.probabilities.values()) > 0.9
    assert given.finding.label is None


async def test_a_poor_picture_is_a_doubt_and_never_sure(xray_model: Model) -> None:
    flat = Scan(np.full((200, 200), 0.7, np.float32), Units.GREY, None, None)
    tiny = Scan(picture(0.7).pixels[:64, :64], Units.GREY, None, None)
    for scan, doubt in ((flat, Doubt.FLAT), (tiny, Doubt.TOO_SMALL)):
        given = await answer(Study((scan,)), xray_model)
        assert given.finding is not None
        assert doubt in given.finding.doubts
        assert given.finding.label is None


async def test_what_was_painted_over_is_a_doubt(xray_model: Model) -> None:
    given = (await answer(Study((picture(0.7, patches=0.2),)), xray_model)).finding
    assert given is not None
    assert (given.label, given.doubts) == (None, {Doubt.EDITED})


@pytest.mark.parametrize("doubt", [Doubt.DAMAGED, Doubt.OTHER_AGE])
async def test_what_the_file_gives_reason_for_is_a_doubt(doubt: Doubt, xray_model: Model) -> None:
    scan = picture(0.7, doubts=frozenset({doubt}))
    given = (await answer(Study((scan,)), xray_model)).finding
    assert given is not None
    assert (given.label, given.doubts) == (None, {doubt})


async def test_a_coloured_picture_is_no_scan(xray_model: Model) -> None:
    given = await answer(Study((picture(0.5, chroma=0.3),)), xray_model)
    assert given.refusal is RefusalReason.NOT_CHEST
    assert given.finding is None


async def test_what_looks_like_neither_is_refused(xray_model: Model) -> None:
    assert (await answer(Study((picture(1.0),)), xray_model)).refusal is RefusalReason.NOT_CHEST


async def test_what_is_refused_costs_no_run_of_the_network(xray_model: Model) -> None:
    model = replace(xray_model, engine=None)  # type: ignore[arg-type]  # it must not be asked
    assert (await answer(Study((picture(1.0),)), model)).refusal is RefusalReason.NOT_CHEST


class Sideways(BrightnessGate):
    """Sees every picture a quarter turn off, and inverted."""

    def look(self, grey: FloatArray) -> Look:
        return replace(super().look(grey), quarter_turns=1, is_inverted=True)


async def test_a_sideways_picture_is_shown_and_judged_upright(xray_model: Model) -> None:
    pixels = picture(0.7).pixels[:, :160].copy()
    pixels[:40] = 0.9 - np.linspace(0, 0.2, 160)
    study = Study((Scan(pixels, Units.GREY, None, None),))
    given = await answer(study, xray_model, gate=Sideways())
    assert given.shown is not None and given.finding is not None
    np.testing.assert_allclose(given.shown, 1 - np.rot90(pixels), atol=1e-6)
    assert given.finding.label is Label.NORMAL
    model = {Modality.XRAY: xray_model}
    async with Classifier(Reader(study), model, Sideways()) as candidate:  # type: ignore[arg-type]  # a stand-in
        estimated = await candidate.estimate(study, Modality.XRAY)
    assert estimated is not None
    assert estimated.probabilities == given.finding.probabilities


class Photographed(BrightnessGate):
    """Likes pictures with little white around."""

    def look(self, grey: FloatArray) -> Look:
        return replace(super().look(grey), distance=4 + float((grey > 0.98).mean()))


@pytest.mark.parametrize("came_as", [FileKind.JPEG, FileKind.DICOM])
async def test_a_film_is_cut_out_of_a_photograph_only(xray_model: Model, came_as: FileKind) -> None:
    pixels = np.ones((400, 400), np.float32)
    pixels[100:300, 80:280] = picture(0.6).pixels
    study = Study((Scan(pixels, Units.GREY, None, None, came_as=came_as),))
    given = await answer(study, xray_model, gate=Photographed())
    assert given.finding is not None and given.shown is not None
    is_cut = came_as is FileKind.JPEG
    assert (Doubt.PHOTOGRAPHED in given.finding.doubts) is is_cut
    assert not is_cut or given.finding.label is None
    np.testing.assert_allclose(given.shown.shape, 200 if is_cut else 400, atol=12)


class Partial(BrightnessGate):
    """Sees a part of a film in every picture."""

    def look(self, grey: FloatArray) -> Look:
        return replace(super().look(grey), is_part=True)


@pytest.mark.parametrize("came_as", [FileKind.JPEG, FileKind.DICOM])
async def test_part_of_a_film_is_never_sure(xray_model: Model, came_as: FileKind) -> None:
    study = Study((replace(picture(0.7), came_as=came_as),))
    whole = await answer(study, xray_model)
    part = await answer(study, xray_model, gate=Partial())
    assert whole.finding is not None and part.finding is not None
    assert (whole.finding.label, whole.finding.doubts) == (Label.BACTERIAL, frozenset())
    assert (part.finding.label, part.finding.is_pneumonia) == (None, False)
    assert part.finding.doubts == {Doubt.UNLIKE_TRAINING}


@pytest.mark.parametrize("axis", [0, 1])
async def test_a_picture_longer_than_any_chest_is_never_sure(axis: int, xray_model: Model) -> None:
    usual = replace(picture(0.7), came_as=FileKind.DICOM)
    long = replace(usual, pixels=np.repeat(usual.pixels, 3, axis=axis))
    given = await answer(Study((long,)), xray_model)
    assert given.finding is not None and given.finding.label is None
    assert Doubt.UNLIKE_TRAINING in given.finding.doubts


class Hinted(BrightnessGate):
    """Sees another X-ray in what a header says is of a chest."""

    def look(self, grey: FloatArray) -> Look:
        return replace(super().look(grey), kind=Kind.OTHER_XRAY)


async def test_what_only_a_header_lets_in_is_never_sure(xray_model: Model) -> None:
    study = Study((replace(picture(0.7), came_as=FileKind.DICOM, modality=Modality.XRAY),))
    given = (await answer(study, xray_model, gate=Hinted())).finding
    assert given is not None
    assert (given.label, given.is_pneumonia) == (None, False)
    assert given.doubts == {Doubt.UNLIKE_TRAINING}


async def test_a_refused_file_is_an_answer(xray_model: Model) -> None:
    given = await answer(Refusal(RefusalReason.EMPTY), xray_model)
    assert given.refusal is RefusalReason.EMPTY
    assert (given.shown, given.modality, given.slices) == (None, None, 0)
    assert given.model == xray_model.name


async def test_what_waits_to_be_read_takes_no_thread_from_the_rest(xray_model: Model) -> None:
    reads = threading.Event()
    reader: Any = SimpleNamespace(read=lambda *_: reads.wait(20))
    async with Classifier(reader, {Modality.XRAY: xray_model}, BrightnessGate()) as classifier:
        waiting = [asyncio.create_task(classifier.read(SOURCE)) for _ in range(40)]
        await asyncio.sleep(0)  # until all of them wait
        try:
            async with asyncio.timeout(5):
                await asyncio.to_thread(int)
        finally:
            reads.set()
            await asyncio.gather(*waiting)


async def test_of_several_x_rays_in_one_file_none_is_answered(xray_model: Model) -> None:
    given = await answer(Study((picture(0.7), picture(0.2))), xray_model)
    assert given.refusal is RefusalReason.SEVERAL_STUDIES
    assert given.finding is None


async def test_with_other_pictures_beside_it_an_x_ray_gets_no_label(xray_model: Model) -> None:
    given = await answer(Study((picture(0.7),), unseen=1), xray_model)
    assert given.finding is not None
    assert given.finding.label is None
    assert given.finding.doubts == {Doubt.OTHERS_UNSEEN}


async def test_with_lost_slices_a_series_gets_no_label(
    xray_model: Model, ct_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "SMALLEST", 96)
    scans = (ct_slice(False), ct_slice(True), ct_slice(True))
    for unseen in (0, 2):
        given = await answer(Study(scans, unseen=unseen), xray_model, ct_model)
        assert given.finding is not None
        assert (Doubt.OTHERS_UNSEEN in given.finding.doubts) == bool(unseen)
        assert (given.finding.label is None) == bool(unseen)


async def test_one_slice_that_is_none_does_not_refuse_a_series(
    xray_model: Model, ct_model: Model
) -> None:
    white = replace(ct_slice(False), pixels=np.full((96, 96), 3000, np.float32))
    scans = (ct_slice(True), ct_slice(True), white, ct_slice(True), ct_slice(True))
    assert (await answer(Study(scans), xray_model, ct_model)).finding is not None
    mostly = (white, white, white, ct_slice(True), ct_slice(True))
    given = await answer(Study(mostly), xray_model, ct_model)
    assert given.refusal is RefusalReason.NOT_CHEST


async def test_a_series_without_lungs_is_no_chest(xray_model: Model, ct_model: Model) -> None:
    belly = replace(ct_slice(False), pixels=np.full((96, 96), 40, np.float32))
    given = await answer(Study((belly,) * 5), xray_model, ct_model)
    assert (given.refusal, given.finding) == (RefusalReason.NOT_CHEST, None)


async def test_of_a_series_that_shows_little_no_class_is_named(
    xray_model: Model, ct_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(quality.FLAT, Modality.CT, 1.0)
    given = await answer(Study((ct_slice(True),) * 3), xray_model, ct_model)
    assert given.finding is not None
    assert given.finding.doubts >= {Doubt.FLAT}
    assert given.finding.label is None


async def test_without_a_ct_model_a_series_is_shown_but_not_estimated(xray_model: Model) -> None:
    given = await answer(Study((ct_slice(True),) * 5), xray_model)
    assert given.refusal is RefusalReason.NO_CT_MODEL
    assert (given.modality, given.slices, given.finding) == (Modality.CT, 5, None)
    assert given.shown is not None
    assert given.shown.min() >= 0
    assert given.shown.max() <= 1


async def test_a_ct_model_brings_findings_by_being_there(
    xray_model: Model, ct_model: Model
) -> None:
    scans = (ct_slice(False), ct_slice(True), ct_slice(True, 0.4), ct_slice(True), ct_slice(False))
    given = await answer(Study(scans), xray_model, ct_model)
    assert given.finding is not None
    assert given.finding.slices == 5
    assert given.model == given.finding.model == ct_model.name
    assert given.shown is not None
    np.testing.assert_allclose(given.shown[30, 48], (-450 + 1350) / 1500, atol=1e-6)
    assert given.finding.places is not None
    assert given.finding.places.deciding[0] == 2
    assert len(given.deciding) == 3
