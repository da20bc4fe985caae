"""A data dir looked at from outside, while the bot may be using it; nothing in it is changed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from storage.database import look
from storage.errors import ImageKeyWrong
from storage.images import check_key, open_image
from storage.keys import find_key
from storage.store import DATABASE, IMAGES
from storage.transaction import Tx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """Database and images of one data dir."""

    data_dir: Path
    key: bytes

    @classmethod
    def open(cls, data_dir: Path, image_key: str | None = None) -> Self:
        """Find the key of the images; raises ImageKeyWrong if there is none."""
        key = find_key(data_dir, image_key)
        if key is None:
            raise ImageKeyWrong("there is no key in the data dir, and none is given")
        return cls(data_dir, key)

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work(tx)` on one unchanging view of the database; raises StorageError."""
        return look(self.data_dir / DATABASE, work)

    def check_key(self) -> None:
        """Look whether the key opens what is kept; raises ImageKeyWrong."""
        self.read(lambda tx: check_key(tx, self.data_dir / IMAGES, self.key))

    def image(self, image_id: str) -> bytes:
        """Decrypt an image; raises ImageGone, ImageKeyWrong or ImageDamaged."""
        return open_image(self.data_dir / IMAGES, image_id, self.key)
