"""Announcements: composed, addressed, previewed, sent or scheduled, watched, reported."""
