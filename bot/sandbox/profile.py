"""What a bot says of itself: names, descriptions and menus of commands."""

import re
from dataclasses import dataclass, field

from bot.sandbox.errors import Json, bad_request
from bot.sandbox.parameters import Params

MOST_COMMANDS = 100
LONGEST = {"name": 64, "description": 512, "short_description": 120}
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_SCOPES = {
    "default": (),
    "all_private_chats": (),
    "all_group_chats": (),
    "all_chat_administrators": (),
    "chat": ("chat_id",),
    "chat_administrators": ("chat_id",),
    "chat_member": ("chat_id", "user_id"),
}


@dataclass(slots=True)
class Profile:
    """Commands by scope and language; words by kind and language."""

    commands: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    words: dict[tuple[str, str], str] = field(default_factory=dict)
    menu_buttons: dict[int, Json] = field(default_factory=dict)

    def set_commands(self, commands: list[Json], scope: Json | None, language: str) -> None:
        """Keep a menu; each command is checked as Telegram does."""
        if len(commands) > MOST_COMMANDS:
            raise bad_request("BOT_COMMANDS_TOO_MUCH")
        for command in commands:
            if not _COMMAND.fullmatch(str(command.get("command", "")).removeprefix("/")):
                raise bad_request("BOT_COMMAND_INVALID")
            if not 1 <= len(str(command.get("description", ""))) <= 256:
                raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[_scope_key(scope), language] = [
            {"command": str(c["command"]).removeprefix("/"), "description": str(c["description"])}
            for c in commands
        ]

    def get_commands(self, scope: Json | None, language: str) -> list[Json]:
        """Return exactly what was set there."""
        return self.commands.get((_scope_key(scope), language), [])

    def delete_commands(self, scope: Json | None, language: str) -> None:
        """Forget a menu."""
        self.commands.pop((_scope_key(scope), language), None)

    def menu(self, chat_id: int, user_id: int, language: str) -> list[Json]:
        """Return what a person sees in a chat: the narrowest scope, first in their language."""
        if chat_id > 0:
            scopes = [f"chat {chat_id}", "all_private_chats", "default"]
        else:
            scopes = [f"chat_member {chat_id} {user_id}", f"chat {chat_id}"]
            scopes += ["all_group_chats", "default"]
        for scope in scopes:
            for spoken in dict.fromkeys((language.split("-")[0], "")):
                if (scope, spoken) in self.commands:
                    return self.commands[scope, spoken]
        return []

    def set_word(self, kind: str, text: str, language: str) -> None:
        """Keep a name or description; an empty one is forgotten."""
        if len(text) > LONGEST[kind]:
            raise bad_request(f"{kind.upper()}_TOO_LONG")
        self.words[kind, language] = text
        if not text:
            del self.words[kind, language]

    def word(self, kind: str, language: str) -> str:
        """Return it in a language, or as set for all."""
        return self.words.get((kind, language.split("-")[0])) or self.words.get((kind, ""), "")


def _scope_key(scope: Json | None) -> str:
    given = Params(scope or {})
    kind = given.text("type", "default")
    if kind not in _SCOPES:
        raise bad_request("can't parse BotCommandScope: Unsupported type specified")
    return " ".join([kind, *(str(given.integer(name)) for name in _SCOPES[kind])])
