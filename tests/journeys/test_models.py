"""Switching models while scans are on their way, candidates unseen, and what the doctors say."""

import asyncio
import io
import json
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.models import load_chosen
from bot.sandbox.client import Heard, User
from classifier.engines import Output
from classifier.labels import FloatArray, Modality
from classifier.model import Model, load_installed

from ..classifier.tiny_models import install_model
from .pictures import BACTERIAL, NORMAL, xray
from .stage import ADMIN, Stage, free_port

OLD, NEW = "old", "new"


@pytest.fixture
def mode() -> str:
    return "polling"


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program brings its models: one that finds bright what is bacterial."""
    place = tmp_path / "shipped"
    install_model(place, OLD)
    monkeypatch.setattr("bot.app.MODELS", place)
    return place


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Where an operator puts more: one that finds dark what is bacterial."""
    place = tmp_path / "data" / "models"
    install_model(place, NEW, flipped=True)
    return place


@pytest.fixture
def models(shipped: Path, installed: Path) -> Mapping[Modality, Model]:
    return load_installed(shipped)


@pytest.fixture
async def admin(stage: Stage) -> User:
    return await stage.agreed(ADMIN)


def label(stage: Stage, number: int = 1) -> tuple[str, str]:
    (row,) = stage.rows("SELECT model, label FROM findings WHERE id = ?", number)
    return row["model"].partition("@")[0], row["label"]


async def lists(admin: User) -> Heard:
    """Ask for the list; what was said before counts as heard."""
    await admin.says("/model")
    return await hears(admin, "Models")


async def hears(admin: User, words: str) -> Heard:
    """Wait for the next message with these words."""
    while words not in (heard := await admin.hears()).text:
        pass
    return heard


async def offers(admin: User, model: str) -> Heard:
    """Open the page of a model."""
    await admin.taps(f"{model}@", await lists(admin))
    return await hears(admin, "Learned from")


async def is_asked(admin: User, model: str) -> Heard:
    """Come to the question whether a model is really to answer."""
    page = await offers(admin, model)
    await admin.taps("Let it answer the patients", page)
    return await admin.sees("from now on, instead of", of=page)


async def switches(admin: User, model: str) -> Heard:
    question = await is_asked(admin, model)
    await admin.taps("Yes, switch", question)
    await admin.sees(f"From now on {model}@", of=question)
    return question


async def listens(admin: User, model: str) -> None:
    page = await offers(admin, model)
    await admin.taps("Let it listen in", page)
    await admin.sees("Patients are told nothing of it", of=page)


async def looked(stage: Stage, cases: int) -> None:
    """Wait until the candidate has looked at so many cases."""
    async with asyncio.timeout(30):
        while True:
            if stage.value("SELECT count(*) FROM shadow_findings") >= cases:
                return
            await asyncio.sleep(0.02)


def judge(stage: Stage, case_id: int, verdict: str) -> None:
    """Let a doctor have said the last word."""
    stage.change("INSERT INTO reviews VALUES (?, ?, 'one', 0)", case_id, verdict)


