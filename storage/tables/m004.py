"""Announcements and who is to get them.

The outbox itself tells a recipient's row what became of its message, in the same transaction; its
keys end in the recipient's id. A recipient whose person is forgotten stays, to be counted.
"""

M004 = """
ALTER TABLE people ADD COLUMN opted_out_at INTEGER;

CREATE TABLE broadcasts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    made_by INTEGER NOT NULL REFERENCES staff (id),
    content TEXT NOT NULL CHECK (json_valid(content)),
    audience TEXT CHECK (audience IN ('patients', 'doctors', 'everyone', 'source', 'language')),
    source_id INTEGER REFERENCES sources (id),
    language TEXT,
    safety INTEGER CHECK (safety IN (0, 1)),
    state TEXT NOT NULL DEFAULT 'draft' CHECK (state IN (
        'draft', 'scheduled', 'running', 'paused', 'cancelled', 'done', 'discarded')),
    due_at INTEGER,
    made_at INTEGER NOT NULL,
    began_at INTEGER,
    told_at INTEGER,
    ended_at INTEGER,
    CHECK (state IN ('draft', 'discarded') OR (audience IS NOT NULL AND safety IS NOT NULL)),
    CHECK (source_id IS NULL OR audience = 'source'),
    CHECK (language IS NULL OR audience = 'language'),
    CHECK ((state = 'scheduled') <= (due_at IS NOT NULL)),
    CHECK ((state IN ('running', 'paused', 'done')) <= (began_at IS NOT NULL)),
    CHECK ((state = 'done') <= (ended_at IS NOT NULL))
) STRICT;
CREATE TRIGGER broadcasts_illegal_step BEFORE UPDATE OF state ON broadcasts
    WHEN NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES
        ('draft', 'scheduled'), ('draft', 'running'), ('draft', 'discarded'),
        ('scheduled', 'running'), ('scheduled', 'discarded'),
        ('running', 'paused'), ('running', 'cancelled'), ('running', 'done'),
        ('paused', 'running'), ('paused', 'cancelled'))
BEGIN
    SELECT RAISE(ABORT, 'illegal step');
END;

CREATE TABLE recipients (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    broadcast_id INTEGER NOT NULL REFERENCES broadcasts (id),
    person_id INTEGER REFERENCES people (id) ON DELETE SET NULL,
    staff_id INTEGER REFERENCES staff (id),
    language TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'pending', 'queued', 'sent', 'blocked', 'failed', 'unknown', 'skipped')),
    reason TEXT,
    changed_at INTEGER NOT NULL,
    UNIQUE (person_id, broadcast_id),
    UNIQUE (staff_id, broadcast_id),
    CHECK ((state = 'skipped') <= (reason IN ('opted_out', 'left', 'cancelled')))
) STRICT;
CREATE INDEX recipients_state ON recipients (broadcast_id, state, reason);

CREATE TRIGGER outbox_told AFTER UPDATE OF state ON outbox
    WHEN NEW.key GLOB 'broadcast:*' AND NEW.state NOT IN ('pending', 'sending')
BEGIN
    UPDATE recipients SET
        state = CASE
            WHEN NEW.reason = 'blocked' THEN 'blocked'
            WHEN NEW.state = 'dropped' THEN 'skipped'
            ELSE NEW.state END,
        reason = CASE
            WHEN NEW.reason = 'blocked' THEN NULL
            WHEN NEW.state = 'dropped' THEN 'left'
            ELSE NEW.reason END,
        changed_at = NEW.changed_at
    WHERE id = CAST(substr(NEW.key, length(rtrim(NEW.key, '0123456789')) + 1) AS INTEGER)
        AND state = 'queued';
END;
CREATE TRIGGER outbox_forgot AFTER DELETE ON outbox
    WHEN OLD.key GLOB 'broadcast:*' AND OLD.state IN ('pending', 'sending')
BEGIN
    UPDATE recipients SET
        state = CASE OLD.state WHEN 'sending' THEN 'unknown' ELSE 'skipped' END,
        reason = 'left',
        changed_at = OLD.changed_at
    WHERE id = CAST(substr(OLD.key, length(rtrim(OLD.key, '0123456789')) + 1) AS INTEGER)
        AND state = 'queued';
END;
"""
