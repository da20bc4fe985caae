"""Deep links: t.me addresses that open the bot and name the clinic."""

from telegram.helpers import create_deep_linked_url

from bot.application import make_bot
from bot.settings import Settings
from storage import Storage, sources
from storage.sources import Source
from storage.transaction import Tx


async def deep_link(settings: Settings, source: str) -> str:
    """Give the link of a source, made if there is none of that name; without one the bare link."""
    async with make_bot(settings) as bot:
        username = bot.username
    if not source:
        return create_deep_linked_url(username)
    key = settings.image_key.get_secret_value() if settings.image_key else None
    async with await Storage.open(settings.data_dir, image_key=key) as storage:
        found = await storage.write(_find_or_make, source)
    return create_deep_linked_url(username, found.token)


def _find_or_make(tx: Tx, name: str) -> Source:
    return sources.by_name(tx, name) or sources.create(tx, name)
