"""`run_bot.py` with the models of a folder, or with an engine that hangs: run as a program."""

import os
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "classifier")]

from conftest import BrightnessEngine, BrightnessGate, make_model  # noqa: E402 - the paths come first

import run_bot  # noqa: E402
from bot import networks  # noqa: E402
from classifier.engines import Output  # noqa: E402
from classifier.labels import FloatArray, Modality  # noqa: E402
from classifier.model import Model, load_installed  # noqa: E402


class Hanging(BrightnessEngine):
    def run(self, inputs: FloatArray) -> Output:
        time.sleep(60)
        return super().run(inputs)


def hanging(url: str = "") -> dict[Modality, Model]:
    model = make_model(Modality.XRAY)
    return {Modality.XRAY: replace(model, engine=Hanging(model.head))}


if __name__ == "__main__":
    folder = os.environ.get("MODELS")
    networks.load_installed = partial(load_installed, Path(folder)) if folder else hanging  # type: ignore[assignment] # a stand-in
    networks.Gate = BrightnessGate  # type: ignore[misc] # a stand-in
    run_bot.app()
