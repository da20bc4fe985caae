"""The one way from a file to an answer: read, gate, preprocess, infer, find."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mode
from types import TracebackType
from typing import Self

import numpy as np

from classifier import film, quality
from classifier.engines import Output
from classifier.gate import Gate, Kind
from classifier.labels import Doubt, Finding, FloatArray, Greys, Modality
from classifier.lineup import Lineup
from classifier.model import Model
from classifier.preprocess import as_shown, as_trained, shrunk, to_unit
from classifier.reading.isolated import IsolatedReader, Progress
from classifier.reading.scan import FileKind, Scan, Study
from classifier.reading.sources import Source
from classifier.refusals import Refusal, RefusalReason
from classifier.study import Looked, conclude, left_unseen, look_at

# Tints and an uneven white balance reach 0.05; a heat map that lets most of a film through 0.1.
PAINTED = 0.08
# Times as long as it is wide is no chest: the longest of 30 hospital films is 1.8 times.
LONGEST = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one source: a finding, or the reason for none.

    `shown` is the picture that decided, upright, (rows, columns); None if nothing could be read.
    `deciding` are the slices of a CT that decided, the first of them `shown`.
    """

    model: str
    shown: Greys | None = None
    deciding: tuple[Greys, ...] = ()
    modality: Modality | None = None
    finding: Finding | None = None
    refusal: RefusalReason | None = None
    detail: str = ""
    slices: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """A scan upright, as shown, shrunk, and as an X-ray's network takes it (size, size, 1).

    And what it shows, None for neither, and its doubts.
    """

    shown: Greys
    small: FloatArray
    inputs: FloatArray
    modality: Modality | None
    doubts: frozenset[Doubt]


