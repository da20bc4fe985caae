"""The key under which images are encrypted."""

import base64
import binascii
import os
import secrets
from pathlib import Path

from storage.errors import ImageKeyWrong, typed_file_errors
from storage.sync import sync

KEY_FILE = "image.key"
_BYTES = 32


def load_key(data_dir: Path, given: str | None = None) -> bytes:
    """Give the key of the settings, else that of the data dir, made there if there is none.

    Raises ImageKeyWrong, as `find_key` does.
    """
    key, path = find_key(data_dir, given), data_dir / KEY_FILE
    if key is None:
        return _create(path)
    if not given:
        with typed_file_errors():
            path.chmod(0o600)
    return key


def find_key(data_dir: Path, given: str | None = None) -> bytes | None:
    """Give the key of the settings, else that of the data dir, None if neither has one yet.

    Raises ImageKeyWrong if it is malformed, and if it is missing where images already are: a new
    key would lose them all.
    """
    if given:
        return decode(given)
    path = data_dir / KEY_FILE
    with typed_file_errors():
        if path.exists():
            return decode(path.read_text(encoding="utf-8", errors="replace"))
    if any((data_dir / "images").glob("??/*")):
        raise ImageKeyWrong(f"{KEY_FILE} is missing beside existing images")
    return None


def _create(path: Path) -> bytes:
    key = secrets.token_bytes(_BYTES)
    partial = path.with_suffix(".part")
    with typed_file_errors():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.urlsafe_b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        sync(path.parent)
    return key


def decode(text: str) -> bytes:
    """Read a key; raises ImageKeyWrong."""
    try:
        # Both alphabets of base64 are in use for keys.
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageKeyWrong("not base64 of 32 bytes") from error
    if len(key) != _BYTES:
        raise ImageKeyWrong("not base64 of 32 bytes")
    return key
