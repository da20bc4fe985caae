"""What doctors said of pictures, as far as a model may learn from it."""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from storage.transaction import Row, Tx

# The consent texts (`bot/patient/consent.py`) by which models may learn from what doctors saw.
CONSENTS = ("2026-12", "2026-12-2")


class LeftOut(StrEnum):
    """Why nothing is learned from a reviewed case."""

    ERASED = "erased"
    NO_CLASS = "no_class"
    NO_CONSENT = "no_consent"
    NO_PICTURE = "no_picture"
    CONTRADICTED = "contradicted"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class Lesson:
    """A picture whose class doctors settled; `size` is in bytes."""

    case_id: int
    person_id: int
    modality: str
    label: str
    image_id: str
    size: int


@dataclass(frozen=True, slots=True)
class Lessons:
    """All there is to learn from, oldest case first, and how many cases were left out why."""

    usable: tuple[Lesson, ...]
    left_out: Mapping[LeftOut, int]


def gather(tx: Tx, consents: Collection[str] = CONSENTS) -> Lessons:
    """Go through the reviewed cases; their people agreed to one of the texts `consents`.

    A verdict on several pictures goes to the first, which the finding is about. Of identical
    pictures the first is used; if their verdicts differ, none is.
    """
    rows = tx.rows(
        """SELECT c.id AS case_id, c.person_id, c.content, c.erased_at, r.verdict,
               (SELECT modality FROM findings WHERE case_id = c.id ORDER BY id DESC) AS modality,
               i.id AS image_id, i.size,
               EXISTS (SELECT 1 FROM consents WHERE person_id = c.person_id
                   AND version IN (SELECT value FROM json_each(:consents))) AS agreed
           FROM reviews AS r JOIN cases AS c ON c.id = r.case_id
           LEFT JOIN images AS i ON i.rowid = (
               SELECT min(rowid) FROM images WHERE case_id = c.id AND kind = 'scan')
           ORDER BY c.id""",
        consents=json.dumps(list(consents)),
    )
    verdicts: dict[str, set[str]] = {}
    for row in rows:
        verdicts.setdefault(_picture(row), set()).add(row["verdict"])
    usable: dict[str, Lesson] = {}
    left_out = Counter[LeftOut]()
    for row in rows:
        why, picture = _why_not(row), _picture(row)
        if why is None and len(verdicts[picture]) > 1:
            why = LeftOut.CONTRADICTED
        if why is None and picture in usable:
            why = LeftOut.COPY
        if why is None:
            usable[picture] = _lesson(row)
        else:
            left_out[why] += 1
    return Lessons(tuple(usable.values()), left_out)


def _picture(row: Row) -> str:
    return row["content"] or f"case {row['case_id']}"


def _why_not(row: Row) -> LeftOut | None:
    if row["erased_at"] is not None:
        return LeftOut.ERASED
    if row["verdict"] not in ("normal", "bacterial", "viral"):
        return LeftOut.NO_CLASS
    if not row["agreed"]:
        return LeftOut.NO_CONSENT
    return LeftOut.NO_PICTURE if row["image_id"] is None else None


def _lesson(row: Row) -> Lesson:
    return Lesson(
        case_id=row["case_id"],
        person_id=row["person_id"],
        modality=row["modality"],
        label=row["verdict"],
        image_id=row["image_id"],
        size=row["size"],
    )
