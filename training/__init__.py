"""A labelled folder, or the doctors' corrections, in; a better model out."""
