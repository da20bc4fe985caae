import asyncio
import threading
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from classifier.classifier import Answer, Classifier
from classifier.engines import Output
from classifier.labels import FloatArray, Modality
from classifier.model import Model
from classifier.reading.scan import Scan, Study, Units

from .conftest import BrightnessEngine, BrightnessGate, make_model


class HeldEngine(BrightnessEngine):
    """Answers once it is let go on."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.head)
        self.go = threading.Event()
        self.runs = 0

    def run(self, inputs: FloatArray) -> Output:
        self.go.wait(5)
        self.runs += len(inputs)
        return super().run(inputs)


def held(name: str) -> tuple[Mapping[Modality, Model], HeldEngine]:
    model = make_model(Modality.XRAY)
    engine = HeldEngine(model)
    renamed = replace(model, card=replace(model.card, name=name), engine=engine)
    return {Modality.XRAY: renamed}, engine


def study(seed: int = 0) -> Study:
    noise = np.random.default_rng(seed).normal(0.7, 0.15, (200, 200))
    return Study((Scan(noise.clip(0, 1).astype(np.float32), Units.GREY, None, None),))


def made_by(answers: list[Answer]) -> list[str]:
    names = []
    for answer in answers:
        assert answer.finding is not None
        assert answer.finding.model == answer.model
        names.append(answer.model.partition("@")[0])
    return names


async def waiting(classifier: Classifier, count: int) -> list[asyncio.Task[Answer]]:
    """Begin answers and let them come as far as the engine."""
    tasks = [asyncio.create_task(classifier.answer(study(seed))) for seed in range(count)]
    await asyncio.sleep(0.2)
    return tasks


async def test_a_switch_loses_no_scan_in_flight_and_each_finding_names_its_model() -> None:
    (old, old_engine), (new, new_engine) = held("old"), held("new")
    async with Classifier(None, old, BrightnessGate()) as classifier:  # type: ignore[arg-type]  # reads nothing
        before = await waiting(classifier, 5)
        await classifier.use(new)
        after = await waiting(classifier, 5)
        assert not any(task.done() for task in before + after)
        new_engine.go.set()
        assert made_by(await asyncio.gather(*after)) == ["new"] * 5
        assert not any(task.done() for task in before)
        old_engine.go.set()
        assert made_by(await asyncio.gather(*before)) == ["old"] * 5
    assert (old_engine.runs, new_engine.runs) == (5, 5)


async def test_a_model_that_is_replaced_lets_go_of_its_thread_after_its_last_answer() -> None:
    def engine_threads() -> int:
        return sum(thread.name.startswith("engine") for thread in threading.enumerate())

    (old, old_engine), (new, new_engine) = held("old"), held("new")
    new_engine.go.set()
    async with Classifier(None, old, BrightnessGate()) as classifier:  # type: ignore[arg-type]  # reads nothing
        before = await waiting(classifier, 3)
        await classifier.use(new)
        await classifier.answer(study())
        assert engine_threads() > 1
        old_engine.go.set()
        await asyncio.gather(*before)
        assert engine_threads() == 1


async def test_an_answer_given_up_after_a_switch_holds_nothing_open() -> None:
    (old, old_engine), (new, _) = held("old"), held("new")
    async with Classifier(None, old, BrightnessGate()) as classifier:  # type: ignore[arg-type]  # reads nothing
        given_up, kept = await waiting(classifier, 2)
        await classifier.use(new)
        given_up.cancel()
        old_engine.go.set()
        assert made_by([await kept]) == ["old"]


async def test_a_candidate_estimates_what_was_let_in() -> None:
    model = make_model(Modality.XRAY)
    async with Classifier(None, {Modality.XRAY: model}, BrightnessGate()) as candidate:  # type: ignore[arg-type]  # reads nothing
        found = await candidate.estimate(study(), Modality.XRAY)
        assert found is not None
        assert found.model == model.name
        assert await candidate.estimate(study(), Modality.CT) is None
        await candidate.use({})
        assert await candidate.estimate(study(), Modality.XRAY) is None
