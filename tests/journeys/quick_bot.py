"""`run_bot.py` with a stand-in model that judges by brightness: run as a program."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "classifier")]

from conftest import BrightnessGate, make_model  # noqa: E402 - the paths come first

import run_bot  # noqa: E402
from bot import networks, worker  # noqa: E402
from classifier.labels import Modality  # noqa: E402

if __name__ == "__main__":
    # It is killed on purpose, and oftener than a case may take its process down.
    worker.GIVE_UP_AFTER = 100
    networks.load_installed = lambda url="": {Modality.XRAY: make_model(Modality.XRAY)}  # type: ignore[assignment] # a stand-in
    networks.Gate = BrightnessGate  # type: ignore[misc] # a stand-in
    run_bot.app()
