"""The commands Telegram offers, and what it says of the bot, in both languages."""

import logging

from telegram import Bot, BotCommand, BotCommandScopeAllPrivateChats
from telegram.error import TelegramError

from bot.texts.catalogue import Texts
from classifier.report_texts import Language

log = logging.getLogger(__name__)

COMMANDS = (
    "start",
    "status",
    "history",
    "help",
    "language",
    "privacy",
    "mydata",
    "forget",
    "cancel",
)


async def publish(bot: Bot, default: Language) -> None:
    """Set menus and descriptions; the bot works without them, so a failure is only logged."""
    try:
        for language in Language:
            await _publish(bot, Texts(language), language)
        # People whose language is none of ours read the default one.
        await _publish(bot, Texts(default), None)
    except TelegramError as error:
        log.warning("menus could not be set: %s", type(error).__name__)


async def _publish(bot: Bot, texts: Texts, language: Language | None) -> None:
    commands = [BotCommand(name, texts(f"command.{name}")) for name in COMMANDS]
    scope = BotCommandScopeAllPrivateChats()
    await bot.set_my_commands(commands, scope=scope, language_code=language)
    await bot.set_my_description(texts("bot.description"), language_code=language)
    await bot.set_my_short_description(texts("bot.short_description"), language_code=language)
