"""Case numbers people read, type and say: short, and not to be guessed."""

import secrets
import unicodedata

# Crockford's base 32: no I, L, O or U (crockford.com/base32.html). Eight signs are 40 bits: with
# 100,000 cases one guess in eleven million hits.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8

_MISREAD = str.maketrans("ILO", "110", "- ")


def new_number() -> str:
    """Draw a number."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def typed(text: str) -> str | None:
    """Read a number as people type it, or None.

    In small letters, with spaces, in the wide signs of a Chinese keyboard, O for 0, I and L for 1.
    """
    number = unicodedata.normalize("NFKC", text).strip().upper().translate(_MISREAD)
    fits = len(number) == LENGTH and all(sign in ALPHABET for sign in number)
    return number if fits else None
