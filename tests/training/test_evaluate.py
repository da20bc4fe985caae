from pathlib import Path

import numpy as np

from training.evaluate import draw_confusion, draw_reliability
from training.figures import Predictions


def test_the_plots_are_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet((1, 1, 1), 300).astype(np.float32)
    some = Predictions(shares, rng.integers(0, 3, 300), tuple(map(str, range(300))))
    draw_confusion(some, tmp_path / "confusion.png")
    draw_reliability(some, tmp_path / "reliability.png")
    assert all(
        (tmp_path / f"{name}.png").stat().st_size > 3000 for name in ("confusion", "reliability")
    )
