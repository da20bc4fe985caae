"""What a person sent and was told, for themselves: the newest, one case, everything."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from storage import opinions, people, staff
from storage.cases import (
    Case,
    CaseEvent,
    FileKind,
    Saliency,
    StoredFinding,
    UploadedFile,
    get,
    to_case,
)
from storage.clock import from_stored
from storage.opinions import Opinion, Review, Verdict
from storage.staff import Member
from storage.transaction import Row, Tx

# What a person deleted, and what was an earlier case again, is not shown.
_SHOWN = "duplicate_of IS NULL AND erased_why IS NOT 'asked' AND state <> 'withdrawn'"


@dataclass(frozen=True, slots=True)
class Said:
    """What a doctor said of a case; who it was is not the patient's to know."""

    verdict: Verdict
    comment: str | None = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a model that only listens in estimated: no answer, but its person's data."""

    model: str
    modality: str
    normal: float
    bacterial: float
    viral: float
    label: str | None
    doubts: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A case with all that belongs to it; `images` are ids."""

    case: Case
    files: tuple[UploadedFile, ...]
    findings: tuple[StoredFinding, ...]
    unseen: tuple[Unseen, ...]
    events: tuple[CaseEvent, ...]
    images: tuple[str, ...]
    said: tuple[Said, ...]
    review: Review | None


@dataclass(frozen=True, slots=True)
class Served:
    """A role that somebody holds or held, and what they said of cases in it."""

    member: Member
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """Everything kept of a person."""

    person: people.Person
    source: str | None
    consents: tuple[people.Consent, ...]
    roles: tuple[Served, ...]
    cases: tuple[CaseRecord, ...]


def record(tx: Tx, case_id: int) -> CaseRecord:
    """Give a case with all that belongs to it; raises CaseGone."""
    return CaseRecord(
        case=get(tx, case_id),
        files=files(tx, case_id),
        findings=findings(tx, case_id),
        unseen=_unseen(tx, case_id),
        events=events(tx, case_id),
        images=tuple(
            row["id"]
            for row in tx.rows(
                "SELECT id FROM images WHERE case_id = :id ORDER BY rowid", id=case_id
            )
        ),
        said=said(tx, case_id),
        review=opinions.review_of(tx, case_id),
    )


def files(tx: Tx, case_id: int) -> tuple[UploadedFile, ...]:
    """Give the files of a case in the order of their messages."""
    sql = """SELECT message_id, kind, file_id, unique_id, size FROM scans
             WHERE case_id = :id ORDER BY message_id"""
    return tuple(
        UploadedFile(**{**row, "kind": FileKind(row["kind"])}) for row in tx.rows(sql, id=case_id)
    )


def findings(tx: Tx, case_id: int) -> tuple[StoredFinding, ...]:
    """Give the findings of a case, oldest first."""
    sql = "SELECT * FROM findings WHERE case_id = :id ORDER BY id"
    return tuple(_finding(row) for row in tx.rows(sql, id=case_id))


def events(tx: Tx, case_id: int) -> tuple[CaseEvent, ...]:
    """Give what happened to a case, oldest first."""
    sql = "SELECT at, step, detail FROM case_events WHERE case_id = :id ORDER BY id"
    return tuple(
        CaseEvent(from_stored(row["at"]), row["step"], row["detail"])
        for row in tx.rows(sql, id=case_id)
    )


def said(tx: Tx, case_id: int) -> tuple[Said, ...]:
    """Give what doctors finally said of a case, oldest first; nothing until it is settled."""
    if opinions.review_of(tx, case_id) is None:
        return ()
    return tuple(
        Said(each.verdict, each.comment, each.final_at)
        for each in opinions.final_of(tx, case_id)
        if each.final_at is not None
    )


def newest(tx: Tx, person_id: int, limit: int = 10) -> tuple[CaseRecord, ...]:
    """Give a person's last cases, newest first."""
    sql = f"""SELECT id FROM cases WHERE person_id = :person AND {_SHOWN}
              ORDER BY id DESC LIMIT :limit"""
    return tuple(record(tx, row["id"]) for row in tx.rows(sql, person=person_id, limit=limit))


def own(tx: Tx, person_id: int, number: str) -> Case | None:
    """Find a case by its number, if it is this person's and they did not delete it."""
    row = tx.row(
        f"SELECT * FROM cases WHERE number = :number AND person_id = :person AND {_SHOWN}",
        number=number,
        person=person_id,
    )
    return None if row is None else to_case(row)


def received_since(tx: Tx, person_id: int, since: datetime) -> int:
    """Count what a person sent, for limits: what they deleted counts too."""
    # What is dated later is of a clock that was ahead.
    sql = """SELECT count(*) FROM cases
             WHERE person_id = :person AND received_at BETWEEN :since AND :now"""
    return int(tx.value(sql, person=person_id, since=since, now=tx.time))


def export(tx: Tx, person_id: int) -> PersonRecord | None:
    """Give everything kept of a person, oldest case first."""
    person = people.get(tx, person_id)
    if person is None:
        return None
    ids = tx.rows("SELECT id FROM cases WHERE person_id = :id ORDER BY id", id=person_id)
    return PersonRecord(
        person=person,
        source=tx.value("SELECT name FROM sources WHERE id = :id", id=person.source_id),
        consents=people.consents(tx, person_id),
        roles=tuple(
            Served(member, opinions.of_doctor(tx, member))
            for member in staff.everybody(tx)
            if member.telegram_id == person.telegram_id
        ),
        cases=tuple(record(tx, row["id"]) for row in ids),
    )


def _unseen(tx: Tx, case_id: int) -> tuple[Unseen, ...]:
    sql = """SELECT model, modality, normal, bacterial, viral, label, doubts, seconds
             FROM shadow_findings WHERE case_id = :id ORDER BY id"""
    return tuple(
        Unseen(**{**row, "doubts": tuple(json.loads(row["doubts"]))})
        for row in tx.rows(sql, id=case_id)
    )


def _finding(row: Row) -> StoredFinding:
    saliency = None
    if row["saliency"] is not None:
        saliency = Saliency(row["saliency_rows"], row["saliency_columns"], row["saliency"])
    return StoredFinding(
        model=row["model"],
        modality=row["modality"],
        normal=row["normal"],
        bacterial=row["bacterial"],
        viral=row["viral"],
        label=row["label"],
        doubts=tuple(json.loads(row["doubts"])),
        slices=row["slices"],
        seconds=row["seconds"],
        saliency=saliency,
        places=row["places"],
        is_pneumonia=bool(row["is_pneumonia"]),
    )
