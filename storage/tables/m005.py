"""Which models run, and what candidates say unseen.

The latest row of `model_choices` for a part and a modality counts; a shadow without a name is none.
Earlier rows are the history and stay. `digest` is the sha256 of the model's card.
"""

M005 = """
CREATE TABLE model_choices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    by_id INTEGER REFERENCES staff (id),
    part TEXT NOT NULL CHECK (part IN ('active', 'shadow')),
    modality TEXT NOT NULL CHECK (modality IN ('xray', 'ct')),
    name TEXT CHECK (length(name) BETWEEN 1 AND 200),
    digest TEXT CHECK (length(digest) = 64 AND digest NOT GLOB '*[^0-9a-f]*'),
    CHECK ((name IS NULL) = (digest IS NULL)),
    CHECK (name IS NOT NULL OR part = 'shadow')
) STRICT;
CREATE INDEX model_choices_part ON model_choices (part, modality, id);
CREATE TRIGGER model_choices_change BEFORE UPDATE ON model_choices
BEGIN
    SELECT RAISE(ABORT, 'what was chosen is not changed');
END;
CREATE TRIGGER model_choices_stay BEFORE DELETE ON model_choices
BEGIN
    SELECT RAISE(ABORT, 'what was chosen is not changed');
END;

CREATE TABLE shadow_findings (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    model TEXT NOT NULL,
    modality TEXT NOT NULL CHECK (modality IN ('xray', 'ct')),
    normal REAL NOT NULL CHECK (normal BETWEEN 0 AND 1),
    bacterial REAL NOT NULL CHECK (bacterial BETWEEN 0 AND 1),
    viral REAL NOT NULL CHECK (viral BETWEEN 0 AND 1),
    label TEXT CHECK (label IN ('normal', 'bacterial', 'viral')),
    doubts TEXT NOT NULL CHECK (json_valid(doubts)),
    seconds REAL NOT NULL CHECK (seconds >= 0),
    made_at INTEGER NOT NULL,
    UNIQUE (case_id, model)
) STRICT;
CREATE INDEX shadow_findings_model ON shadow_findings (model, case_id);
CREATE TRIGGER shadow_findings_of_erased BEFORE INSERT ON shadow_findings
    WHEN (SELECT erased_at FROM cases WHERE id = NEW.case_id) IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'the case is erased');
END;
"""
