"""The picture of an earlier answer, drawn again in the language its person reads now."""

import asyncio
import io

import numpy as np
from PIL import Image

from bot.building import Built
from bot.context import Services
from bot.findings import restored
from bot.say import Buttons, show, show_made
from bot.times import local
from classifier.labels import Levels, Modality
from classifier.refusals import RefusalReason
from classifier.report import Report, draw, to_jpeg
from classifier.report_texts import Language
from storage import cases, history, images, people
from storage.cases import Case, StoredFinding
from storage.images import ImageKind
from storage.outbox import OutRow
from storage.transaction import Tx

BUILD = "redrawn"


def show_again(
    tx: Tx,
    key: str,
    chat: int,
    case: Case,
    language: Language,
    caption: str,
    buttons: Buttons,
    further: str | None = None,
) -> None:
    """Have the pictures of an answer sent again.

    Those of an album are sent as they were drawn: the finding of only one of them is kept, that of
    the first. Under the others stands `further`, or else the caption too.
    """
    drawn = images.of_case(tx, case.id, ImageKind.REPORT)
    if len(drawn) == 1:
        show_made(tx, f"{key}:0", chat, BUILD, caption, buttons, case_id=case.id, language=language)
        return
    for index, picture in enumerate(drawn):
        text = further if index and further else caption
        show(tx, f"{key}:{index}", chat, picture.id, text, buttons, case_id=case.id)


def can_show(tx: Tx, services: Services, case: Case) -> bool:
    """Tell whether all pictures of an answer are there and can be opened."""
    kept = images.of_case(tx, case.id)
    return bool(kept) and all(services.storage.images.opens(each.id) for each in kept)


async def build(services: Services, row: OutRow) -> Built | None:
    """Draw the answer of the case that a row names."""
    storage = services.storage
    kept = await storage.read(_kept, row)
    if kept is None:
        return None
    case, image_ids, found = kept
    pictures = [await storage.images.load(each) for each in image_ids]
    language = Language(str(row.payload["language"]))
    drawn = await asyncio.to_thread(_draw, services, case, pictures, found, language)
    return Built(drawn, "answer.jpg")


def _kept(tx: Tx, row: OutRow) -> tuple[Case, list[str], StoredFinding | None] | None:
    """Find scan, slices and finding, if they are there and of the person whose chat it is."""
    person = people.by_telegram_id(tx, row.chat_id)
    case = cases.get(tx, row.case_id) if row.case_id else None
    if person is None or case is None or case.person_id != person.id:
        return None
    scans, slices = (images.of_case(tx, case.id, k) for k in (ImageKind.SCAN, ImageKind.SLICE))
    found = history.findings(tx, case.id)
    ids = [each.id for each in (*scans[:1], *slices)]
    return (case, ids, found[-1] if found else None) if scans else None


def _draw(
    services: Services,
    case: Case,
    pictures: list[bytes],
    found: StoredFinding | None,
    language: Language,
) -> bytes:
    shown, *slices = map(_shown, pictures)
    report = Report(
        shown=shown,
        # One slice alone is the scan.
        deciding=tuple(slices or [shown]),
        finding=restored(found) if found else None,
        refusal=None if found else RefusalReason(str(case.reason)),
        # What is shown without a finding is a CT.
        modality=Modality(found.modality) if found else Modality.CT,
        model=found.model if found else "",
        case=case.number,
        when=local(services.settings, case.received_at),
        language=language,
    )
    return to_jpeg(draw(report))


def _shown(scan: bytes) -> Levels:
    return np.asarray(Image.open(io.BytesIO(scan)).convert("L"))
