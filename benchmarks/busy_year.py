"""A data dir after a busy year, for benchmarks: made in SQL, each case by the legal steps.

Of 100 cases 10 were refused, 1 failed and 1 was taken back; 28 were reviewed and 60 wait for a
doctor. What a case is follows from its number alone, so that two years of a size are alike.
"""

from datetime import timedelta

from bot.patient import consent
from storage import Storage, audit, people, reviews, sources, staff
from storage.clock import from_stored
from storage.staff import Role
from storage.transaction import Tx

YEAR = timedelta(days=365)
AT_ONCE = 1000
# So many pictures does a patient send, on average.
EACH = 5
SOURCES = 30
# Members of staff and patients, by Telegram's ids.
DOCTORS = range(1, 7)
ADMIN = 9
FIRST_PERSON = 1000
# One who sends every twentieth picture, and one who sent twelve.
BUSY_SENDER, PATIENT = FIRST_PERSON + 1, FIRST_PERSON + 2

_FATE = "id * 37 % 100"
_ANSWERED = f"{_FATE} >= 12"
_REVIEWED = f"{_FATE} BETWEEN 12 AND 39"
_THESE = "id BETWEEN :first AND :last"
# The first doctor does half of the work.
_DOCTOR = "1 + max(0, id / 7 % 10 - 4)"
_ACTOR = f"'doctor:' || ({_DOCTOR})"
_DONE = "received_at + 300000000"
_WORDS = "Bacterial pneumonia: 81 %. This is an estimate by a computer and no diagnosis."

# One batch of cases; times are in microseconds.
CASES = [
    """WITH RECURSIVE n (id) AS (
        SELECT :first UNION ALL SELECT id + 1 FROM n WHERE id < :last)
    INSERT INTO cases (id, number, person_id, note, content, received_at, changed_at, attempts,
        next_try_at)
    SELECT id, printf('%08d', id * 48271 % 99999989),
        CASE WHEN id % (:total / 12) = 0 THEN 2 WHEN id % 20 = 0 THEN 1
            ELSE 3 + id * 7919 % (:people - 2) END,
        iif(id % 5 = 0, 'Cough for two weeks, and fever since Monday.', NULL),
        lower(hex(randomblob(32))), :start + id * :pace, :start + id * :pace, 1,
        :start + id * :pace
    FROM n""",
    f"""UPDATE cases SET source_id = (SELECT source_id FROM people WHERE id = person_id)
    WHERE {_THESE}""",
    f"""INSERT INTO scans (case_id, message_id, kind, file_id, unique_id, size)
    SELECT id, 10 * id, 'photo', hex(randomblob(36)), hex(randomblob(8)), 120000
    FROM cases WHERE {_THESE}""",
    f"""UPDATE cases SET state = 'refused', changed_at = received_at + 400000,
        reason = iif(id % 3, 'not_chest', 'broken')
    WHERE {_THESE} AND {_FATE} < 10""",
    f"""UPDATE cases SET state = 'failed', changed_at = received_at + 60000000,
        reason = 'EngineDown'
    WHERE {_THESE} AND {_FATE} = 10""",
    f"""UPDATE cases SET state = 'withdrawn', changed_at = received_at + 9000000
    WHERE {_THESE} AND {_FATE} = 11""",
    f"""UPDATE cases SET state = 'read', changed_at = received_at + 300000
    WHERE {_THESE} AND {_ANSWERED}""",
    f"""WITH found AS (SELECT id, received_at, id * 7919 % 1000 / 1000.0 AS normal
        FROM cases WHERE {_THESE} AND {_ANSWERED})
    INSERT INTO findings (case_id, model, modality, normal, bacterial, viral, label, doubts,
        slices, seconds, saliency, saliency_rows, saliency_columns, made_at)
    SELECT id, iif(id * 2 < :total, 'xray-1', 'xray-2'), 'xray', normal, (1 - normal) * .7,
        (1 - normal) * .3, CASE WHEN normal > .6 THEN 'normal' WHEN normal < .3 THEN 'bacterial'
        END, '["low_margin"]', 1, 0.2, zeroblob(196), 7, 7, received_at + 900000
    FROM found""",
    f"""UPDATE cases SET state = 'classified', changed_at = received_at + 900000
    WHERE {_THESE} AND {_ANSWERED}""",
    f"""INSERT INTO images (id, case_id, kind, media_type, size, added_at)
    SELECT lower(hex(randomblob(16))), id, kind, 'image/png', 400000 + id, changed_at
    FROM (SELECT 'scan' AS kind UNION ALL SELECT 'report') CROSS JOIN cases
    WHERE {_THESE} AND {_ANSWERED} ORDER BY id, kind DESC""",
    f"""INSERT INTO outbox (key, chat_id, case_id, kind, payload, image_id, target, state,
        attempts, message_id, fleeting, written_at, next_try_at, changed_at)
    SELECT out.key || id || out.part, {FIRST_PERSON} + person_id, id, out.kind,
        json_object('text', :words, 'buttons', json_array(json_array('Delete', number))),
        iif(out.kind = 'photo',
            (SELECT i.id FROM images AS i WHERE i.case_id = cases.id AND i.kind = 'report'), NULL),
        iif(out.kind = 'edit', 'progress:' || id, NULL), 'sent', 1, 10 * id + 1, 0, received_at,
        received_at, changed_at
    FROM cases CROSS JOIN (SELECT 'progress:' AS key, '' AS part, 'message' AS kind
        UNION ALL SELECT 'progress:', ':begin:1', 'edit'
        UNION ALL SELECT 'result:', ':0', 'photo'
        UNION ALL SELECT 'progress:', ':end:1', 'edit') AS out
    WHERE {_THESE} AND {_ANSWERED}""",
    f"""UPDATE cases SET state = 'answered', changed_at = received_at + 1000000 + id % 997 * 1000,
        doctor_asked_at = iif(id % 17 = 0, received_at + 60000000, NULL)
    WHERE {_THESE} AND {_ANSWERED}""",
]
REVIEWS = [
    f"""UPDATE cases SET state = 'under_review', changed_at = {_DONE} - 90000000,
        lease_worker = {_ACTOR}, lease_until_at = {_DONE}
    WHERE {_THESE} AND {_REVIEWED}""",
    f"""INSERT INTO opinions (case_id, doctor_id, verdict, comment, taken_at)
    SELECT id, {_DOCTOR},
        CASE WHEN id % 7 = 0 THEN 'other' WHEN id % 11 = 0 THEN 'viral' ELSE coalesce(
            (SELECT label FROM findings WHERE case_id = cases.id), 'normal') END,
        iif(id % 3, NULL, 'Please come to the clinic if the fever stays.'), changed_at
    FROM cases WHERE {_THESE} AND {_REVIEWED}""",
    f"""UPDATE opinions SET state = 'given', given_at = taken_at + 30000000 + case_id % 499 * 1000,
        final_at = taken_at + 90000000
    WHERE case_id IN (SELECT id FROM cases WHERE {_THESE} AND {_REVIEWED})""",
    f"""UPDATE opinions SET state = 'final'
    WHERE case_id IN (SELECT id FROM cases WHERE {_THESE} AND {_REVIEWED})""",
    f"""INSERT INTO reviews (case_id, verdict, how, decided_at)
    SELECT case_id, verdict, 'one', final_at FROM opinions
    WHERE case_id IN (SELECT id FROM cases WHERE {_THESE} AND {_REVIEWED})""",
    f"""DELETE FROM review_queue
    WHERE case_id IN (SELECT id FROM cases WHERE {_THESE} AND {_REVIEWED})""",
    f"""INSERT INTO audit (at, actor, action, case_id, detail)
    SELECT {_DONE}, iif(action = 'case_reviewed', '{audit.SYSTEM}', {_ACTOR}), action, id, detail
    FROM cases CROSS JOIN (SELECT 'case_taken' AS action, NULL AS detail
        UNION ALL SELECT 'case_shown', NULL
        UNION ALL SELECT 'verdict_given', 'viral'
        UNION ALL SELECT 'case_reviewed', 'viral one')
    WHERE {_THESE} AND {_REVIEWED}""",
    f"""INSERT INTO outbox (key, chat_id, case_id, kind, payload, state, attempts, message_id,
        fleeting, written_at, next_try_at, changed_at)
    SELECT out.key || id || ':' || ({_DOCTOR}), {_DOCTOR}, id, out.kind,
        json_object('text', :words), 'sent', 1, 10 * id + 2, 0, {_DONE}, {_DONE}, {_DONE}
    FROM cases CROSS JOIN (SELECT 'card:' AS key, 'photo' AS kind
        UNION ALL SELECT 'settled:', 'edit' UNION ALL SELECT 'review:', 'message') AS out
    WHERE {_THESE} AND {_REVIEWED}""",
    f"""UPDATE cases SET state = 'reviewed', changed_at = {_DONE}, lease_worker = NULL,
        lease_until_at = NULL
    WHERE {_THESE} AND {_REVIEWED}""",
]


