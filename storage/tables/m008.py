"""That a picture surely looks like pneumonia though no kind of it is named."""

M008 = """
ALTER TABLE findings ADD COLUMN is_pneumonia INTEGER NOT NULL DEFAULT 0
    CHECK (is_pneumonia IN (0, 1) AND (label IS NULL OR NOT is_pneumonia));
DROP INDEX findings_made;
CREATE INDEX findings_made ON findings (made_at, label, is_pneumonia);
"""
