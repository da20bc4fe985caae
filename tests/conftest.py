from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images, where they are at hand; their tests are skipped elsewhere."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data is not here")
    return SHARED
