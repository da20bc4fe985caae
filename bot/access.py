"""Roles as filters, used where handlers are registered."""

import asyncio
from typing import Any

from telegram import Update
from telegram.ext import CallbackQueryHandler, filters

from storage import Storage, staff
from storage.staff import Role


class Roles:
    """Who holds which role now: read at the start and after each change."""

    def __init__(self) -> None:
        self._held: frozenset[tuple[int, Role]] = frozenset()
        self._loading = asyncio.Lock()

    async def load(self, storage: Storage) -> None:
        """Read them; to be called whenever they changed."""
        # One after the other: what was read earlier must not replace what was read later.
        async with self._loading:
            members = await storage.read(staff.members)
            self._held = frozenset((member.telegram_id, member.role) for member in members)

    def of(self, telegram_id: int) -> frozenset[Role]:
        """Give the roles somebody holds."""
        return frozenset(role for who, role in self._held if who == telegram_id)


class Holds(filters.UpdateFilter):
    """Lets through what comes from somebody who holds one of the roles now."""

    def __init__(self, roles: Roles, *wanted: Role) -> None:
        super().__init__()
        self._roles = roles
        self._wanted = frozenset(wanted)

    def filter(self, update: Update) -> bool:
        """Look at the sender."""
        user = update.effective_user
        return user is not None and bool(self._roles.of(user.id) & self._wanted)


class StaffTapHandler(CallbackQueryHandler[Any, None]):
    """Takes the taps of a role; from anybody else the button is as good as gone."""

    def __init__(self, holds: Holds, callback: Any, pattern: str) -> None:
        super().__init__(callback, pattern)
        self._holds = holds

    def check_update(self, update: object) -> bool | object | None:
        """Look at the sender and then at the button."""
        if not isinstance(update, Update) or not self._holds.filter(update):
            return None
        return super().check_update(update)
