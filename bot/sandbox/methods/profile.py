"""Methods by which a bot tells of itself."""

from bot.sandbox.methods.registry import Method, method
from bot.sandbox.parameters import Params
from bot.sandbox.world import World

_WORDS = {"Name": "name", "Description": "description", "ShortDescription": "short_description"}


@method("getMe")
async def get_me(world: World, params: Params) -> object:
    """Tell who the bot is."""
    return world.bot.as_json() | {
        "can_join_groups": True,
        "can_read_all_group_messages": True,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


@method("logOut", "close")
async def leave(world: World, params: Params) -> object:
    """Say goodbye to this server."""
    world.updates.stop_polls()
    return True


@method("setMyCommands")
async def set_my_commands(world: World, params: Params) -> object:
    """Set the menu of a scope and language."""
    world.profile.set_commands(
        params.records("commands"), params.record("scope"), params.text("language_code")
    )
    return True


@method("getMyCommands")
async def get_my_commands(world: World, params: Params) -> object:
    """Return the menu of a scope and language."""
    return world.profile.get_commands(params.record("scope"), params.text("language_code"))


@method("deleteMyCommands")
async def delete_my_commands(world: World, params: Params) -> object:
    """Remove the menu of a scope and language."""
    world.profile.delete_commands(params.record("scope"), params.text("language_code"))
    return True


def _setter(word: str) -> Method:
    async def set_word(world: World, params: Params) -> object:
        world.profile.set_word(word, params.text(word), params.text("language_code"))
        return True

    return set_word


def _getter(word: str) -> Method:
    async def get_word(world: World, params: Params) -> object:
        text = world.profile.word(word, params.text("language_code"))
        return {word: text or (world.bot.first_name if word == "name" else "")}

    return get_word


for _title, _word in _WORDS.items():
    method(f"setMy{_title}")(_setter(_word))
    method(f"getMy{_title}")(_getter(_word))


@method("setChatMenuButton")
async def set_chat_menu_button(world: World, params: Params) -> object:
    """Choose what the button beside the input field does."""
    button = params.record("menu_button") or {"type": "default"}
    world.profile.menu_buttons[params.integer("chat_id", 0)] = button
    return True


@method("getChatMenuButton")
async def get_chat_menu_button(world: World, params: Params) -> object:
    """Tell what it does."""
    buttons = world.profile.menu_buttons
    return buttons.get(params.integer("chat_id", 0)) or buttons.get(0) or {"type": "commands"}
