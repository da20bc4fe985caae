"""Cases from the queue to an answer: fetch, read, estimate, draw, and write it all at once."""

import asyncio
import errno
import hashlib
import logging
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from telegram import Bot
from telegram.constants import ChatAction
from telegram.error import BadRequest, InvalidToken, RetryAfter, TelegramError

from bot import answers, deliveries, repeats
from bot.answers import Drawn
from bot.connection import LARGEST_FETCHED, pause_asked
from bot.context import Services
from bot.errors import report
from bot.shadow import Accepted, Shadow
from bot.times import local
from bot.wake import rest
from classifier import png
from classifier.batching import Busy
from classifier.card import sha256
from classifier.classifier import Answer
from classifier.engines import EngineDown
from classifier.preprocess import to_levels
from classifier.refusals import Refusal
from classifier.report import Report, draw, to_jpeg
from storage import Storage, history, people, work
from storage.cases import Case, CaseState, UploadedFile
from storage.clock import utc_now
from storage.errors import (
    CaseGone,
    IllegalStep,
    LeaseLost,
    StorageBusy,
    StorageError,
    StorageFull,
)
from storage.images import Sealed
from storage.people import Person
from storage.transaction import Tx

log = logging.getLogger(__name__)

# So many cases are worked on at the same time.
SIDE_BY_SIDE = 6
LEASE = timedelta(minutes=2)
LONGEST_REST = 2.0
GIVE_UP_AFTER = 6
# What fails for everybody is waited out, and only then counts against a case.
OUTAGES = (Busy, EngineDown, TelegramError, StorageBusy, StorageFull)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# What nobody has to mend.
PASSING = (Busy, TelegramError)
# The longer it has lasted, the less often it is tried.
OUTAGE_WAIT = timedelta(seconds=2)
LONGEST_OUTAGE_WAIT = timedelta(seconds=30)
OUTAGE_PATIENCE = timedelta(hours=1)
# Telegram shows a chat action for five seconds.
ACTION_SECONDS = 4.0
ACTION_AFTER = 0.3
ACTION_AFTER_IN_A_CROWD = 3.0


