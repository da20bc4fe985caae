"""Cases from the queue to an answer: fetch, read, estimate, draw, and write it all at once."""

import asyncio
import hashlib
import logging
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

import numpy as np
from telegram import Bot
from telegram.constants import ChatAction
from telegram.error import BadRequest, TelegramError

from bot import answers, deliveries
from bot.answers import Drawn
from bot.context import Services
from bot.wake import rest
from classifier import png
from classifier.batching import Busy
from classifier.classifier import Answer, Classifier
from classifier.engines import EngineDown
from classifier.labels import FloatArray
from classifier.refusals import Refusal, RefusalReason
from classifier.report import Report, draw, to_jpeg
from classifier.report_texts import WORDS
from storage import Storage, cases, history, people, work
from storage.cases import Case, CaseState, UploadedFile
from storage.clock import utc_now
from storage.errors import CaseGone, IllegalStep, LeaseLost, StorageError
from storage.people import Person

log = logging.getLogger(__name__)

# So many cases are worked on at the same time.
SIDE_BY_SIDE = 4
LEASE = timedelta(minutes=2)
LONGEST_REST = 2.0
GIVE_UP_AFTER = 6
# What fails for everybody is waited out, and only then counts against a case.
OUTAGES = (Busy, EngineDown, TelegramError)
OUTAGE_SECONDS = 2.0
OUTAGE_PATIENCE = timedelta(hours=1)
# Telegram shows a chat action for five seconds.
ACTION_SECONDS = 4.0
ACTION_AFTER = 0.3