async def test_nobody_waits_while_a_model_is_loaded(
    stage: Stage, ann: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    question, go, load = await is_asked(admin, NEW), threading.Event(), load_chosen

    def slowly(*given: Any) -> Any:
        go.wait(60)
        return load(*given)

    monkeypatch.setattr("bot.models.load_chosen", slowly)
    await admin.taps("Yes, switch", question)
    await ann.says("/help")
    await ann.sees("Send a chest X-ray")
    go.set()
    await admin.sees(f"From now on {NEW}@", of=question)


async def test_an_admin_switches_the_model_and_back(stage: Stage, ann: User, admin: User) -> None:
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    listed = await lists(admin)
    assert "Accuracy 0.900 (0.850 – 0.940)" in listed.text
    assert "old@" in listed.text and "answers the patients" in listed.text
    await switches(admin, NEW)
    await ann.sends_photo(xray(BACTERIAL, seed=1))
    await ann.hears_photo()
    listed = await lists(admin)
    await admin.taps("Back to old@", listed)
    await admin.taps("Yes, switch", await admin.sees("instead of new@", of=listed))
    await admin.sees("From now on old@", of=listed)
    await ann.sends_photo(xray(BACTERIAL, seed=2))
    await ann.hears_photo()
    answers = [label(stage, number) for number in (1, 2, 3)]
    assert answers == [(OLD, "bacterial"), (NEW, "normal"), (OLD, "bacterial")]
    acts = stage.rows("SELECT actor, detail FROM audit WHERE action = 'model_active' ORDER BY id")
    assert [row["actor"].partition(":")[0] for row in acts] == ["system", "admin", "admin"]
    assert [row["detail"].partition("@")[0] for row in acts] == [OLD, NEW, OLD]


async def test_a_withdrawn_models_answer_is_not_given_again(
    stage: Stage, ann: User, admin: User
) -> None:
    await switches(admin, NEW)
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    await switches(admin, OLD)
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    assert [label(stage, number) for number in (1, 2)] == [(NEW, "normal"), (OLD, "bacterial")]
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    assert stage.value("SELECT count(*) FROM findings") == 2


async def test_who_is_asked_may_leave_everything_as_it_is(stage: Stage, admin: User) -> None:
    question = await is_asked(admin, NEW)
    await admin.taps("No", question)
    await admin.sees("Nothing was changed", of=question)
    assert stage.value("SELECT count(*) FROM model_choices") == 1


async def test_a_second_tap_changes_nothing_more(stage: Stage, admin: User) -> None:
    question = await is_asked(admin, NEW)
    await stage.stop()
    for _ in range(2):
        await admin.taps("Yes, switch", question)
    await stage.start()
    await admin.sees("answers the patients already", of=question)
    assert stage.value("SELECT count(*) FROM model_choices") == 2
    assert stage.value("SELECT count(*) FROM audit WHERE action = 'model_active'") == 2


class HeldEngine:
    """The network of a model, which answers once it is let go on."""

    def __init__(self, model: Model) -> None:
        self.engine = model.engine
        self.asked = threading.Event()
        self.go = threading.Event()

    def run(self, inputs: FloatArray) -> Output:
        self.asked.set()
        self.go.wait(10)
        return self.engine.run(inputs)


class TestInFlight:
    """With a model that takes its time."""

    @pytest.fixture
    def held(self, shipped: Path) -> HeldEngine:
        return HeldEngine(load_installed(shipped)[Modality.XRAY])

    @pytest.fixture
    def models(self, shipped: Path, installed: Path, held: HeldEngine) -> Mapping[Modality, Model]:
        model = load_installed(shipped)[Modality.XRAY]
        return {Modality.XRAY: replace(model, engine=held)}

    @pytest.mark.parametrize("mode", ["polling", "webhook"])
    async def test_a_switch_loses_no_scan_in_flight(
        self, stage: Stage, held: HeldEngine, admin: User
    ) -> None:
        early = [await stage.agreed(number) for number in (1, 2, 3)]
        for user in early:
            await user.sends_photo(xray(BACTERIAL, seed=user.id))
        assert await asyncio.to_thread(held.asked.wait, 5)
        await stage.sim.until(lambda calls: len(calls) >= 3, "getFile")
        await switches(admin, NEW)
        late = await stage.agreed(4)
        await late.sends_photo(xray(BACTERIAL, seed=4))
        await late.hears_photo()
        assert label(stage) == (NEW, "normal")
        held.go.set()
        for user in early:
            await user.hears_photo()
        assert [label(stage, number) for number in (2, 3, 4)] == [(OLD, "bacterial")] * 3


async def test_the_choice_outlives_a_restart(stage: Stage, ann: User, admin: User) -> None:
    await switches(admin, NEW)
    await stage.restart()
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    assert label(stage) == (NEW, "normal")
    assert stage.value("SELECT count(*) FROM model_choices") == 2


async def test_a_model_that_nobody_chose_gives_way_unsaid(stage: Stage, admin: User) -> None:
    await stage.stop()
    stage.change(
        """INSERT INTO model_choices (at, part, modality, name, digest)
           SELECT at + 1, part, modality, name, ? FROM model_choices""",
        "a" * 64,
    )
    await stage.start()
    await stage.sim.quiet()
    assert not [m for m in await admin.messages() if "no longer installed" in m.text]
    assert stage.value("SELECT count(*) FROM model_choices") == 3


async def test_a_chosen_model_that_is_gone_at_a_start_gives_way_and_the_admins_hear(
    stage: Stage, ann: User, admin: User, installed: Path
) -> None:
    await switches(admin, NEW)
    await stage.stop()
    (installed / NEW / "model.onnx").write_bytes(b"altered")
    await stage.start()
    told = await admin.sees("no longer installed or cannot be used")
    assert "new@" in told.text and "old@" in told.text
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    assert label(stage) == (OLD, "bacterial")
    await stage.restart()
    await stage.sim.quiet()
    assert len([m for m in await admin.messages() if "no longer installed" in m.text]) == 1


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"size": 48}, "do not go together"),
        ({"labels": 2}, "do not go together"),
        ({"features": 4}, "do not go together"),
    ],
)
async def test_a_model_that_does_not_fit_is_refused_and_changes_nothing(
    stage: Stage, ann: User, admin: User, installed: Path, odd: dict[str, int], words: str
) -> None:
    install_model(installed, "odd", **odd)
    page = await offers(admin, "odd")
    await admin.taps("Let it listen in", page)
    await admin.sees(words, of=page)
    question = await is_asked(admin, "odd")
    await admin.taps("Yes, switch", question)
    await admin.sees(words, of=question)
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    assert label(stage) == (OLD, "bacterial")
    assert stage.value("SELECT count(*) FROM model_choices") == 1


