"""Methods about chats and their members."""

from bot.sandbox.errors import Json, bad_request
from bot.sandbox.messages import Chat
from bot.sandbox.methods.registry import method
from bot.sandbox.parameters import Params
from bot.sandbox.world import World

_GIFTS = dict.fromkeys(
    (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    ),
    False,
)


def _chat(world: World, params: Params) -> Chat:
    """Return a chat the bot knows; being blocked does not hide it."""
    chat = world.chats.get(params.chat_id())
    if chat is None or (chat.user is not None and not chat.user.started):
        raise bad_request("chat not found")
    return chat


@method("getChat")
async def get_chat(world: World, params: Params) -> object:
    """Tell about a chat."""
    more: Json = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _GIFTS}
    return _chat(world, params).as_json() | more


@method("getChatMember")
async def get_chat_member(world: World, params: Params) -> object:
    """Tell about one person in a chat."""
    chat = _chat(world, params)
    number = params.integer("user_id")
    if number == world.bot.id:
        return {"user": world.bot.as_json(), "status": "member" if chat.has_bot else "left"}
    user = chat.user if chat.user and chat.user.id == number else chat.members.get(number)
    if user is None:
        raise bad_request("member not found")
    return {"user": user.as_json(), "status": "member"}


@method("getChatMemberCount")
async def get_chat_member_count(world: World, params: Params) -> object:
    """Count the people and the bot in a chat."""
    chat = _chat(world, params)
    return 2 if chat.user else len(chat.members) + chat.has_bot


@method("leaveChat")
async def leave_chat(world: World, params: Params) -> object:
    """Go out of a group."""
    chat = world.chat_for_bot(params.chat_id())
    if chat.user is not None:
        raise bad_request("chat member status can't be changed in private chats")
    chat.has_bot = False
    world.change_membership(chat, world.bot, was="member", now="left")
    return True
