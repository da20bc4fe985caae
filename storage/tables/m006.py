"""The clock's memory, pauses, errors told, and indexes for statistics and for who sends a lot."""

M006 = """
CREATE TABLE job_runs (
    name TEXT PRIMARY KEY,
    ran_at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    well_at INTEGER
) STRICT;

CREATE TABLE alarms (
    name TEXT PRIMARY KEY,
    since_at INTEGER NOT NULL
) STRICT;

CREATE TABLE troubles (
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    untold INTEGER NOT NULL CHECK (untold >= 0),
    told_at INTEGER,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (kind, place)
) STRICT;

CREATE TABLE pause (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    message TEXT,
    since_at INTEGER NOT NULL
) STRICT;

CREATE INDEX cases_received ON cases (received_at);
CREATE INDEX cases_refused ON cases (received_at, reason) WHERE state = 'refused';
CREATE INDEX case_events_answered ON case_events (at, case_id) WHERE step = 'answered';
CREATE INDEX findings_made ON findings (made_at, label);
CREATE INDEX images_size ON images (size);
CREATE INDEX cases_person_received ON cases (person_id, received_at);
CREATE INDEX scans_unique ON scans (unique_id);
CREATE INDEX outbox_lost ON outbox (state) WHERE state IN ('unknown', 'failed');
"""