async def make(storage: Storage, total: int) -> None:
    """Let so many cases come in a year that ends now."""
    await storage.write(_begin, total // EACH)
    for first in range(1, total + 1, AT_ONCE):
        await storage.write(_batch, first, min(total, first + AT_ONCE - 1), total)
    await storage.write(_skip, total // 1000)


def _begin(tx: Tx, crowd: int) -> None:
    for number in DOCTORS:
        staff.add(tx, number, Role.DOCTOR, f"Dr. {number}")
    staff.add(tx, ADMIN, Role.ADMIN, "Admin")
    for number in range(SOURCES):
        sources.create(tx, f"Clinic {number}")
    for number in range(1, crowd + 1):
        person = people.seen(tx, FIRST_PERSON + number, "en")
        people.consent(tx, person.id, consent.VERSION)
    tx.run("UPDATE people SET source_id = 1 + id % :sources WHERE id % 2", sources=SOURCES)


def _batch(tx: Tx, first: int, last: int, total: int) -> None:
    values = {
        "first": first,
        "last": last,
        "total": total,
        "people": total // EACH,
        # The last case is reviewed by now.
        "start": tx.time - YEAR - timedelta(minutes=10),
        "pace": YEAR // timedelta(microseconds=1) // total,
        "words": _WORDS,
    }
    for sql in CASES:
        tx.run(sql, **values)
    answered = f"SELECT id, changed_at FROM cases WHERE {_THESE} AND state = 'answered'"
    for row in tx.rows(answered, first=first, last=last):
        reviews.enter(Tx(tx.db, from_stored(row["changed_at"])), row["id"])
    for sql in REVIEWS:
        tx.run(sql, **values)


def _skip(tx: Tx, count: int) -> None:
    """Let the first doctor have put off what is most urgent."""
    tx.run(
        """INSERT INTO review_skips (case_id, doctor_id, until_at)
           SELECT case_id, 1, :until FROM review_queue ORDER BY urgency DESC LIMIT :count""",
        until=tx.time + timedelta(hours=12),
        count=count,
    )
