"""Draw the README's picture: `python docs/phantom.py`, a drawn chest through the whole program.

The drawing itself is kept too, for who has no X-ray at hand.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

HERE = Path(__file__).parent


def chest(size: int = 1000) -> Image.Image:
    """Draw a body, two lungs, a spine, a heart, ribs, and a shadow in the right lower lung."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]

    def disc(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
        return np.clip((1 - ((x - cx) / rx) ** 2 - ((y - cy) / ry) ** 2) * 3, 0, 1)

    lungs = np.maximum(disc(-0.4, -0.05, 0.3, 0.62), disc(0.42, -0.05, 0.28, 0.62))
    grey = 0.6 * disc(0, 0.15, 0.95, 1.3) - 0.42 * lungs
    grey += 0.16 * np.exp(-((x / 0.07) ** 2)) + 0.3 * disc(0.14, 0.25, 0.26, 0.33) * lungs
    for rib in range(9):
        arch = y + 0.75 - 0.16 * rib - 0.25 * (np.abs(x) - 0.4) ** 2 + 0.12 * np.abs(x)
        grey += 0.07 * np.exp(-((arch / 0.022) ** 2)) * (np.abs(x) < 0.8)
    grey += 0.22 * np.exp(-(((x + 0.42) / 0.16) ** 2) - ((y - 0.28) / 0.16) ** 2)
    grey += np.random.default_rng(0).normal(0, 0.012, grey.shape)
    picture = Image.fromarray((grey.clip(0, 1) * 255).astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(2))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        drawn = Path(scratch) / "answer.jpg"
        chest().save(drawn, quality=85)
        shutil.copy(drawn, HERE / "phantom.jpg")
        program = HERE.parent / "run_bot.py"
        subprocess.run([sys.executable, program, "classify", drawn, "--out", HERE], check=True)
