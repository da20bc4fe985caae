"""Deep links: t.me addresses that open the bot and name the clinic, or invite to a role."""

from datetime import datetime, timedelta

from telegram.helpers import create_deep_linked_url

from bot.connection import make_bot
from bot.settings import Settings
from storage import Storage, audit, sources, staff
from storage.staff import Role
from storage.transaction import Tx


async def deep_link(settings: Settings, source: str) -> str:
    """Give the link of a source, made if there is none of that name; without one the bare link."""
    username = await _username(settings)
    if not source:
        return create_deep_linked_url(username)
    async with await _storage(settings) as storage:
        found = await storage.write(sources.find_or_make, audit.OPERATOR, source)
    return create_deep_linked_url(username, found.token)


async def invitation_link(settings: Settings, role: Role, name: str) -> tuple[str, datetime]:
    """Invite somebody in the operator's name; gives the link and until when it works."""
    username, length = await _username(settings), timedelta(hours=settings.invitation_hours)

    def invite(tx: Tx) -> tuple[str, datetime]:
        audit.record(tx, audit.OPERATOR, "staff_invited", detail=role)
        return staff.invite(tx, role, name, None, length), tx.time + length

    async with await _storage(settings) as storage:
        token, until = await storage.write(invite)
    return create_deep_linked_url(username, token), until


async def _username(settings: Settings) -> str:
    async with make_bot(settings) as bot:
        return bot.username


async def _storage(settings: Settings) -> Storage:
    return await Storage.open(settings.data_dir, image_key=settings.pictures_key)
