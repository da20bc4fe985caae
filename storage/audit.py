"""Who did what, when, with which case: written once, never changed (the database refuses)."""

from dataclasses import dataclass
from datetime import datetime

from storage.clock import from_stored
from storage.transaction import Row, Tx

SYSTEM = "system"
PATIENT = "patient"
# Whoever has the machine.
OPERATOR = "operator"
# Above every id.
NEWEST = 2**63 - 1
# Lines of earlier versions hold verdicts, which go with the case that its patient has deleted.
_COLUMNS = """a.id, a.at, a.actor, a.action, a.case_id, c.number AS case_number,
    iif(c.erased_why = 'asked', NULL, a.detail) AS detail"""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One act. `actor` is a role or a member of staff, never a patient's identity."""

    id: int
    at: datetime
    actor: str
    action: str
    case_id: int | None
    detail: str | None
    case_number: str | None


def record(
    tx: Tx, actor: str, action: str, case_id: int | None = None, detail: str | None = None
) -> None:
    """Add a line; `detail` holds codes and counts, never a person's words."""
    tx.insert("audit", at=tx.time, actor=actor, action=action, case_id=case_id, detail=detail)


def lines(tx: Tx, limit: int = 50, before: int = NEWEST) -> list[AuditLine]:
    """Give the newest lines first; `before` is the last id of the page before.

    Case numbers of forgotten people are left out: an older printout could link them to a person.
    """
    sql = f"""SELECT {_COLUMNS} FROM audit AS a
              LEFT JOIN cases AS c ON c.id = a.case_id AND c.person_id IS NOT NULL
              WHERE a.id < :before ORDER BY a.id DESC LIMIT :limit"""
    return [_line(row) for row in tx.rows(sql, before=before, limit=limit)]


def of_case(tx: Tx, case_id: int) -> list[AuditLine]:
    """Give all lines about a case, oldest first."""
    sql = f"""SELECT {_COLUMNS} FROM audit AS a JOIN cases AS c ON c.id = a.case_id
              WHERE a.case_id = :id ORDER BY a.id"""
    return [_line(row) for row in tx.rows(sql, id=case_id)]


def _line(row: Row) -> AuditLine:
    return AuditLine(**{**row, "at": from_stored(row["at"])})
