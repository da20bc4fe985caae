"""Files as Telegram keeps them: ids that behave, photos re-encoded when somebody looks."""

import base64
import hashlib
import io
import itertools
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from PIL import Image, ImageOps, UnidentifiedImageError

from bot.sandbox.errors import Json, bad_request

MEGABYTE = 1 << 20
LARGEST_DOWNLOAD = 20 * MEGABYTE
LARGEST_PHOTO = 10 * MEGABYTE
LARGEST_UPLOAD = 50 * MEGABYTE
LARGEST_SIDES = 10_000
LARGEST_RATIO = 20
# The long sides Telegram makes of a photo, as far as they are smaller than the original.
PHOTO_SIDES = (90, 320, 800, 1280)
JPEG_QUALITY = 87
_EXIF_ORIENTATION = 274
_TURNED = {5, 6, 7, 8}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file or one size of a photo (`side` > 0), and what the Bot API tells of it."""

    file_id: str
    unique_id: str
    digest: str
    size: int = 0
    name: str = ""
    mime: str = ""
    side: int = 0
    width: int = 0
    height: int = 0

    def as_json(self) -> Json:
        """Return a PhotoSize or a Document."""
        body: Json = {"file_id": self.file_id, "file_unique_id": self.unique_id}
        if self.side:
            return body | {"width": self.width, "height": self.height}
        return body | {"file_name": self.name, "mime_type": self.mime, "file_size": self.size}


class Files:
    """Contents by digest; beyond `room` bytes the longest unread are forgotten."""

    def __init__(self, room: int = 1 << 30) -> None:
        self._room = room
        self._held = 0
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._by_id: dict[str, StoredFile] = {}
        self._by_path: dict[str, StoredFile] = {}
        self._paths: dict[str, str] = {}
        self._photos: dict[str, tuple[StoredFile, ...]] = {}
        self._serial = itertools.count(1)

    def add_document(self, content: bytes, name: str, mime: str) -> StoredFile:
        """Keep a file as it is."""
        digest = self._keep(content)
        file = StoredFile("", "", digest, len(content), PurePosixPath(name).name or "file", mime)
        return self._register("BQAC", file)

    def add_photo(self, content: bytes, *, from_bot: bool) -> tuple[StoredFile, ...]:
        """Keep a picture in the sizes Telegram makes of it, smallest first."""
        width, height = _dimensions(content)
        too_large = from_bot and width + height > LARGEST_SIDES
        if too_large or max(width, height) > LARGEST_RATIO * min(width, height):
            raise bad_request("PHOTO_INVALID_DIMENSIONS")
        digest, long = self._keep(content), max(width, height)
        largest = min(long, PHOTO_SIDES[-1])
        sides = [side for side in PHOTO_SIDES if side < largest] + [largest]
        self._photos[digest] = tuple(
            self._register(
                "AgAC",
                StoredFile(
                    file_id="",
                    unique_id="",
                    digest=digest,
                    mime="image/jpeg",
                    side=side,
                    width=max(1, round(width * side / long)),
                    height=max(1, round(height * side / long)),
                ),
            )
            for side in sides
        )
        return self._photos[digest]

    def find(self, file_id: str) -> StoredFile | None:
        """Return the file of an id, if there is one."""
        return self._by_id.get(file_id)

    def same_photo(self, file: StoredFile) -> tuple[StoredFile, ...]:
        """Return all sizes of the photo that this is one of."""
        return self._photos[file.digest]

    def publish(self, file: StoredFile) -> str:
        """Give the file a path to download it from."""
        if file.file_id not in self._paths:
            folder, suffix = ("photos", ".jpg") if file.side else ("documents", _suffix(file.name))
            path = f"{folder}/file_{next(self._serial)}{suffix}"
            self._paths[file.file_id] = path
            self._by_path[path] = file
        return self._paths[file.file_id]

    def at(self, path: str) -> StoredFile | None:
        """Return what is published there."""
        return self._by_path.get(path)

    def content(self, file: StoredFile) -> bytes:
        """Return the bytes; a photo is encoded the first time, so do not call it in the loop."""
        key = f"{file.digest}-{file.side}" if file.side else file.digest
        if key in self._contents:
            self._contents.move_to_end(key)
            return self._contents[key]
        original = self._contents.get(file.digest)
        if original is None:
            raise bad_request("wrong file_id or the file is temporarily unavailable")
        return self._put(key, _encode(original, file))

    def _register(self, prefix: str, file: StoredFile) -> StoredFile:
        named = f"{prefix}{file.digest}{file.side}".encode()
        unique = base64.urlsafe_b64encode(hashlib.sha256(named).digest()[:12]).decode()
        file = replace(file, file_id=f"{prefix}{unique}{next(self._serial):08d}", unique_id=unique)
        self._by_id[file.file_id] = file
        return file

    def _keep(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self._put(digest, content)
        return digest

    def _put(self, key: str, content: bytes) -> bytes:
        if key not in self._contents:
            self._contents[key] = content
            self._held += len(content)
            while self._held > self._room and len(self._contents) > 1:
                self._held -= len(self._contents.popitem(last=False)[1])
        return content


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return suffix if suffix[1:].isalnum() and suffix.isascii() else ""


def _dimensions(content: bytes) -> tuple[int, int]:
    """Return width and height as shown, from the header alone."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            turned = image.getexif().get(_EXIF_ORIENTATION) in _TURNED
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise bad_request("IMAGE_PROCESS_FAILED") from None
    except Image.DecompressionBombError:
        raise bad_request("PHOTO_INVALID_DIMENSIONS") from None
    return (height, width) if turned else (width, height)


def _encode(original: bytes, file: StoredFile) -> bytes:
    try:
        with Image.open(io.BytesIO(original)) as opened:
            opened.draft("RGB", (file.width, file.height))
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError):
        raise bad_request("IMAGE_PROCESS_FAILED") from None
    image = image.resize((file.width, file.height), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
