"""The candidate's look at what patients were told: unseen, afterwards, and while nobody waits."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.context import Services
from bot.errors import report
from bot.findings import stored
from classifier.labels import Modality, gravest
from classifier.reading.scan import Study
from storage import models, work
from storage.cases import Case
from storage.errors import CaseGone

log = logging.getLogger(__name__)

# Pixels that may wait for the candidate; more are skipped, as long as any wait.
MOST_BYTES = 256 * 1024 * 1024
REST_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Accepted:
    """A study that got an estimate, and what it shows."""

    study: Study
    modality: Modality


@dataclass(frozen=True, slots=True)
class _Answered:
    case: Case
    accepted: tuple[Accepted, ...]

    @property
    def size(self) -> int:
        return sum(scan.pixels.nbytes for each in self.accepted for scan in each.study.scans)


@dataclass
class Shadow:
    """Takes cases that were answered and lets the candidate estimate them, one by one."""

    services: Services
    _waiting: asyncio.Queue[_Answered] = field(default_factory=asyncio.Queue)
    _bytes: int = 0

    def wants(self, modality: Modality) -> bool:
        """Tell whether there is a candidate for such pictures."""
        return modality in self.services.models.candidates.models

    def offer(self, case: Case, accepted: Sequence[Accepted]) -> None:
        """Show what was just answered; it is skipped if too much waits already."""
        answered = _Answered(case, tuple(accepted))
        if self._bytes and self._bytes + answered.size > MOST_BYTES:
            log.info("the candidate skips case %s", case.number)
            return
        if accepted:
            self._bytes += answered.size
            self._waiting.put_nowait(answered)

    async def run(self) -> None:
        """Estimate until cancelled."""
        while True:
            answered = await self._waiting.get()
            try:
                await self._until_nobody_waits()
                await self._estimate(answered)
            except CaseGone:
                log.info("case %s was erased before the candidate saw it", answered.case.number)
            except Exception as error:
                await report(self.services, error, "the candidate")
            finally:
                self._bytes -= answered.size

    async def _until_nobody_waits(self) -> None:
        # Looked at again and again: no bell rings when the last case is done.
        while await self.services.storage.read(work.unfinished):  # noqa: ASYNC110
            await asyncio.sleep(REST_SECONDS)

    async def _estimate(self, answered: _Answered) -> None:
        """Keep the finding that speaks most for pneumonia, as it is done for the patient."""
        begun, candidates = time.monotonic(), self.services.models.candidates
        tried = [await candidates.estimate(each.study, each.modality) for each in answered.accepted]
        found = gravest(finding for finding in tried if finding is not None)
        if found is None:
            return
        kept = stored(found, time.monotonic() - begun)
        await self.services.storage.write(models.add_shadow_finding, answered.case.id, kept)
