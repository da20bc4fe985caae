import asyncio
from pathlib import Path

import pytest

from storage.database import Database
from storage.store import DATABASE

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images, where they are at hand; their tests are skipped elsewhere."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data is not here")
    return SHARED


@pytest.fixture(scope="session")
def empty_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without a row, to copy: to make its tables takes longer than most tests."""
    folder = tmp_path_factory.mktemp("empty")

    async def make() -> None:
        async with await Database.open(folder / DATABASE):
            pass

    asyncio.run(make())
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: side by side, the last to be done is then short.

    The first tests also stay together, so that the network their module trains is trained once.
    """
    items.sort(key=lambda item: "training" not in item.path.parts)