async def test_a_model_that_the_server_of_networks_does_not_know_is_refused(
    off_stage: Stage,
) -> None:
    await off_stage.start(classifier_url=f"http://127.0.0.1:{free_port()}")
    admin = await off_stage.agreed(ADMIN)
    page = await offers(admin, NEW)
    await admin.taps("Let it listen in", page)
    await admin.sees("gives no answer for this model", of=page)
    assert off_stage.value("SELECT count(*) FROM model_choices") == 1


async def test_folders_that_are_broken_are_listed_with_what_is_wrong(
    stage: Stage, admin: User, installed: Path
) -> None:
    for name in ("altered", "labels"):
        install_model(installed, name)
    (installed / "altered" / "model.onnx").write_bytes(b"altered")
    card = installed / "labels" / "card.json"
    card.write_text(card.read_text().replace('"viral"', '"<viral>"'))
    listed = await lists(admin)
    assert "not the one that the card names" in listed.text
    assert "its classes are not ours" in listed.text
    assert listed.button("altered@") is None and listed.button("labels@") is None


async def test_a_folder_that_changed_since_it_was_listed_is_not_used(
    stage: Stage, admin: User, installed: Path
) -> None:
    page = await offers(admin, NEW)
    card = installed / NEW / "card.json"
    card.write_text(card.read_text() + "\n")
    await admin.taps("Let it listen in", page)
    await admin.sees("no longer there, or its folder has changed")


async def test_a_candidate_looks_unseen_and_is_held_against_the_doctors(
    stage: Stage, ann: User, admin: User
) -> None:
    await listens(admin, NEW)
    await ann.sends_photo(xray(BACTERIAL))
    heard = await ann.hears_photo()
    await looked(stage, 1)
    assert label(stage) == (OLD, "bacterial")
    (row,) = stage.rows("SELECT model, label FROM shadow_findings")
    assert row["model"].startswith("new@") and row["label"] == "normal"
    assert "new" not in heard.text
    await ann.says("/history")
    assert "Bacterial" in (await hears(ann, "Your last pictures")).text
    await ann.says("/mydata")
    data = zipfile.ZipFile(io.BytesIO(await ann.downloads(await hears(ann, "Everything we hold"))))
    (case,) = json.loads(data.read("my-data.json"))["cases"]
    (answer,), (unseen,) = case["findings"], case["unseen"]
    assert answer["model"].startswith("old@") and answer["label"] == "bacterial"
    assert unseen["model"].startswith("new@") and unseen["label"] == "normal"
    await admin.says("/model compare")
    await admin.sees("too few to compare: from 20 on")