@dataclass(frozen=True, slots=True)
class Worker:
    """Takes one case after the other; several run side by side."""

    name: str
    bot: Bot
    services: Services
    shadow: Shadow
    # Since when outages keep each case: of one clock for all, any answer would begin it anew, and a
    # file that fails alone would be waited for without end.
    kept_since: dict[int, datetime]

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
            except Exception as error:
                # Whatever it is, one case must not end the work on all others.
                await report(self.services, error, "the queue")
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
            self.kept_since.pop(case.id, None)
        except (LeaseLost, CaseGone, IllegalStep):
            # Withdrawn, erased, or taken by another meanwhile: nothing is left to do.
            log.info("case %s is no longer ours", case.number)
        except asyncio.CancelledError:
            with suppress(StorageError):
                await asyncio.shield(self._storage.write(work.release, case.id, self.name))
            raise
        except Exception as error:
            if isinstance(error, PASSING):
                log.warning("case %s: %s", case.number, type(error).__name__)
            else:
                await report(self.services, error, f"case {case.number}")
            await self._try_later(case, error)
        finally:
            self.services.wake.answers()

    async def _work(self, case: Case) -> None:
        person, files, crowded = await self._storage.write(_begin, self.services, case)
        self.services.wake.outbox.set()
        async with self._holding(case, person.telegram_id, crowded):
            with tempfile.TemporaryDirectory(dir=self.services.settings.incoming) as folder:
                try:
                    paths = [await self._fetch(file, Path(folder)) for file in files]
                except BadRequest as error:
                    await self._not_fetched(case, person, error)
                    return
                digest = await asyncio.to_thread(_digest, paths)
                if await self._storage.write(repeats.repeat, self.services, case, person, digest):
                    return
                await self._answer(case, person, paths)

    async def _answer(self, case: Case, person: Person, paths: list[Path]) -> None:
        sealed: list[Sealed] = []
        try:
            accepted = await self._enter(case, person, paths, sealed)
        except Exception:
            # No row names them, and on a disk that is full every further try would add to them.
            with suppress(StorageError):
                await self._storage.images.unlink([each.id for each in sealed])
            raise
        self.shadow.offer(case, accepted)

    async def _enter(
        self, case: Case, person: Person, paths: list[Path], sealed: list[Sealed]
    ) -> list[Accepted]:
        """Find answers and enter them, or nothing; gives what another model may see too."""
        classifier = self.services.models.active
        sources = await classifier.sources(paths)
        found, accepted = [], []
        for source in sources:
            begun = time.monotonic()
            try:
                study = await classifier.read(source)
                answer = await classifier.answer(study)
                if answer.finding and self.shadow.wants(answer.finding.modality):
                    accepted.append(Accepted(study, answer.finding.modality))
            except Refusal as refusal:
                answer = Answer(model="", refusal=refusal.reason, detail=refusal.detail)
            found.append(Drawn(answer, time.monotonic() - begun))
        if any(answers.is_shown(each.answer) for each in found):
            found = [await self._draw(case, person, each, sealed) for each in found]
        await self._storage.write(
            answers.finish, self.services, case, person, tuple(found), self.name
        )
        return accepted

    async def _draw(self, case: Case, person: Person, found: Drawn, sealed: list[Sealed]) -> Drawn:
        """Draw the answer and keep its pictures, encrypted; the rows come with the answer."""
        if found.answer.shown is None:
            return found
        when = local(self.services.settings, case.received_at)
        report = Report.of(found.answer, case.number, when, self.services.language_of(person))
        pictures = await asyncio.to_thread(_pictures, report)
        drawn, scan, *slices = await self._seal(pictures, sealed)
        return replace(found, scan=scan, report=drawn, slices=tuple(slices))

    async def _seal(self, pictures: list[bytes], sealed: list[Sealed]) -> list[Sealed]:
        """Encrypt pictures side by side; what is written is noted in `sealed` if others fail."""
        sealing = map(self._storage.images.seal, pictures)
        done = await asyncio.gather(*sealing, return_exceptions=True)
        kept = [each for each in done if isinstance(each, Sealed)]
        sealed += kept
        for each in done:
            if isinstance(each, BaseException):
                raise each
        return kept

    async def _fetch(self, file: UploadedFile, folder: Path) -> Path:
        """Download one file; raises BadRequest if Telegram has it no more or it is too large."""
        remote, target = await self.bot.get_file(file.file_id), folder / str(file.message_id)
        lying = Path(remote.file_path or "")
        if lying.is_absolute():
            return await asyncio.to_thread(_take_over, lying, target)
        try:
            content = await remote.download_as_bytearray()
        except InvalidToken as error:
            # What a 404 looks like; the token has just been good, so that it is the file's.
            raise BadRequest("file not found") from error
        await asyncio.to_thread(target.write_bytes, content)
        return target

    async def _not_fetched(self, case: Case, person: Person, error: BadRequest) -> None:
        texts = self.services.texts_of(person)
        sentence = texts("refusal.unreachable")
        if "too big" in error.message.lower():
            sentence = texts("refusal.too_big_to_fetch", limit=LARGEST_FETCHED)
        await self._storage.write(
            answers.refuse, self.services, case, person, self.name, "unreachable", sentence
        )

    async def _try_later(self, case: Case, error: Exception) -> None:
        if _is_outage(error):
            lasted = utc_now() - self.kept_since.setdefault(case.id, utc_now())
            if lasted < OUTAGE_PATIENCE:
                await self._wait_out(case, error, lasted)
                return
        at, reason = utc_now() + timedelta(seconds=2**case.attempts), type(error).__name__
        with suppress(LeaseLost):
            await self._storage.write(
                answers.give_back, self.services, case, self.name, reason, at, GIVE_UP_AFTER
            )

    async def _wait_out(self, case: Case, error: Exception, lasted: timedelta) -> None:
        """Give a case back for later, its try not counted: it is not the case that fails."""
        wait = min(max(OUTAGE_WAIT, lasted / 4), LONGEST_OUTAGE_WAIT)
        if isinstance(error, RetryAfter):
            wait = max(wait, pause_asked(error))
        with suppress(LeaseLost):
            await self._storage.write(work.release, case.id, self.name, utc_now() + wait)

    @asynccontextmanager
    async def _holding(self, case: Case, chat: int, crowded: bool) -> AsyncIterator[None]:
        """Keep the lease and the chat's "sending a photo" alive meanwhile."""

        async def hold() -> None:
            # What takes no longer needs no sign of life.
            await asyncio.sleep(ACTION_AFTER_IN_A_CROWD if crowded else ACTION_AFTER)
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


def _begin(tx: Tx, services: Services, case: Case) -> tuple[Person, tuple[UploadedFile, ...], bool]:
    """Tell that the case is being worked on; gives whose it is, what was sent, and if many wait."""
    assert case.person_id is not None
    person = people.get(tx, case.person_id)
    if person is None:
        raise CaseGone
    answers.begin(tx, services, case, person)
    return person, history.files(tx, case.id), answers.crowded(tx)


def _pictures(report: Report) -> list[bytes]:
    """Draw the answer, and encode it, the scan, and the slices that decided.

    Of those pixels only, nothing of the file they came in. One slice alone is the scan.
    """
    slices = report.deciding if len(report.deciding) > 1 else ()
    greys = [png.encode(to_levels(shown)) for shown in (report.shown, *slices)]
    return [to_jpeg(draw(report)), *greys]


def _is_outage(error: Exception) -> bool:
    no_room = isinstance(error, OSError) and error.errno in NO_ROOM
    return no_room or isinstance(error, OUTAGES)


def _take_over(lying: Path, target: Path) -> Path:
    """Move what a local Bot API server laid down, or copy it where it may not be moved."""
    try:
        shutil.move(lying, target)
    except PermissionError:
        # Copied, only not removed; what could not be read is not there.
        if not target.exists():
            raise
    return target


def _digest(paths: list[Path]) -> str:
    """Hash the contents, whatever their order; they may be larger than the memory."""
    return hashlib.sha256("".join(sorted(map(sha256, paths))).encode()).hexdigest()
