"""A clock that can be moved."""

import time


class Clock:
    """The world's time: the machine's, moved by what a test asked for."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._ahead += seconds

    def reset(self) -> None:
        """Show the machine's time again."""
        self._ahead = 0.0