@dataclass(frozen=True, slots=True)
class Worker:
    """Takes one case after the other; several run side by side."""

    name: str
    bot: Bot
    services: Services
    classifier: Classifier

    async def run(self) -> None:
        """Work until cancelled; a case in hand is then given back."""
        storage = self.services.storage
        while True:
            try:
                case = await storage.write(work.lease_next, self.name, LEASE)
                if case is None:
                    until = await storage.read(work.next_due)
                    await rest(self.services.wake.cases, until, utc_now(), LONGEST_REST)
                    continue
                # Another case may be due for another worker.
                self.services.wake.cases.set()
                await self._take(case)
            except StorageError as error:
                log.error("the queue cannot be used: %s", type(error).__name__)
                await asyncio.sleep(1)

    async def _take(self, case: Case) -> None:
        try:
            if case.state is CaseState.CLASSIFIED:
                # Its answer is on its way; the lease keeps it out of the queue meanwhile.
                await self._storage.write(deliveries.settle, case)
                return
            if case.attempts > GIVE_UP_AFTER:
                # It took several processes down with it: no further try.
                reason = "gave no answer before"
                await self._storage.write(answers.give_up, self.services, case, self.name, reason)
                return
            await self._work(case)
        except (LeaseLost, CaseGone, IllegalStep):
            # Withdrawn, erased, or taken by another meanwhile: nothing is left to do.
            log.info("case %s is no longer ours", case.number)
        except asyncio.CancelledError:
            with suppress(StorageError):
                await asyncio.shield(self._storage.write(work.release, case.id, self.name))
            raise
        except Exception as error:
            # The text of an error may hold what the patient sent: only its type is written.
            log.error("case %s: %s", case.number, type(error).__name__)
            log.debug("case %s", case.number, exc_info=error)
            await self._try_later(case, error)
        finally:
            self.services.wake.all()

    async def _work(self, case: Case) -> None:
        assert case.person_id is not None
        person = await self._storage.read(people.get, case.person_id)
        files = await self._storage.read(history.files, case.id)
        if person is None:
            raise CaseGone
        await self._storage.write(answers.begin, self.services, case, person)
        self.services.wake.outbox.set()
        async with self._holding(case, person.telegram_id):
            with tempfile.TemporaryDirectory(dir=self.services.settings.incoming) as folder:
                try:
                    paths = [await self._fetch(file, Path(folder)) for file in files]
                except BadRequest as error:
                    await self._not_fetched(case, person, error)
                    return
                digest = await asyncio.to_thread(_digest, paths)
                if await self._storage.write(answers.repeat, self.services, case, person, digest):
                    return
                await self._answer(case, person, paths)

    async def _answer(self, case: Case, person: Person, paths: list[Path]) -> None:
        sources = await self.classifier.sources(paths)
        drawn = []
        for number, source in enumerate(sources):
            begun = time.monotonic()
            try:
                study = await self.classifier.read(source)
                if number == 0 and case.state is CaseState.RECEIVED:
                    await self._storage.write(
                        cases.advance, case.id, CaseState.READ, worker=self.name
                    )
                answer = await self.classifier.answer(study)
            except Refusal as refusal:
                answer = Answer(model="", refusal=refusal.reason, detail=refusal.detail)
            drawn.append(await self._draw(case, person, answer, time.monotonic() - begun))
        await self._storage.write(
            answers.finish, self.services, case, person, tuple(drawn), self.name
        )

    async def _draw(self, case: Case, person: Person, answer: Answer, seconds: float) -> Drawn:
        """Draw the answer and keep both pictures, encrypted; the rows come with the answer."""
        if answer.shown is None:
            return Drawn(answer, None, None, seconds)
        report = Report(
            shown=answer.shown,
            finding=answer.finding,
            refusal=answer.refusal,
            modality=answer.modality,
            model=answer.model,
            case=case.number,
            when=case.received_at.astimezone(UTC),
            language=self.services.language_of(person),
        )
        picture = await asyncio.to_thread(lambda: to_jpeg(draw(report)))
        scan = await asyncio.to_thread(_encode, answer.shown)
        images = self._storage.images
        return Drawn(answer, await images.seal(scan), await images.seal(picture), seconds)

    async def _fetch(self, file: UploadedFile, folder: Path) -> Path:
        """Download one file; raises BadRequest if Telegram has it no more or it is too large."""
        remote = await self.bot.get_file(file.file_id)
        return await remote.download_to_drive(folder / str(file.message_id))

    async def _not_fetched(self, case: Case, person: Person, error: BadRequest) -> None:
        texts = self.services.texts_of(person)
        reason, sentence = "unreachable", texts("refusal.unreachable")
        if "too big" in error.message.lower():
            reason = RefusalReason.TOO_LARGE
            sentence = WORDS[texts.language].refusals[RefusalReason.TOO_LARGE]
        await self._storage.write(
            answers.refuse, self.services, case, person, self.name, reason, sentence
        )

    async def _try_later(self, case: Case, error: Exception) -> None:
        if isinstance(error, OUTAGES) and utc_now() - case.received_at < OUTAGE_PATIENCE:
            await self._wait_out(case)
            return
        at, reason = utc_now() + timedelta(seconds=2**case.attempts), type(error).__name__
        with suppress(LeaseLost):
            await self._storage.write(
                answers.give_back, self.services, case, self.name, reason, at, GIVE_UP_AFTER
            )

    async def _wait_out(self, case: Case) -> None:
        """Give a case back after a while, its try not counted: it is not the case that fails."""
        try:
            await asyncio.sleep(OUTAGE_SECONDS)
        finally:
            with suppress(LeaseLost):
                await self._storage.write(work.release, case.id, self.name)

    @asynccontextmanager
    async def _holding(self, case: Case, chat: int) -> AsyncIterator[None]:
        """Keep the lease and the chat's "sending a photo" alive meanwhile."""

        async def hold() -> None:
            # What takes no longer needs no sign of life.
            await asyncio.sleep(ACTION_AFTER)
            while True:
                with suppress(TelegramError):
                    await self.bot.send_chat_action(chat, ChatAction.UPLOAD_PHOTO)
                await asyncio.sleep(ACTION_SECONDS)
                with suppress(StorageError):
                    await self._storage.write(work.renew, case.id, self.name, LEASE)

        task = asyncio.create_task(hold())
        try:
            yield
        finally:
            task.cancel()

    @property
    def _storage(self) -> Storage:
        return self.services.storage


def _digest(paths: list[Path]) -> str:
    """Hash the contents, whatever their order."""
    parts = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _encode(grey: FloatArray) -> bytes:
    """Re-encode the picture: pixels only, nothing of the file it came in."""
    return png.encode(np.rint(grey * np.float32(255)).astype(np.uint8))
