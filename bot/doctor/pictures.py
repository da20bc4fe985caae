"""The pictures a doctor gets to see of a case they hold, made when their turn comes."""

import asyncio
import io

from PIL import Image

from bot.building import Built
from bot.context import Services
from classifier.report import to_jpeg
from storage import cases, images, staff
from storage.cases import Case, CaseState
from storage.errors import ImageGone
from storage.images import ImageKind
from storage.outbox import OutRow
from storage.staff import Role
from storage.transaction import Tx

ORIGINAL, MORE = "case_original", "case_more"
SCAN, REPORT = ImageKind.SCAN, ImageKind.REPORT
GAP = 16


async def build_card(services: Services, row: OutRow) -> Built | None:
    """Put the scan and what the patient got side by side."""
    storage = services.storage
    ids = await storage.read(_first_two, row)
    if ids is None:
        return None
    scan, report = [await storage.images.load(each) for each in ids]
    return Built(await asyncio.to_thread(side_by_side, scan, report), "case.jpg")


async def build_original(services: Services, row: OutRow) -> Built | None:
    """Give a scan in all its pixels."""
    image_id = str(row.payload["image"])
    case = await services.storage.read(_in_hand, row)
    if case is None:
        return None
    return Built(await services.storage.images.load(image_id), f"{case.number}.png")


async def build_more(services: Services, row: OutRow) -> Built | None:
    """Give one of the pictures for which the card has no room."""
    if await services.storage.read(_in_hand, row) is None:
        return None
    return Built(await services.storage.images.load(str(row.payload["image"])), "answer.jpg")


def side_by_side(scan: bytes, report: bytes) -> bytes:
    """Paste two pictures beside each other, the first as large as the second allows."""
    right = Image.open(io.BytesIO(report)).convert("RGB")
    left = Image.open(io.BytesIO(scan)).convert("L")
    scale = min(right.width / left.width, right.height / left.height)
    size = max(1, round(left.width * scale)), max(1, round(left.height * scale))
    left = left.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    both = Image.new("RGB", (2 * right.width + GAP, right.height))
    both.paste(left, ((right.width - size[0]) // 2, (right.height - size[1]) // 2))
    both.paste(right, (right.width + GAP, 0))
    return to_jpeg(both)


def _first_two(tx: Tx, row: OutRow) -> tuple[str, str] | None:
    case = _in_hand(tx, row)
    if case is None:
        return None
    scans, reports = (images.of_case(tx, case.id, kind) for kind in (SCAN, REPORT))
    if not (scans and reports):
        raise ImageGone
    return scans[0].id, reports[0].id


def _in_hand(tx: Tx, row: OutRow) -> Case | None:
    """Give the case of a row if the doctor it goes to holds it."""
    doctor = staff.member(tx, row.chat_id, Role.DOCTOR)
    if doctor is None or row.case_id is None:
        return None
    case = cases.get(tx, row.case_id)
    held = case.state is CaseState.UNDER_REVIEW and case.lease_worker == doctor.actor
    return case if held else None