async def test_the_comparison_counts_agreement_with_intervals(
    stage: Stage, ann: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.admin.model_comparison.FEWEST", 3)
    await ann.sends_photo(xray(NORMAL, seed=9))
    await ann.hears_photo()
    await listens(admin, NEW)
    for seed, verdict in enumerate(("bacterial", "bacterial", "normal"), start=2):
        await ann.sends_photo(xray(BACTERIAL, seed=seed))
        await ann.hears_photo()
        await looked(stage, seed - 1)
        judge(stage, seed, verdict)
    await admin.taps("Compare with the doctors", await lists(admin))
    told = (await admin.sees("the two models and the doctors")).text
    assert "agrees on 2 of 3, 67% (21–94%)" in told
    assert "agrees on 1 of 3, 33% (6–79%)" in told
    assert "Difference: -33.3 points (-33.3 to -33.3)" in told
    assert "because patients came first or it failed: 0." in told


async def test_a_candidate_that_became_the_model_listens_no_more(
    stage: Stage, ann: User, admin: User
) -> None:
    await listens(admin, NEW)
    await switches(admin, NEW)
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM shadow_findings") == 0
    await admin.says("/model compare")
    await admin.sees("No model listens in")


async def test_listening_stops_and_outlives_a_restart(stage: Stage, ann: User, admin: User) -> None:
    await listens(admin, NEW)
    await stage.restart()
    await ann.sends_photo(xray(BACTERIAL))
    await ann.hears_photo()
    await looked(stage, 1)
    page = await offers(admin, NEW)
    await admin.taps("Stop listening in", page)
    await admin.sees("Nobody listens in now", of=page)
    await ann.sends_photo(xray(BACTERIAL, seed=1))
    await ann.hears_photo()
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM shadow_findings") == 1


async def test_a_candidate_that_fails_costs_no_patient_anything(
    stage: Stage, ann: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Output:
        raise RuntimeError("no answer")

    await listens(admin, NEW)
    monkeypatch.setattr("bot.shadow.stored", fail)
    for seed in (1, 2):
        await ann.sends_photo(xray(BACTERIAL, seed=seed))
        await ann.hears_photo()
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM shadow_findings") == 0
    await admin.says("/model compare")
    await admin.sees("because patients came first or it failed: 2.")


async def test_deleting_a_case_takes_what_the_candidate_said(
    stage: Stage, ann: User, admin: User
) -> None:
    await listens(admin, NEW)
    await ann.sends_photo(xray(BACTERIAL))
    answer = await ann.hears_photo()
    await looked(stage, 1)
    await ann.taps("Delete this", answer)
    await ann.taps("Yes, delete")
    await ann.sees("Deleted")
    assert stage.value("SELECT count(*) FROM shadow_findings") == 0


@pytest.mark.parametrize("language", ["zh"])
async def test_a_chinese_admin_reads_chinese(stage: Stage, language: str) -> None:
    admin = await stage.agreed(ADMIN, language)
    await admin.says("/model")
    listed = await admin.sees("正在为患者给出结果")
    assert "灵敏度" in listed.text
    await admin.says("/model compare")
    await admin.sees("没有模型在旁听")


async def test_nobody_but_an_admin_hears_of_models(stage: Stage, ann: User) -> None:
    await ann.says("/model")
    await ann.sees("I do not know this command")


def test_the_stand_ins_differ(shipped: Path, installed: Path) -> None:
    bright = np.full((1, 32, 32, 1), 0.8, np.float32)
    logits = [
        load_installed(place)[Modality.XRAY].engine.run(bright) for place in (shipped, installed)
    ]
    assert logits[0].logits.argmax() != logits[1].logits.argmax()
