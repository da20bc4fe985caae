"""The pixels kept for review: re-encoded by the caller, encrypted at rest, erased with their case.

Each image is a file of its own and not a blob in the database: the database stays small, its
backups are quick and hold no picture, and erasing an image erases its only copy. A file is written
before its row and deleted after it, so that a crash leaves at most a file nobody knows of, which
`sweep` removes. Its name is opaque; its content is AES-GCM with the name as associated data, so
that one image cannot stand in for another. Plaintext never touches the disk.
"""

import asyncio
import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.cases import present
from storage.clock import from_stored
from storage.database import Database
from storage.errors import (
    ImageDamaged,
    ImageGone,
    ImageKeyWrong,
    StorageError,
    typed_file_errors,
)
from storage.sync import sync
from storage.transaction import Row, Tx

_MAGIC = b"IMG1"
_KEY_ID = 8
_NONCE = 12
_HEAD = len(_MAGIC) + _KEY_ID + _NONCE
_TAG = 16
# Where a copy of the database was restored, files of the newest rows may have been erased since.
_TRIED = 100
# A bad sector, or rights: of one file, while the others can be read.
_UNREADABLE = (errno.EIO, errno.EACCES, errno.EPERM)


class ImageKind(StrEnum):
    """What a picture shows: the scan, a slice that decided, or the annotated answer."""

    SCAN = "scan"
    SLICE = "slice"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Image:
    """A row of `images`; `size` is that of the picture in bytes."""

    id: str
    case_id: int
    kind: ImageKind
    media_type: str
    size: int
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted file that has no row yet."""

    id: str
    size: int


def attach(
    tx: Tx, sealed: Sealed, case_id: int, kind: ImageKind, media_type: str = "image/png"
) -> Image:
    """Make a sealed file the image of a case; raises CaseGone if that was erased."""
    present(tx, case_id)
    tx.insert(
        "images",
        id=sealed.id,
        case_id=case_id,
        kind=kind,
        media_type=media_type,
        size=sealed.size,
        added_at=tx.time,
    )
    return Image(sealed.id, case_id, kind, media_type, sealed.size, tx.time)


def get(tx: Tx, image_id: str) -> Image:
    """Give an image's row; raises ImageGone."""
    row = tx.row("SELECT * FROM images WHERE id = :id", id=image_id)
    if row is None:
        raise ImageGone
    return _image(row)


def of_case(tx: Tx, case_id: int, kind: ImageKind | None = None) -> list[Image]:
    """Give the images of a case in the order they were added."""
    sql = """SELECT * FROM images WHERE case_id = :case AND (:kind IS NULL OR kind = :kind)
             ORDER BY rowid"""
    return [_image(row) for row in tx.rows(sql, case=case_id, kind=kind)]


def _image(row: Row) -> Image:
    return Image(
        **{**row, "kind": ImageKind(row["kind"]), "added_at": from_stored(row["added_at"])}
    )


class Images:
    """The encrypted files."""

    def __init__(self, database: Database, folder: Path, key: bytes) -> None:
        """Keep the files in `folder`, under `key` (32 bytes)."""
        self._database = database
        self._folder = folder
        self._key = key

    async def seal(self, data: bytes) -> Sealed:
        """Encrypt and write an image, for an `attach` in a transaction with other things."""
        return await asyncio.to_thread(self._seal, data)

    async def load(self, image_id: str) -> bytes:
        """Decrypt an image; raises ImageGone, ImageKeyWrong or ImageDamaged."""
        await self._database.read(get, image_id)
        return await asyncio.to_thread(open_image, self._folder, image_id, self._key)

    async def check_key(self) -> None:
        """Look whether the key opens what is kept; raises ImageKeyWrong."""
        await self._database.read(check_key, self._folder, self._key)

    def opens(self, image_id: str) -> bool:
        """Tell whether an image can be decrypted; for use inside a transaction."""
        try:
            open_image(self._folder, image_id, self._key)
        except StorageError:
            return False
        return True

    async def unlink(self, image_ids: Iterable[str]) -> None:
        """Delete the files of images whose rows are gone."""
        await asyncio.to_thread(self._unlink, list(image_ids))

    async def sweep(self, older_than: timedelta = timedelta(hours=1)) -> int:
        """Delete files without a row that a crash left, but none just being written."""
        known = await self._database.read(
            lambda tx: {row["id"] for row in tx.rows("SELECT id FROM images")}
        )
        return await asyncio.to_thread(self._sweep, known, older_than)

    def _seal(self, data: bytes) -> Sealed:
        image_id = secrets.token_hex(16)
        nonce = secrets.token_bytes(_NONCE)
        head = _MAGIC + _key_id(self._key) + nonce
        secret = AESGCM(self._key).encrypt(nonce, data, head + image_id.encode())
        path = _path(self._folder, image_id)
        partial = path.with_suffix(".part")
        with typed_file_errors():
            is_new = not path.parent.exists()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                with os.fdopen(handle, "wb") as file:
                    file.write(head + secret)
                    file.flush()
                    os.fsync(file.fileno())
                partial.rename(path)
                # The row that names the file is to outlive a power cut; so must the name.
                for folder in (path.parent, self._folder) if is_new else (path.parent,):
                    sync(folder)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        return Sealed(image_id, len(data))

    def _unlink(self, image_ids: list[str]) -> None:
        with typed_file_errors():
            for image_id in image_ids:
                _path(self._folder, image_id).unlink(missing_ok=True)

    def _sweep(self, known: set[str], older_than: timedelta) -> int:
        now, count = time.time(), 0
        for path in self._folder.glob("??/*"):
            # It may be deleted or renamed just now.
            with suppress(FileNotFoundError):
                # Of the future is what a clock that ran ahead has dated.
                age = abs(now - path.stat().st_mtime)
                if path.name not in known and age > older_than.total_seconds():
                    path.unlink()
                    count += 1
        return count


def open_image(folder: Path, image_id: str, key: bytes) -> bytes:
    """Decrypt a file of the folder; raises ImageGone, ImageKeyWrong or ImageDamaged."""
    with typed_file_errors():
        try:
            raw = _path(folder, image_id).read_bytes()
        except FileNotFoundError as error:
            raise ImageGone from error
        except OSError as error:
            if error.errno in _UNREADABLE:
                raise ImageDamaged(error.strerror) from error
            raise
    if len(raw) < _HEAD + _TAG or not raw.startswith(_MAGIC):
        raise ImageDamaged("not an image of ours")
    head, secret = raw[:_HEAD], raw[_HEAD:]
    if head[len(_MAGIC) : len(_MAGIC) + _KEY_ID] != _key_id(key):
        raise ImageKeyWrong("encrypted under another key")
    try:
        return AESGCM(key).decrypt(head[-_NONCE:], secret, head + image_id.encode())
    except InvalidTag as error:
        raise ImageDamaged("altered or swapped") from error


def check_key(tx: Tx, folder: Path, key: bytes) -> None:
    """Look whether a key opens the newest image that can be opened; raises ImageKeyWrong."""
    for row in tx.rows("SELECT id FROM images ORDER BY rowid DESC LIMIT :most", most=_TRIED):
        with suppress(ImageGone, ImageDamaged):
            open_image(folder, row["id"], key)
            return


def _key_id(key: bytes) -> bytes:
    """Tell a wrong key from a damaged file, and nothing of the key."""
    return hashlib.sha256(b"image key id" + key).digest()[:_KEY_ID]


def _path(folder: Path, image_id: str) -> Path:
    return folder / image_id[:2] / image_id
