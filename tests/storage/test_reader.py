from pathlib import Path
from typing import Any

import pytest

from storage import Storage, people
from storage.errors import ImageKeyWrong, StorageBroken
from storage.reader import Reader


async def test_a_data_dir_in_use_is_read_and_left_as_it_is(
    hands: Any, storage: Storage, folder: Path
) -> None:
    case = await hands.answered(await hands.person())
    image = await hands.image(case)
    reader = Reader.open(folder)
    assert reader.read(lambda tx: tx.value("SELECT number FROM cases")) == case.number
    assert reader.image(image.id) == b"pixels"
    with pytest.raises(StorageBroken):
        reader.read(lambda tx: people.seen(tx, 7, "en"))
    assert await storage.read(people.by_telegram_id, 7) is None


async def test_a_key_that_does_not_open_the_pictures_is_told(
    hands: Any, storage: Storage, folder: Path
) -> None:
    case = await hands.answered(await hands.person())
    await hands.image(case)
    Reader.open(folder).check_key()
    with pytest.raises(ImageKeyWrong):
        Reader(folder, bytes(32)).check_key()


def test_a_data_dir_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageKeyWrong):
        Reader.open(tmp_path)
    assert list(tmp_path.iterdir()) == []
