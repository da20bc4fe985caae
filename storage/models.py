"""Which model answers and which one listens in, and what the second said of the same cases."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage.cases import StoredFinding, present
from storage.clock import from_stored
from storage.staff import Member
from storage.transaction import Row, Tx


class Part(StrEnum):
    """What a model does: it answers the patients, or it listens in unseen."""

    ACTIVE = "active"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Choice:
    """A model given a part; `by_id` is None where the program had to choose itself."""

    id: int
    at: datetime
    by_id: int | None
    part: Part
    modality: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Alike:
    """A group of `patients` with equal counts; the other fields are of each one of them."""

    patients: int
    cases: int
    both: int
    only_active: int
    only_shadow: int


def choose(
    tx: Tx, part: Part, modality: str, name: str | None, digest: str | None, by: Member | None
) -> None:
    """Give a part to a model, or to none; whoever had it is history."""
    tx.insert(
        "model_choices",
        at=tx.time,
        by_id=by.id if by else None,
        part=part,
        modality=modality,
        name=name,
        digest=digest,
    )


def end_shadow(tx: Tx, modality: str, by: Member | None) -> bool:
    """Let nobody listen in; False if nobody does."""
    last = current(tx, Part.SHADOW).get(modality)
    if last is None:
        return False
    choose(tx, Part.SHADOW, modality, None, None, by)
    return True


def current(tx: Tx, part: Part) -> Mapping[str, Choice]:
    """Give who has a part now, by modality."""
    rows = tx.rows(
        """SELECT * FROM model_choices WHERE id IN (
               SELECT max(id) FROM model_choices WHERE part = :part GROUP BY modality)
           AND name IS NOT NULL""",
        part=part,
    )
    return {row["modality"]: _choice(row) for row in rows}


def former(tx: Tx, modality: str) -> Choice | None:
    """Give the model that answered before the one that answers now."""
    row = tx.row(
        """SELECT * FROM model_choices WHERE part = 'active' AND modality = :modality
           AND digest <> (SELECT digest FROM model_choices
               WHERE part = 'active' AND modality = :modality ORDER BY id DESC LIMIT 1)
           ORDER BY id DESC LIMIT 1""",
        modality=modality,
    )
    return None if row is None else _choice(row)


def add_shadow_finding(tx: Tx, case_id: int, finding: StoredFinding) -> None:
    """Keep what a candidate estimated, out of the patient's sight; raises CaseGone if erased."""
    present(tx, case_id)
    tx.insert(
        "shadow_findings",
        case_id=case_id,
        model=finding.model,
        modality=finding.modality,
        normal=finding.normal,
        bacterial=finding.bacterial,
        viral=finding.viral,
        label=finding.label,
        doubts=json.dumps(sorted(finding.doubts)),
        seconds=finding.seconds,
        made_at=tx.time,
    )


def compare(tx: Tx, active: str, shadow: str) -> list[Alike]:
    """Hold what two models found likeliest against the verdicts on the cases both looked at.

    Patients with equal counts form one group. Each case of a forgotten person counts as a patient.
    """
    rows = tx.rows(
        f"""WITH judged AS (
                SELECT coalesce(c.person_id, -c.id) AS patient,
                    {_likeliest("f")} = r.verdict AS active, {_likeliest("s")} = r.verdict AS shadow
                FROM shadow_findings AS s
                JOIN findings AS f ON f.case_id = s.case_id AND f.model = :active
                JOIN reviews AS r ON r.case_id = s.case_id
                JOIN cases AS c ON c.id = s.case_id
                WHERE s.model = :shadow AND r.verdict IN ('normal', 'bacterial', 'viral')),
            counted AS (
                SELECT count(*) AS cases, sum(active AND shadow) AS "both",
                    sum(active AND NOT shadow) AS only_active,
                    sum(shadow AND NOT active) AS only_shadow
                FROM judged GROUP BY patient)
            SELECT count(*) AS patients, * FROM counted
            GROUP BY cases, "both", only_active, only_shadow""",
        active=active,
        shadow=shadow,
    )
    return [Alike(**row) for row in rows]


def missed(tx: Tx, active: str, shadow: str, since: datetime) -> int:
    """Count the cases since a time that one model answered and the other did not look at."""
    return int(
        tx.value(
            """SELECT count(*) FROM findings AS f WHERE f.model = :active AND f.made_at >= :since
               AND NOT EXISTS (SELECT 1 FROM shadow_findings AS s
                   WHERE s.case_id = f.case_id AND s.model = :shadow)""",
            active=active,
            shadow=shadow,
            since=since,
        )
    )


def _likeliest(table: str) -> str:
    return f"""CASE
        WHEN {table}.normal >= max({table}.bacterial, {table}.viral) THEN 'normal'
        WHEN {table}.bacterial >= {table}.viral THEN 'bacterial' ELSE 'viral' END"""


def _choice(row: Row) -> Choice:
    return Choice(**{**row, "at": from_stored(row["at"]), "part": Part(row["part"])})
