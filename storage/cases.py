"""A case is one upload, an album included: its files, its steps, its findings.

`received -> read -> classified -> answered -> under_review -> reviewed`, or `refused(reason)`,
`failed(reason)`, or `withdrawn` (taken back before an answer). `answered` means that the patient
was told something: the result, or that a doctor looks first. The database refuses any other step
and writes each into `case_events` by itself.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from storage.clock import from_stored, from_stored_or_none
from storage.errors import CaseGone, IllegalStep, LeaseLost
from storage.numbers import new_number
from storage.transaction import Row, Tx


class CaseState(StrEnum):
    """Where a case stands."""

    RECEIVED = "received"
    READ = "read"
    CLASSIFIED = "classified"
    ANSWERED = "answered"
    UNDER_REVIEW = "under_review"
    REVIEWED = "reviewed"
    REFUSED = "refused"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


_GIVEN_UP = frozenset({CaseState.REFUSED, CaseState.FAILED, CaseState.WITHDRAWN})

STEPS: Mapping[CaseState, frozenset[CaseState]] = {
    CaseState.RECEIVED: frozenset({CaseState.READ}) | _GIVEN_UP,
    CaseState.READ: frozenset({CaseState.CLASSIFIED}) | _GIVEN_UP,
    CaseState.CLASSIFIED: frozenset({CaseState.ANSWERED, CaseState.FAILED, CaseState.WITHDRAWN}),
    CaseState.ANSWERED: frozenset({CaseState.UNDER_REVIEW}),
    CaseState.UNDER_REVIEW: frozenset({CaseState.ANSWERED, CaseState.REVIEWED}),
    CaseState.REVIEWED: frozenset(),
    CaseState.REFUSED: frozenset(),
    CaseState.FAILED: frozenset(),
    CaseState.WITHDRAWN: frozenset(),
}
UNFINISHED = frozenset({CaseState.RECEIVED, CaseState.READ, CaseState.CLASSIFIED})
# The same in SQL, in the words of the index `cases_unfinished`.
IS_UNFINISHED = "state IN ('received', 'read', 'classified')"

# The reason of a case that turned out to be an earlier one.
DUPLICATE = "duplicate"


class FileKind(StrEnum):
    """How Telegram carried a file: compressed by it, or untouched."""

    PHOTO = "photo"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """One file of an upload, as Telegram names it; the name the sender gave is not kept."""

    message_id: int
    kind: FileKind
    file_id: str = field(repr=False)
    unique_id: str = field(repr=False)
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What becomes a case.

    Parts of one `album` that come within `quiet` of each other become one case.
    """

    person_id: int
    files: tuple[UploadedFile, ...]
    note: str | None = field(default=None, repr=False)
    album: str | None = None
    quiet: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of `cases`. `number` is public, `id` is not."""

    id: int
    number: str
    person_id: int | None
    source_id: int | None
    state: CaseState
    reason: str | None
    note: str | None = field(repr=False)
    album: str | None
    content: str | None
    duplicate_of: int | None
    received_at: datetime
    changed_at: datetime
    attempts: int
    next_try_at: datetime
    lease_worker: str | None
    lease_until_at: datetime | None
    doctor_asked_at: datetime | None
    erased_at: datetime | None
    erased_why: str | None


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One thing that happened to a case; `step` is a state, or what else happened."""

    at: datetime
    step: str
    detail: str | None


@dataclass(frozen=True, slots=True)
class Saliency:
    """A small map as float32 in row order, little-endian."""

    rows: int
    columns: int
    values: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFinding:
    """What a model estimated.

    `label` is None for "unsure", and for a pneumonia whose kind is not clear (`is_pneumonia`).
    `places` is JSON: where in a CT series it comes from.
    """

    model: str
    modality: str
    normal: float
    bacterial: float
    viral: float
    label: str | None
    doubts: tuple[str, ...] = ()
    slices: int = 1
    seconds: float = 0.0
    saliency: Saliency | None = None
    places: str | None = None
    is_pneumonia: bool = False


