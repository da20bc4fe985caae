"""The one way from a file to an answer: read, gate, preprocess, infer, find."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from classifier.batching import Batcher
from classifier.engines import Output
from classifier.labels import Doubt, Finding, FloatArray, Modality
from classifier.model import Model
from classifier.preprocess import to_grey, to_input
from classifier.reading.isolated import IsolatedReader, Progress
from classifier.reading.scan import Scan, Study
from classifier.reading.sources import Source
from classifier.refusals import Refusal, RefusalReason
from classifier.study import aggregate, lung_slices

# A picture with fewer pixels on a side, or flatter than this, shows too little of a lung.
FEWEST_PIXELS = 150
FLATTEST = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one source: a finding, or the reason for none.

    `shown` is the picture that decided, (rows, columns) in [0, 1]; None if nothing could be read.
    """

    model: str
    shown: FloatArray | None = None
    modality: Modality | None = None
    finding: Finding | None = None
    refusal: RefusalReason | None = None
    detail: str = ""
    slices: int = 0
    seconds: float = 0.0


class Classifier:
    """Answers sources with the installed models; an async context manager."""

    def __init__(self, reader: IsolatedReader, models: Mapping[Modality, Model]) -> None:
        """Use `models`, of which the one for X-rays is needed to tell what a picture is."""
        self._reader = reader
        self._models = models
        self._batchers = {modality: Batcher(model.engine) for modality, model in models.items()}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the batchers."""
        for batcher in self._batchers.values():
            await self._stack.enter_async_context(batcher)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the batchers."""
        await self._stack.aclose()

    async def classify(self, source: Source, progress: Progress | None = None) -> Answer:
        """Answer one source; a refusal is an answer too. Raises `batching.Busy`."""
        begun = time.monotonic()
        try:
            study = await self.read(source, progress)
            answer = await self.answer(study)
        except Refusal as refusal:
            name = self._models[Modality.XRAY].card.name
            answer = Answer(model=name, refusal=refusal.reason, detail=refusal.detail)
        return replace(answer, seconds=time.monotonic() - begun)

    async def sources(self, paths: Sequence[Path]) -> list[Source]:
        """Find what there is to read in files and folders."""
        return await asyncio.to_thread(self._reader.sources, paths)

    async def read(self, source: Source, progress: Progress | None = None) -> Study:
        """Read one source in a child process; raises Refusal."""
        return await asyncio.to_thread(self._reader.read, source, progress)

    async def answer(self, study: Study) -> Answer:
        """Answer what was read; `seconds` is for the caller to fill. Raises `batching.Busy`."""
        model = self._models[Modality.XRAY]
        middle = study.scans[len(study.scans) // 2]
        shown = await asyncio.to_thread(to_grey, middle)
        output = await self._run(model, [shown])
        modality = model.gate.kind_of(middle, output.features[0])
        answer = Answer(
            model=model.card.name, shown=shown, modality=modality, slices=len(study.scans)
        )
        if modality is None:
            return replace(answer, refusal=RefusalReason.NOT_CHEST)
        if modality is Modality.CT:
            return await self._answer_ct(study.scans, answer)
        doubts = _doubts(shown)
        if model.gate.distance(output.features[0]) > 1:
            doubts |= {Doubt.UNLIKE_TRAINING}
        finding = model.finding(output.logits[0], output.features[0], answer.slices, doubts)
        return replace(answer, finding=finding)

    async def _answer_ct(self, scans: Sequence[Scan], answer: Answer) -> Answer:
        """Classify the slices with lung and show the one that decided."""
        model = self._models.get(Modality.CT)
        if model is None:
            return replace(answer, refusal=RefusalReason.NO_CT_MODEL)
        chosen = await asyncio.to_thread(lung_slices, scans)
        greys = [await asyncio.to_thread(to_grey, scans[index]) for index in chosen]
        output = await self._run(model, greys)
        logits, deciding = aggregate(output.logits)
        shown, features = greys[deciding], output.features[deciding]
        finding = model.finding(logits, features, answer.slices, _doubts(shown))
        return replace(answer, model=model.card.name, shown=shown, finding=finding)

    async def _run(self, model: Model, greys: Sequence[FloatArray]) -> Output:
        size = model.card.input_size
        inputs = await asyncio.to_thread(lambda: np.stack([to_input(grey, size) for grey in greys]))
        return await self._batchers[model.card.modality].run(inputs)


def _doubts(shown: FloatArray) -> frozenset[Doubt]:
    """Judge the picture itself."""
    is_poor = min(shown.shape) < FEWEST_PIXELS or float(shown.std()) < FLATTEST
    return frozenset({Doubt.POOR_QUALITY} if is_poor else ())
