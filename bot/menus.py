"""The commands Telegram offers, and what it says of the bot, in both languages."""

import logging
from collections.abc import Collection, Mapping

from telegram import Bot, BotCommand, BotCommandScopeAllPrivateChats, BotCommandScopeChat
from telegram.error import TelegramError

from bot.context import Services
from bot.texts.catalogue import Texts
from classifier.report_texts import Language
from storage.staff import Role

log = logging.getLogger(__name__)

PATIENT = (
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
OF_ROLE: Mapping[Role, tuple[str, ...]] = {
    Role.DOCTOR: (),
    Role.ADMIN: (),
}


def commands_of(roles: Collection[Role]) -> tuple[str, ...]:
    """Give the commands of somebody in these roles, what they came for first."""
    return tuple(name for role in Role if role in roles for name in OF_ROLE[role]) + PATIENT


async def publish(bot: Bot, services: Services) -> None:
    """Set menus and descriptions; the bot works without them, so a failure is only logged."""
    try:
        for texts, code in _languages(services):
            scope = BotCommandScopeAllPrivateChats()
            await bot.set_my_commands(_menu(texts, ()), scope=scope, language_code=code)
            await bot.set_my_description(texts("bot.description"), language_code=code)
            short = texts("bot.short_description")
            await bot.set_my_short_description(short, language_code=code)
    except TelegramError as error:
        log.warning("menus could not be set: %s", type(error).__name__)
    for telegram_id in services.roles.everybody():
        await publish_for(bot, services, telegram_id)


async def publish_for(bot: Bot, services: Services, telegram_id: int) -> None:
    """Set the menu of one chat as the roles are now."""
    roles, scope = services.roles.of(telegram_id), BotCommandScopeChat(telegram_id)
    try:
        for texts, code in _languages(services):
            if roles:
                await bot.set_my_commands(_menu(texts, roles), scope=scope, language_code=code)
            else:
                await bot.delete_my_commands(scope=scope, language_code=code)
    except TelegramError as error:
        # Somebody named in the settings may never have written to the bot.
        log.info("the menu of a chat could not be set: %s", type(error).__name__)


def _languages(services: Services) -> list[tuple[Texts, Language | None]]:
    """Give the sentences for each language; people with another read the default one."""
    default = Texts(services.settings.default_language)
    return [*((Texts(language), language) for language in Language), (default, None)]


def _menu(texts: Texts, roles: Collection[Role]) -> list[BotCommand]:
    return [BotCommand(name, texts(f"command.{name}")) for name in commands_of(roles)]
