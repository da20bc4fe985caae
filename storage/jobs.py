"""When each job of the clock ran last, and how that ended."""

from dataclasses import dataclass
from datetime import datetime

from storage.clock import from_stored, from_stored_or_none
from storage.transaction import Tx

WELL = "ok"


@dataclass(frozen=True, slots=True)
class JobRun:
    """A job's last run: `outcome` is WELL or an error's type, `well_at` when it last was WELL."""

    name: str
    ran_at: datetime
    outcome: str
    well_at: datetime | None


def ran(tx: Tx, name: str, outcome: str) -> None:
    """Keep how a run ended, in place of the one before."""
    tx.run(
        """INSERT INTO job_runs (name, ran_at, outcome, well_at)
           VALUES (:name, :now, :outcome, iif(:outcome = :well, :now, NULL))
           ON CONFLICT (name) DO UPDATE SET ran_at = excluded.ran_at, outcome = excluded.outcome,
               well_at = coalesce(excluded.well_at, well_at)""",
        name=name,
        outcome=outcome,
        well=WELL,
    )


def runs(tx: Tx) -> dict[str, JobRun]:
    """Give the last run of each job that ever ran, by its name."""
    return {
        row["name"]: JobRun(
            row["name"],
            from_stored(row["ran_at"]),
            row["outcome"],
            from_stored_or_none(row["well_at"]),
        )
        for row in tx.rows("SELECT * FROM job_runs")
    }
