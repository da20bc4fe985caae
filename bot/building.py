"""Files made when their turn comes: an outbox row names one, and holds no bytes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.context import Services
from storage.outbox import OutRow


@dataclass(frozen=True, slots=True)
class Built:
    """A file to be sent, and the name it gets in the chat."""

    content: bytes
    name: str


# None if what the row asks for is there no more, or not for this chat.
Builder = Callable[[Services, OutRow], Awaitable[Built | None]]