class Classifier:
    """Answers sources with the models given; an async context manager."""

    def __init__(
        self, reader: IsolatedReader, models: Mapping[Modality, Model], gate: Gate
    ) -> None:
        """Use `models` for what `gate` lets in."""
        self._reader = reader
        self._gate = gate
        self._lineup = Lineup(models)
        # Its own, because many may wait for the reader, long, and the rest needs threads meanwhile.
        self._reading = ThreadPoolExecutor(thread_name_prefix="to-be-read")

    async def __aenter__(self) -> Self:
        """Start the batchers."""
        await self._lineup.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the batchers."""
        self._reading.shutdown(wait=False, cancel_futures=True)
        await self._lineup.close()

    @property
    def models(self) -> Mapping[Modality, Model]:
        """The models that what comes from now on is answered with."""
        return self._lineup.models

    async def use(self, models: Mapping[Modality, Model]) -> None:
        """Answer with other models from now on; what is under way ends with those it began with."""
        following = Lineup(models)
        await following.start()
        retired, self._lineup = self._lineup, following
        await retired.retire()

    async def classify(self, source: Source, progress: Progress | None = None) -> Answer:
        """Answer one source; a refusal is an answer too. Raises `batching.Busy`."""
        begun = time.monotonic()
        try:
            study = await self.read(source, progress)
            answer = await self.answer(study)
        except Refusal as refusal:
            name = self.models[Modality.XRAY].name
            answer = Answer(model=name, refusal=refusal.reason, detail=refusal.detail)
        return replace(answer, seconds=time.monotonic() - begun)

    async def sources(self, paths: Sequence[Path]) -> list[Source]:
        """Find what there is to read in files and folders."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self._reader.sources, paths)

    async def read(self, source: Source, progress: Progress | None = None) -> Study:
        """Read one source in a child process; raises Refusal."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self._reader.read, source, progress)

    async def answer(self, study: Study) -> Answer:
        """Answer what was read; `seconds` is for the caller to fill. Raises `batching.Busy`."""
        async with self._lineup.in_use() as lineup:
            model = lineup.models[Modality.XRAY]
            seen = await asyncio.to_thread(self._seen, study, model.card.input_size)
            modality = seen.modality
            answer = Answer(
                model=model.name, shown=seen.shown, modality=modality, slices=study.slices
            )
            if modality is None:
                return replace(answer, refusal=RefusalReason.NOT_CHEST)
            if modality is Modality.XRAY and len(study.scans) > 1:
                return replace(answer, refusal=RefusalReason.SEVERAL_STUDIES)
            if modality is Modality.XRAY:
                return replace(answer, finding=await _of_xray(lineup, seen))
            if modality not in lineup.models:
                return replace(answer, refusal=RefusalReason.NO_CT_MODEL)
            looked = await _look_at_ct(lineup, study)
            if not looked.is_chest:
                return replace(answer, refusal=RefusalReason.NOT_CHEST)
            finding, deciding = await _of_ct(lineup, study, looked)
            return replace(
                answer, model=finding.model, shown=deciding[0], deciding=deciding, finding=finding
            )

    async def estimate(self, study: Study, modality: Modality) -> Finding | None:
        """Estimate a study of a known kind, which is let in; None without a model for it."""
        async with self._lineup.in_use() as lineup:
            if modality not in lineup.models:
                return None
            if modality is Modality.CT:
                return (await _of_ct(lineup, study, await _look_at_ct(lineup, study)))[0]
            size = lineup.models[modality].card.input_size
            seen = await asyncio.to_thread(self._seen, study, size)
            return await _of_xray(lineup, seen)

    def _seen(self, study: Study, size: int) -> _Seen:
        """Look at a picture; or at three slices of a series, one of which may be anything."""
        probes = dict.fromkeys(len(study.scans) * part // 4 for part in (2, 1, 3))
        seen = [self._looked(study.scans[probe], size) for probe in probes]
        usual = mode(each.modality for each in seen)
        first = next(each for each in seen if each.modality is usual)
        return replace(first, doubts=first.doubts | left_unseen(study))

    def _looked(self, scan: Scan, size: int) -> _Seen:
        """Look at a picture; a film is cut out of a photograph."""
        shown = as_shown(scan)
        small, doubts = shrunk(shown), frozenset[Doubt]()
        look = self._gate.look(small)
        if scan.came_as is not FileKind.DICOM:
            found = film.find(shown, look.likeness, self._gate.likeness)
            if found is not None:
                shown = film.straighten(to_unit(shown), found.corners)
                small = shrunk(shown)
                look = self._gate.look(small)
                doubts |= {Doubt.PHOTOGRAPHED}
        modality, small = self._gate.modality(scan, look), to_unit(look.mended(small))
        doubts |= scan.doubts
        if modality is Modality.XRAY and scan.patches > PAINTED:
            doubts |= {Doubt.EDITED}
        is_odd = max(shown.shape) > LONGEST * min(shown.shape)
        # A header may have let in what looks like something else.
        if modality is Modality.XRAY and (look.is_part or look.kind is not Kind.XRAY or is_odd):
            doubts |= {Doubt.UNLIKE_TRAINING}
        inputs = to_unit(as_trained(small, size))
        return _Seen(look.mended(shown), small, inputs, modality, doubts)


async def _of_xray(lineup: Lineup, seen: _Seen) -> Finding:
    output = await lineup.run(Modality.XRAY, seen.inputs[np.newaxis])
    return await asyncio.to_thread(_find, lineup.models[Modality.XRAY], seen, output)


def _find(model: Model, seen: _Seen, output: Output) -> Finding:
    """Weigh what the network says of an X-ray against how good the picture is."""
    measured = quality.measure(seen.small, min(seen.shown.shape))
    doubts = seen.doubts | quality.doubts(measured, Modality.XRAY)
    if model.likeness.distance(output.features[0]) > 1:
        doubts |= {Doubt.UNLIKE_TRAINING}
    return model.finding(output.logits[0], output.features[0], 1, doubts)


async def _look_at_ct(lineup: Lineup, study: Study) -> Looked:
    size = lineup.models[Modality.CT].card.input_size
    return await asyncio.to_thread(look_at, study.scans, size)


async def _of_ct(
    lineup: Lineup, study: Study, looked: Looked
) -> tuple[Finding, tuple[FloatArray, ...]]:
    """Classify the slices with lung; gives those that decided, too, the first most."""
    model = lineup.models[Modality.CT]
    output = await lineup.run(Modality.CT, looked.inputs)
    return await asyncio.to_thread(conclude, model, study, looked, output)
