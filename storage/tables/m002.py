"""Staff and their invitations, what a chat is asked for next, and more kinds of messages."""

M002 = """
CREATE TABLE staff (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    telegram_id INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('doctor', 'admin')),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    invited_by INTEGER REFERENCES staff (id),
    since_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE UNIQUE INDEX staff_now ON staff (telegram_id, role) WHERE revoked_at IS NULL;
CREATE TRIGGER staff_last_admin BEFORE UPDATE OF revoked_at ON staff
    WHEN OLD.role = 'admin' AND OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL
    AND (SELECT count(*) FROM staff WHERE role = 'admin' AND revoked_at IS NULL) = 1
BEGIN
    SELECT RAISE(ABORT, 'the last admin stays');
END;

CREATE TABLE invitations (
    id INTEGER PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64),
    role TEXT NOT NULL CHECK (role IN ('doctor', 'admin')),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    invited_by INTEGER REFERENCES staff (id),
    made_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_by INTEGER REFERENCES staff (id)
) STRICT;

CREATE TABLE dialogs (
    telegram_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL CHECK (json_valid(payload)),
    until_at INTEGER NOT NULL
) STRICT;

CREATE TABLE outbox_002 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    chat_id INTEGER NOT NULL,
    case_id INTEGER REFERENCES cases (id),
    kind TEXT NOT NULL CHECK (kind IN (
        'message', 'photo', 'document', 'album', 'copy', 'edit', 'delete')),
    payload TEXT NOT NULL CHECK (json_valid(payload)),
    image_id TEXT REFERENCES images (id) ON DELETE SET NULL,
    target TEXT,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN (
        'pending', 'sending', 'sent', 'unknown', 'failed', 'dropped')),
    reason TEXT,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    message_id INTEGER,
    fleeting INTEGER NOT NULL CHECK (fleeting IN (0, 1)),
    written_at INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    reported_at INTEGER,
    CHECK (reason IS NULL OR state IN ('unknown', 'failed', 'dropped'))
) STRICT;
INSERT INTO outbox_002 SELECT * FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_002 RENAME TO outbox;
CREATE INDEX outbox_open ON outbox (chat_id, id) WHERE state IN ('pending', 'sending');
CREATE UNIQUE INDEX outbox_in_flight ON outbox (chat_id) WHERE state = 'sending';
CREATE INDEX outbox_target ON outbox (target) WHERE target IS NOT NULL;
CREATE INDEX outbox_case ON outbox (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX outbox_image ON outbox (image_id) WHERE image_id IS NOT NULL;
CREATE INDEX outbox_doubtful ON outbox (id) WHERE state = 'unknown' AND reported_at IS NULL;
CREATE INDEX outbox_done ON outbox (changed_at) WHERE state NOT IN ('pending', 'sending');
CREATE TRIGGER outbox_illegal_step BEFORE UPDATE OF state ON outbox
    WHEN NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES
        ('pending', 'sending'), ('pending', 'dropped'),
        ('sending', 'pending'), ('sending', 'sent'), ('sending', 'unknown'),
        ('sending', 'failed'), ('sending', 'dropped'))
BEGIN
    SELECT RAISE(ABORT, 'illegal step');
END;
"""
