"""Where the methods are listed."""

from collections.abc import Awaitable, Callable

from bot.sandbox.parameters import Params
from bot.sandbox.world import World

Method = Callable[[World, Params], Awaitable[object]]

METHODS: dict[str, Method] = {}


def method(*names: str) -> Callable[[Method], Method]:
    """List a function under the Bot API's names for it."""

    def listed(function: Method) -> Method:
        METHODS.update(dict.fromkeys((name.lower() for name in names), function))
        return function

    return listed