def receive(tx: Tx, upload: Upload) -> Case:
    """Write an upload as a case, or add it to the open case of its album."""
    if upload.album is not None:
        joined = tx.row(
            """UPDATE cases SET next_try_at = :ready, note = iif(
                   :note IS NULL, note, coalesce(note || char(10), '') || :note)
               WHERE person_id = :person AND album = :album
                 AND attempts = 0 AND state = 'received' RETURNING *""",
            person=upload.person_id,
            album=upload.album,
            note=upload.note,
            ready=tx.time + upload.quiet,
        )
        if joined is not None:
            _add_files(tx, joined["id"], upload)
            return to_case(joined)
    case_id = tx.insert(
        "cases",
        number=fresh_number(tx),
        person_id=upload.person_id,
        source_id=tx.value("SELECT source_id FROM people WHERE id = :id", id=upload.person_id),
        note=upload.note,
        album=upload.album,
        received_at=tx.time,
        changed_at=tx.time,
        next_try_at=tx.time + upload.quiet,
    )
    _add_files(tx, case_id, upload)
    return get(tx, case_id)


def get(tx: Tx, case_id: int) -> Case:
    """Give a case; raises CaseGone if there is none."""
    row = tx.row("SELECT * FROM cases WHERE id = :id", id=case_id)
    if row is None:
        raise CaseGone
    return to_case(row)


def advance(
    tx: Tx, case_id: int, to: CaseState, *, worker: str | None = None, reason: str | None = None
) -> Case:
    """Take one step; raises IllegalStep.

    With a `worker` named, raises LeaseLost unless the case is leased to it. A case that is finished
    is leased no more.
    """
    case = get(tx, case_id)
    if to not in STEPS[case.state]:
        raise IllegalStep(case.state, to)
    if worker is not None and not holds(tx, case, worker):
        raise LeaseLost
    keep = to in UNFINISHED
    tx.run(
        """UPDATE cases SET state = :to, reason = :reason, changed_at = :now,
               lease_worker = CASE WHEN :keep THEN lease_worker END,
               lease_until_at = CASE WHEN :keep THEN lease_until_at END
           WHERE id = :id""",
        id=case_id,
        to=to,
        reason=reason,
        keep=keep,
    )
    return get(tx, case_id)


def holds(tx: Tx, case: Case, worker: str) -> bool:
    """Tell whether a worker's lease still runs."""
    until = case.lease_until_at
    return case.lease_worker == worker and until is not None and until > tx.time


def add_note(tx: Tx, case_id: int, note: str) -> None:
    """Keep what was written beside the same picture later, above what stands there."""
    sql = "UPDATE cases SET note = :note || coalesce(char(10) || note, '') WHERE id = :id"
    tx.run(sql, note=note, id=case_id)


def set_content(tx: Tx, case_id: int, sha256: str) -> None:
    """Keep what a case's files hash to; raises CaseGone if it was erased."""
    present(tx, case_id)
    tx.run("UPDATE cases SET content = :sha256 WHERE id = :id", sha256=sha256, id=case_id)


_ANSWERED = """(c.state IN ('answered', 'under_review', 'reviewed')
    OR (c.state = 'refused' AND c.received_at >= :since
        AND c.reason IN (SELECT value FROM json_each(:reasons))))"""


def earlier(tx: Tx, case_id: int, reasons: Collection[str], since: datetime) -> Case | None:
    """Find the same person's earlier case of the same content that has an answer.

    Those refused for one of the `reasons` have one too, if it was not before `since`.
    """
    row = tx.row(
        f"""SELECT c.* FROM cases AS now
            JOIN cases AS c ON c.person_id = now.person_id AND c.content = now.content
            WHERE now.id = :id AND c.id < now.id AND {_ANSWERED}
            ORDER BY c.id DESC""",
        id=case_id,
        reasons=json.dumps(sorted(reasons)),
        since=since,
    )
    return None if row is None else to_case(row)


