"""What a recipe may set; each default is the plain choice."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import keras

from training.augment import Augment


class Start(StrEnum):
    """Where the weights come from."""

    SCRATCH = "scratch"
    FOLDED_RESNET18 = "folded-resnet18"
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """So many epochs at one size (pixels of a side)."""

    size: int
    epochs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one network is trained."""

    name: str
    phases: tuple[Phase, ...]
    optimizer: Callable[[float], keras.optimizers.Optimizer]
    learning_rate: float
    batch: int
    start: Start = Start.SCRATCH
    warmup_epochs: float = 0.0
    decay_epochs: float = 0.0
    patience: int | None = None
    augment: Augment | None = None
    balance: bool = False
    # Whether bacterial pictures that give their kind away are drawn as often as the others.
    even: bool = False
    label_smoothing: float = 0.0
    flips: float = 0.0
    ema: float | None = None
    dropout: float = 0.3

    @property
    def epochs(self) -> int:
        """Count the epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)

    def phase_at(self, epoch: int) -> Phase:
        """Find the phase that holds an epoch (counted from 0); raises IndexError past the last."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase
            epoch -= phase.epochs
        raise IndexError("no such epoch")


def load(name: str) -> Recipe:
    """Load `recipes/<name>` (or `<name>`); raises ValueError if there is none."""
    stem = name.removeprefix("recipes/")
    try:
        recipe = importlib.import_module(f"training.recipes.{stem}").RECIPE
    except ModuleNotFoundError as error:
        raise ValueError(f"no recipe {name!r}") from error
    assert isinstance(recipe, Recipe)
    return recipe
