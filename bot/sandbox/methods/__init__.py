"""The methods of the Bot API; importing a module lists its methods."""

from bot.sandbox.methods import chats, editing, profile, receiving, sending
from bot.sandbox.methods.registry import METHODS, Method

__all__ = ["METHODS", "Method", "chats", "editing", "profile", "receiving", "sending"]
