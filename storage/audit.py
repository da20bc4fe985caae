"""Who did what, when, with which case: written once, never changed (the database refuses)."""

from dataclasses import dataclass
from datetime import datetime

from storage.clock import from_stored
from storage.transaction import Tx

SYSTEM = "system"
PATIENT = "patient"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One act. `actor` is a role or a member of staff, never a patient's identity."""

    id: int
    at: datetime
    actor: str
    action: str
    case_id: int | None
    detail: str | None


def record(
    tx: Tx, actor: str, action: str, case_id: int | None = None, detail: str | None = None
) -> None:
    """Add a line; `detail` holds codes and counts, never a person's words."""
    tx.insert("audit", at=tx.time, actor=actor, action=action, case_id=case_id, detail=detail)


def lines(tx: Tx, limit: int = 50, before: int | None = None) -> list[AuditLine]:
    """Give the newest lines first; `before` is the last id of the page before."""
    sql = """SELECT * FROM audit WHERE :before IS NULL OR id < :before
             ORDER BY id DESC LIMIT :limit"""
    return [
        AuditLine(**{**row, "at": from_stored(row["at"])})
        for row in tx.rows(sql, before=before, limit=limit)
    ]
