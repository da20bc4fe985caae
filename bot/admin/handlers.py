"""Which of the admin's handlers hears what; everything here asks for the role."""

from collections.abc import Mapping
from typing import Any

from telegram.ext import CommandHandler, filters

from bot.access import Holds, StaffTapHandler
from bot.context import BotApplication, Command
from bot.dialogs import Taker
from storage.staff import Role

PRIVATE = filters.ChatType.PRIVATE

COMMANDS: Mapping[str, Command] = {}
TAPS: Mapping[str, Command] = {}
# What takes the message that answers an open question of a kind.
DIALOGS: Mapping[str, Taker] = {}


def add_handlers(application: BotApplication) -> None:
    """Register what admins may do."""
    holds = Holds(application.services.roles, Role.ADMIN)
    allowed: Any = holds & PRIVATE & filters.UpdateType.MESSAGE
    for name, command in COMMANDS.items():
        application.add_handler(CommandHandler(name, command, allowed))
    for pattern, tap in TAPS.items():
        application.add_handler(StaffTapHandler(holds, tap, pattern))
