"""People, sources, updates, cases, images, outbox, audit."""

M001 = """
CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE
        CHECK (length(token) BETWEEN 1 AND 64 AND token NOT GLOB '*[^A-Za-z0-9_-]*'),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;

CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    telegram_id INTEGER NOT NULL UNIQUE,
    language_code TEXT,
    language TEXT,
    source_id INTEGER REFERENCES sources (id),
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    blocked_at INTEGER
) STRICT;
CREATE INDEX people_source ON people (source_id);

CREATE TABLE consents (
    id INTEGER PRIMARY KEY,
    person_id INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    version TEXT NOT NULL,
    given_at INTEGER NOT NULL,
    UNIQUE (person_id, version)
) STRICT;

CREATE TABLE updates (
    update_id INTEGER PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX updates_seen ON updates (seen_at);

CREATE TABLE cases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL UNIQUE
        CHECK (length(number) = 8 AND number NOT GLOB '*[^0-9ABCDEFGHJKMNPQRSTVWXYZ]*'),
    person_id INTEGER REFERENCES people (id),
    source_id INTEGER REFERENCES sources (id),
    state TEXT NOT NULL DEFAULT 'received' CHECK (state IN (
        'received', 'read', 'classified', 'answered', 'under_review', 'reviewed',
        'refused', 'failed', 'withdrawn')),
    reason TEXT CHECK ((reason IS NOT NULL) = (state IN ('refused', 'failed'))),
    note TEXT,
    album TEXT,
    content TEXT CHECK (length(content) = 64 AND content NOT GLOB '*[^0-9a-f]*'),
    duplicate_of INTEGER REFERENCES cases (id),
    received_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_try_at INTEGER NOT NULL,
    lease_worker TEXT,
    lease_until_at INTEGER,
    doctor_asked_at INTEGER,
    erased_at INTEGER,
    erased_why TEXT CHECK (erased_why IN ('asked', 'forgotten', 'retention')),
    CHECK ((lease_worker IS NULL) = (lease_until_at IS NULL)),
    CHECK (lease_worker IS NULL
        OR state IN ('received', 'read', 'classified', 'under_review')),
    CHECK ((erased_at IS NULL) = (erased_why IS NULL)),
    CHECK (erased_at IS NULL OR (note IS NULL AND content IS NULL)),
    CHECK (duplicate_of IS NULL OR state = 'refused')
) STRICT;
CREATE INDEX cases_person ON cases (person_id, id);
CREATE INDEX cases_unfinished ON cases (person_id, id)
    WHERE state IN ('received', 'read', 'classified');
CREATE INDEX cases_kept ON cases (received_at) WHERE erased_at IS NULL;
CREATE INDEX cases_content ON cases (person_id, content) WHERE content IS NOT NULL;
CREATE INDEX cases_duplicate ON cases (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX cases_source ON cases (source_id);
CREATE UNIQUE INDEX cases_open_album ON cases (person_id, album)
    WHERE album IS NOT NULL AND attempts = 0 AND state = 'received';

CREATE TABLE case_events (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    at INTEGER NOT NULL,
    step TEXT NOT NULL CHECK (step IN (
        'received', 'read', 'classified', 'answered', 'under_review', 'reviewed',
        'refused', 'failed', 'withdrawn', 'retried', 'doctor_asked', 'erased')),
    detail TEXT
) STRICT;
CREATE INDEX case_events_case ON case_events (case_id, id);

CREATE TRIGGER cases_begin BEFORE INSERT ON cases WHEN NEW.state <> 'received'
BEGIN
    SELECT RAISE(ABORT, 'a case begins as received');
END;
CREATE TRIGGER cases_begun AFTER INSERT ON cases
BEGIN
    INSERT INTO case_events (case_id, at, step) VALUES (NEW.id, NEW.changed_at, NEW.state);
END;
CREATE TRIGGER cases_illegal_step BEFORE UPDATE OF state ON cases
    WHEN NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES
        ('received', 'read'),
        ('received', 'refused'), ('received', 'failed'), ('received', 'withdrawn'),
        ('read', 'classified'),
        ('read', 'refused'), ('read', 'failed'), ('read', 'withdrawn'),
        ('classified', 'answered'),
        ('classified', 'failed'), ('classified', 'withdrawn'),
        ('answered', 'under_review'),
        ('under_review', 'answered'), ('under_review', 'reviewed'))
BEGIN
    SELECT RAISE(ABORT, 'illegal step');
END;
CREATE TRIGGER cases_step AFTER UPDATE OF state ON cases WHEN NEW.state <> OLD.state
BEGIN
    INSERT INTO case_events (case_id, at, step, detail)
    VALUES (NEW.id, NEW.changed_at, NEW.state, NEW.reason);
END;
CREATE TRIGGER cases_stay BEFORE DELETE ON cases
BEGIN
    SELECT RAISE(ABORT, 'cases are erased, not deleted');
END;
CREATE TRIGGER case_events_change BEFORE UPDATE ON case_events
BEGIN
    SELECT RAISE(ABORT, 'what happened is not changed');
END;
CREATE TRIGGER case_events_stay BEFORE DELETE ON case_events
BEGIN
    SELECT RAISE(ABORT, 'what happened is not changed');
END;

CREATE TABLE scans (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    message_id INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('photo', 'document')),
    file_id TEXT NOT NULL,
    unique_id TEXT NOT NULL,
    size INTEGER CHECK (size >= 0),
    UNIQUE (case_id, message_id)
) STRICT;
CREATE TRIGGER scans_of_erased BEFORE INSERT ON scans
    WHEN (SELECT erased_at FROM cases WHERE id = NEW.case_id) IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'the case is erased');
END;

CREATE TABLE findings (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    model TEXT NOT NULL,
    modality TEXT NOT NULL CHECK (modality IN ('xray', 'ct')),
    normal REAL NOT NULL CHECK (normal BETWEEN 0 AND 1),
    bacterial REAL NOT NULL CHECK (bacterial BETWEEN 0 AND 1),
    viral REAL NOT NULL CHECK (viral BETWEEN 0 AND 1),
    label TEXT CHECK (label IN ('normal', 'bacterial', 'viral')),
    doubts TEXT NOT NULL CHECK (json_valid(doubts)),
    slices INTEGER NOT NULL CHECK (slices >= 1),
    seconds REAL NOT NULL CHECK (seconds >= 0),
    saliency BLOB,
    saliency_rows INTEGER,
    saliency_columns INTEGER,
    made_at INTEGER NOT NULL,
    UNIQUE (case_id, model),
    CHECK ((saliency IS NULL) = (saliency_rows IS NULL)),
    CHECK (saliency IS NULL OR length(saliency) = 4 * saliency_rows * saliency_columns)
) STRICT;
CREATE TRIGGER findings_of_erased BEFORE INSERT ON findings
    WHEN (SELECT erased_at FROM cases WHERE id = NEW.case_id) IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'the case is erased');
END;

CREATE TABLE images (
    id TEXT PRIMARY KEY CHECK (length(id) = 32 AND id NOT GLOB '*[^0-9a-f]*'),
    case_id INTEGER NOT NULL REFERENCES cases (id),
    kind TEXT NOT NULL CHECK (kind IN ('scan', 'slice', 'report')),
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    added_at INTEGER NOT NULL
) STRICT;
CREATE INDEX images_case ON images (case_id);
CREATE TRIGGER images_of_erased BEFORE INSERT ON images
    WHEN (SELECT erased_at FROM cases WHERE id = NEW.case_id) IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'the case is erased');
END;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    chat_id INTEGER NOT NULL,
    case_id INTEGER REFERENCES cases (id),
    kind TEXT NOT NULL CHECK (kind IN ('message', 'photo', 'document', 'edit', 'delete')),
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

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    case_id INTEGER,
    detail TEXT
) STRICT;
CREATE INDEX audit_case ON audit (case_id) WHERE case_id IS NOT NULL;
CREATE TRIGGER audit_change BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is not changed');
END;
CREATE TRIGGER audit_stay BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is not changed');
END;
"""
