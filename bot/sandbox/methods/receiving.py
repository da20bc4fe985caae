"""Methods that bring updates and files to the bot."""

import asyncio
from pathlib import Path

from bot.sandbox.errors import Json, bad_request
from bot.sandbox.files import LARGEST_DOWNLOAD
from bot.sandbox.methods.registry import method
from bot.sandbox.parameters import Params, checked_list
from bot.sandbox.updates import MOST_UPDATES
from bot.sandbox.world import World


@method("getUpdates")
async def get_updates(world: World, params: Params) -> object:
    """Wait for updates."""
    world.updates.allow(_kinds(params))
    return await world.updates.poll(
        params.integer("offset", 0),
        min(max(params.integer("limit", MOST_UPDATES), 1), MOST_UPDATES),
        params.integer("timeout", 0),
    )


def _kinds(params: Params) -> list[str] | None:
    given = params.parsed("allowed_updates")
    return None if given is None else checked_list(given, str, "allowed_updates")


@method("setWebhook")
async def set_webhook(world: World, params: Params) -> object:
    """Have updates delivered."""
    await world.webhook.set(
        params.text("url"), params.text("secret_token"), params.integer("max_connections", 40)
    )
    world.updates.allow(_kinds(params))
    if params.flag("drop_pending_updates"):
        world.updates.drop()
    return True


@method("deleteWebhook")
async def delete_webhook(world: World, params: Params) -> object:
    """Have updates wait for getUpdates."""
    await world.webhook.set("", "", 0)
    if params.flag("drop_pending_updates"):
        world.updates.drop()
    return True


@method("getWebhookInfo")
async def get_webhook_info(world: World, params: Params) -> object:
    """Tell where updates go and what went wrong last."""
    return world.webhook.info()


@method("getFile")
async def get_file(world: World, params: Params) -> object:
    """Prepare a file for download."""
    file = world.files.find(params.text("file_id"))
    if file is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    content = await asyncio.to_thread(world.files.content, file)
    if len(content) > LARGEST_DOWNLOAD and world.local_files is None:
        raise bad_request("file is too big")
    path = world.files.publish(file)
    if world.local_files is not None:
        path = await asyncio.to_thread(_lay_down, world.local_files / path, content)
    answer: Json = {
        "file_id": file.file_id,
        "file_unique_id": file.unique_id,
        "file_size": len(content),
        "file_path": path,
    }
    return answer


def _lay_down(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path.resolve())
