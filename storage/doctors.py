"""How a doctor wants to be told of work, and what they have done."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from storage.agreement import Share
from storage.clock import from_stored_or_none
from storage.staff import Member
from storage.transaction import Tx


@dataclass(frozen=True, slots=True)
class Preferences:
    """When a doctor is told of waiting cases, in hours of their time zone.

    `news` is off for one who wants to hear nothing by itself. Nothing is said from `quiet_from` to
    `quiet_until`; the two alike mean that no hour is quiet.
    """

    zone: str
    news: bool = True
    hour: int = 8
    quiet_from: int = 22
    quiet_until: int = 7
    digested_on: date | None = None
    reminded_at: datetime | None = None

    def is_quiet(self, hour: int) -> bool:
        """Tell whether an hour of the day is a quiet one."""
        return (hour - self.quiet_from) % 24 < (self.quiet_until - self.quiet_from) % 24


@dataclass(frozen=True, slots=True)
class Done:
    """What a doctor has done; where the model was sure, they `agreed` with it so often."""

    today: int
    month: int
    all: int
    agreed: Share
    seconds: float | None


def preferences(tx: Tx, doctor_id: int, zone: str) -> Preferences:
    """Give a doctor's wishes, or the usual ones in a zone."""
    row = tx.row("SELECT * FROM doctor_preferences WHERE doctor_id = :id", id=doctor_id)
    if row is None:
        return Preferences(zone)
    day = row["digested_on"]
    return Preferences(
        zone=row["zone"],
        news=bool(row["news"]),
        hour=row["hour"],
        quiet_from=row["quiet_from"],
        quiet_until=row["quiet_until"],
        digested_on=date.fromisoformat(day) if day else None,
        reminded_at=from_stored_or_none(row["reminded_at"]),
    )


def prefer(tx: Tx, doctor_id: int, wanted: Preferences) -> None:
    """Keep a doctor's wishes, and of what they were told."""
    tx.run("DELETE FROM doctor_preferences WHERE doctor_id = :id", id=doctor_id)
    tx.insert(
        "doctor_preferences",
        doctor_id=doctor_id,
        zone=wanted.zone,
        news=wanted.news,
        hour=wanted.hour,
        quiet_from=wanted.quiet_from,
        quiet_until=wanted.quiet_until,
        digested_on=wanted.digested_on and wanted.digested_on.isoformat(),
        reminded_at=wanted.reminded_at,
    )


def remind(tx: Tx, doctor: Member, wanted: Preferences, until: datetime) -> int:
    """Count the cases that began to wait before a time and were not counted for this doctor.

    Not counted are cases in somebody's hands, their own as a patient, and those they have judged or
    lately skipped. One that was in hand when they were last reminded counts now.
    """
    last = wanted.reminded_at and wanted.reminded_at + (tx.time - until)
    sql = """SELECT count(*) FROM review_queue AS q
             WHERE q.disputed_at IS NULL AND q.since_at <= :until
               AND q.case_id NOT IN (SELECT id FROM cases WHERE state = 'under_review')
               AND (:told IS NULL OR q.since_at > :told OR 'under_review' = (
                   SELECT e.step FROM case_events AS e
                   WHERE e.case_id = q.case_id AND e.at <= :last
                     AND e.step IN ('answered', 'under_review')
                   ORDER BY e.id DESC LIMIT 1))
               AND NOT EXISTS (SELECT 1 FROM opinions AS o JOIN staff AS m ON m.id = o.doctor_id
                   WHERE o.case_id = q.case_id AND m.telegram_id = :person)
               AND NOT EXISTS (SELECT 1 FROM review_skips AS s
                   WHERE s.case_id = q.case_id AND s.doctor_id = :doctor AND s.until_at > :now)
               AND NOT EXISTS (SELECT 1 FROM cases AS c JOIN people AS p ON p.id = c.person_id
                   WHERE c.id = q.case_id AND p.telegram_id = :person)"""
    values = {"person": doctor.telegram_id, "doctor": doctor.id, "now": tx.time}
    count = int(tx.value(sql, until=until, told=wanted.reminded_at, last=last, **values))
    if count:
        prefer(tx, doctor.id, replace(wanted, reminded_at=until))
    return count


def done(tx: Tx, doctor_id: int, today: datetime, month: datetime) -> Done:
    """Count a doctor's final opinions: since two times, and all."""
    row = tx.row(
        """SELECT count(*) AS all_, coalesce(sum(given_at >= :today), 0) AS today,
               coalesce(sum(given_at >= :month), 0) AS month
           FROM opinions WHERE doctor_id = :id AND state = 'final'""",
        id=doctor_id,
        today=today,
        month=month,
    )
    compared = tx.row(
        """SELECT count(*) AS n, coalesce(sum(
               iif(f.is_pneumonia, o.verdict <> 'normal', o.verdict = f.label)), 0) AS agreed
           FROM opinions AS o JOIN findings AS f
               ON f.id = (SELECT min(id) FROM findings WHERE case_id = o.case_id)
           WHERE o.doctor_id = :id AND o.state = 'final' AND (f.label IS NOT NULL OR f.is_pneumonia)
             AND o.verdict IN ('normal', 'bacterial', 'viral')""",
        id=doctor_id,
    )
    assert row is not None and compared is not None
    return Done(
        today=row["today"],
        month=row["month"],
        all=row["all_"],
        agreed=Share(compared["agreed"], compared["n"]),
        seconds=_median_seconds(tx, doctor_id, row["all_"]),
    )


def _median_seconds(tx: Tx, doctor_id: int, count: int) -> float | None:
    """Give the median time from taking a case to giving the verdict."""
    sql = """SELECT avg(seconds) FROM (
                 SELECT (given_at - taken_at) / 1e6 AS seconds FROM opinions
                 WHERE doctor_id = :id AND state = 'final'
                 ORDER BY seconds LIMIT 2 - :count % 2 OFFSET max(:count - 1, 0) / 2)"""
    seconds = tx.value(sql, id=doctor_id, count=count)
    return None if seconds is None else float(seconds)
