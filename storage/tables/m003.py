"""What doctors say of cases, and which case is next.

`review_queue` holds each answered case with a finding until it is reviewed or erased. `urgency` is
in hours: all cases age alike, so that their order never changes by itself. `again` tells that
somebody's opinion is there and another doctor's is wanted; `disputed_at`, that an admin decides.

An opinion is one doctor's: `draft -> given -> final`, taken back until it is final. A review is
what the patient was told. A case that goes back to the queue loses what was not final.
"""

M003 = """
CREATE TABLE review_queue (
    case_id INTEGER PRIMARY KEY REFERENCES cases (id),
    urgency REAL NOT NULL,
    since_at INTEGER NOT NULL,
    again INTEGER NOT NULL DEFAULT 0 CHECK (again IN (0, 1)),
    disputed_at INTEGER
) STRICT;
CREATE INDEX review_queue_next ON review_queue (urgency DESC) WHERE disputed_at IS NULL;
CREATE INDEX review_queue_since ON review_queue (since_at) WHERE disputed_at IS NULL;
CREATE INDEX review_queue_again ON review_queue (case_id) WHERE again = 1;
CREATE INDEX review_queue_disputed ON review_queue (disputed_at) WHERE disputed_at IS NOT NULL;
CREATE INDEX cases_under_review ON cases (lease_until_at) WHERE state = 'under_review';

CREATE TABLE review_skips (
    case_id INTEGER NOT NULL REFERENCES review_queue (case_id) ON DELETE CASCADE,
    doctor_id INTEGER NOT NULL REFERENCES staff (id),
    until_at INTEGER NOT NULL,
    PRIMARY KEY (case_id, doctor_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE opinions (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    doctor_id INTEGER NOT NULL REFERENCES staff (id),
    verdict TEXT NOT NULL CHECK (verdict IN (
        'normal', 'bacterial', 'viral', 'other', 'unreadable')),
    comment TEXT CHECK (length(comment) BETWEEN 1 AND 500),
    second INTEGER NOT NULL DEFAULT 0 CHECK (second IN (0, 1)),
    state TEXT NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'given', 'final')),
    taken_at INTEGER NOT NULL,
    given_at INTEGER,
    final_at INTEGER,
    UNIQUE (case_id, doctor_id),
    CHECK ((given_at IS NULL) = (state = 'draft')),
    CHECK ((final_at IS NULL) = (state = 'draft'))
) STRICT;
CREATE UNIQUE INDEX opinions_open ON opinions (case_id) WHERE state <> 'final';
CREATE INDEX opinions_due ON opinions (final_at) WHERE state = 'given';
CREATE INDEX opinions_doctor ON opinions (doctor_id, given_at) WHERE state = 'final';

CREATE TRIGGER opinions_of_holder BEFORE INSERT ON opinions
    WHEN NEW.state <> 'draft' OR NOT EXISTS (
        SELECT 1 FROM cases WHERE id = NEW.case_id AND state = 'under_review'
        AND lease_worker = 'doctor:' || NEW.doctor_id)
BEGIN
    SELECT RAISE(ABORT, 'only who holds a case says what it is');
END;
CREATE TRIGGER opinions_illegal_step BEFORE UPDATE OF state ON opinions
    WHEN NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES
        ('draft', 'given'), ('given', 'draft'), ('given', 'final'))
BEGIN
    SELECT RAISE(ABORT, 'illegal step');
END;
CREATE TRIGGER opinions_stand BEFORE UPDATE OF verdict, doctor_id, case_id ON opinions
    WHEN OLD.state = 'final'
BEGIN
    SELECT RAISE(ABORT, 'a final opinion stands');
END;
CREATE TRIGGER cases_back AFTER UPDATE OF state ON cases
    WHEN OLD.state = 'under_review' AND NEW.state = 'answered'
BEGIN
    DELETE FROM opinions WHERE case_id = NEW.id AND state <> 'final';
END;

CREATE TABLE reviews (
    case_id INTEGER PRIMARY KEY REFERENCES cases (id),
    verdict TEXT NOT NULL CHECK (verdict IN (
        'normal', 'bacterial', 'viral', 'other', 'unreadable')),
    how TEXT NOT NULL CHECK (how IN ('one', 'agreement', 'majority', 'admin')),
    decided_at INTEGER NOT NULL
) STRICT;
CREATE INDEX reviews_decided ON reviews (decided_at, verdict);

CREATE TABLE doctor_preferences (
    doctor_id INTEGER PRIMARY KEY REFERENCES staff (id),
    news INTEGER NOT NULL CHECK (news IN (0, 1)),
    zone TEXT NOT NULL,
    hour INTEGER NOT NULL CHECK (hour BETWEEN 0 AND 23),
    quiet_from INTEGER NOT NULL CHECK (quiet_from BETWEEN 0 AND 23),
    quiet_until INTEGER NOT NULL CHECK (quiet_until BETWEEN 0 AND 23),
    digested_on TEXT,
    reminded_at INTEGER
) STRICT;

INSERT INTO review_queue (case_id, urgency, since_at)
SELECT c.id,
    24 * (1 - f.normal) + 12 * (c.doctor_asked_at IS NOT NULL) - c.received_at / 3.6e9,
    c.changed_at
FROM cases AS c JOIN findings AS f ON f.case_id = c.id
WHERE c.state = 'answered' AND c.erased_at IS NULL
GROUP BY c.id;
"""