def earlier_file(
    tx: Tx, person_id: int, unique_id: str, reasons: Collection[str], since: datetime
) -> Case | None:
    """Find the same person's case of just this file, by Telegram's own id for it; see `earlier`."""
    row = tx.row(
        f"""SELECT c.* FROM cases AS c JOIN scans AS s ON s.case_id = c.id
            WHERE c.person_id = :person AND s.unique_id = :unique AND {_ANSWERED}
              AND (SELECT count(*) FROM scans WHERE case_id = c.id) = 1
            ORDER BY c.id DESC""",
        person=person_id,
        unique=unique_id,
        reasons=json.dumps(sorted(reasons)),
        since=since,
    )
    return None if row is None else to_case(row)


def mark_duplicate(tx: Tx, case_id: int, of: int) -> Case:
    """Close a case that is an earlier one again: it counts for limits and is shown nowhere."""
    advance(tx, case_id, CaseState.REFUSED, reason=DUPLICATE)
    tx.run("UPDATE cases SET duplicate_of = :of WHERE id = :id", of=of, id=case_id)
    return get(tx, case_id)


def add_finding(tx: Tx, case_id: int, finding: StoredFinding) -> None:
    """Keep what a model estimated; one finding for each model. Raises CaseGone if erased."""
    present(tx, case_id)
    saliency = finding.saliency
    tx.insert(
        "findings",
        case_id=case_id,
        model=finding.model,
        modality=finding.modality,
        normal=finding.normal,
        bacterial=finding.bacterial,
        viral=finding.viral,
        label=finding.label,
        doubts=json.dumps(sorted(finding.doubts)),
        slices=finding.slices,
        seconds=finding.seconds,
        saliency=saliency.values if saliency else None,
        saliency_rows=saliency.rows if saliency else None,
        saliency_columns=saliency.columns if saliency else None,
        places=finding.places,
        is_pneumonia=finding.is_pneumonia,
        made_at=tx.time,
    )


def ask_doctor(tx: Tx, case_id: int) -> bool:
    """Keep the patient's wish for a doctor; False if it was there before."""
    present(tx, case_id)
    sql = "UPDATE cases SET doctor_asked_at = :now WHERE id = :id AND doctor_asked_at IS NULL"
    if tx.run(sql, id=case_id) == 0:
        return False
    add_event(tx, case_id, "doctor_asked")
    return True


def duplicates_of(tx: Tx, case_id: int) -> list[int]:
    """List the cases in which the same was sent again, but for those their person erased."""
    sql = """SELECT id FROM cases WHERE duplicate_of = :id
             AND (erased_at IS NULL OR erased_why = 'retention')"""
    return [row["id"] for row in tx.rows(sql, id=case_id)]


def add_event(tx: Tx, case_id: int, step: str, detail: str | None = None) -> None:
    """Write down what happened besides a change of state, which writes itself."""
    tx.insert("case_events", case_id=case_id, at=tx.time, step=step, detail=detail)


def present(tx: Tx, case_id: int) -> Case:
    """Give a case whose contents are still there; raises CaseGone."""
    case = get(tx, case_id)
    if case.erased_at is not None:
        raise CaseGone
    return case


def fresh_number(tx: Tx) -> str:
    """Draw a number no case has."""
    while True:
        number = new_number()
        if tx.row("SELECT 1 FROM cases WHERE number = :number", number=number) is None:
            return number


def to_case(row: Row) -> Case:
    """Read a row of `cases`."""
    return Case(
        **{
            **row,
            "state": CaseState(row["state"]),
            "received_at": from_stored(row["received_at"]),
            "changed_at": from_stored(row["changed_at"]),
            "next_try_at": from_stored(row["next_try_at"]),
            "lease_until_at": from_stored_or_none(row["lease_until_at"]),
            "doctor_asked_at": from_stored_or_none(row["doctor_asked_at"]),
            "erased_at": from_stored_or_none(row["erased_at"]),
        }
    )


def _add_files(tx: Tx, case_id: int, upload: Upload) -> None:
    for file in upload.files:
        tx.insert(
            "scans",
            case_id=case_id,
            message_id=file.message_id,
            kind=file.kind,
            file_id=file.file_id,
            unique_id=file.unique_id,
            size=file.size,
        )
