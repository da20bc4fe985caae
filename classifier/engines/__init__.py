"""What runs a network, behind one protocol: in this process or on another machine."""

from dataclasses import dataclass
from typing import Protocol

from classifier.labels import FloatArray


@dataclass(frozen=True, slots=True)
class Output:
    """`logits` (n, 3) and the last `features` (n, h, w, channels), both float32."""

    logits: FloatArray
    features: FloatArray


class EngineDown(Exception):
    """The engine gives no answer now; trying again later can help."""


class Engine(Protocol):
    """Runs the network; safe to call from several threads."""

    def run(self, inputs: FloatArray) -> Output:
        """Take (n, size, size, 1) float32 in [0, 1]."""
        ...
