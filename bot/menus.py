"""The commands Telegram offers, and what it says of the bot, in both languages."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial

from telegram import Bot, BotCommand, BotCommandScopeAllPrivateChats, BotCommandScopeChat
from telegram.error import BadRequest, Forbidden, InvalidToken

from bot.context import Context, Services
from bot.receive import insist
from bot.texts.catalogue import Texts
from classifier.report_texts import Language
from storage import people, staff
from storage.staff import Role
from storage.transaction import Tx

log = logging.getLogger(__name__)

# What asking again does not mend.
HOPELESS = (BadRequest, Forbidden, InvalidToken)

PATIENT = (
    "start",
    "status",
    "history",
    "help",
    "language",
    "privacy",
    "announcements",
    "mydata",
    "forget",
    "cancel",
)
OF_ROLE: Mapping[Role, tuple[str, ...]] = {
    Role.DOCTOR: ("review", "worklist", "case", "mystats", "digest"),
    Role.ADMIN: (
        "staff",
        "audit",
        "disputes",
        "qr",
        "stats",
        "health",
        "pause",
        "resume",
        "broadcast",
        "model",
        "export",
    ),
}


def commands_of(roles: Collection[Role]) -> tuple[str, ...]:
    """Give the commands of somebody in these roles, what they came for first."""
    return tuple(name for role in Role if role in roles for name in OF_ROLE[role]) + PATIENT


async def publish(bot: Bot, services: Services) -> None:
    """Set menus and descriptions, however often it takes; the bot works without them meanwhile."""
    scope = BotCommandScopeAllPrivateChats()
    for texts, code in _languages(services):
        menu, text = _menu(texts, ()), texts("bot.description")
        short = texts("bot.short_description")
        for call in (
            partial(bot.set_my_commands, menu, scope=scope, language_code=code),
            partial(bot.set_my_description, text, language_code=code),
            partial(bot.set_my_short_description, short, language_code=code),
        ):
            await _until_set(call)
    for telegram_id in await services.storage.read(_with_own_menu):
        await publish_for(bot, services, telegram_id)


def _with_own_menu(tx: Tx) -> set[int]:
    # Those who were revoked too: the menu may have been left when the bot was stopped.
    members = {each.telegram_id for each in staff.everybody(tx)}
    return members | people.who_chose_a_language(tx)


async def role_changed(context: Context, telegram_id: int) -> None:
    """Let a change of somebody's roles count at once; the menu of their chat follows."""
    await context.services.roles.load(context.storage)
    publishing = publish_for(context.bot, context.services, telegram_id)
    context.application.create_task(publishing)


async def publish_for(bot: Bot, services: Services, telegram_id: int) -> None:
    """Set the menu of one chat as roles and the language chosen are now."""
    roles, scope = services.roles.of(telegram_id), BotCommandScopeChat(telegram_id)
    person = await services.storage.read(people.by_telegram_id, telegram_id)
    chosen = Texts(Language(person.language)) if person and person.language else None
    for texts, code in _languages(services):
        if roles or chosen:
            menu = _menu(chosen or texts, roles)
            call = partial(bot.set_my_commands, menu, scope=scope, language_code=code)
        else:
            call = partial(bot.delete_my_commands, scope=scope, language_code=code)
        await _until_set(call)


async def _until_set(call: Callable[[], Awaitable[bool]]) -> None:
    try:
        await insist(call, HOPELESS)
    except HOPELESS as error:
        # Somebody named in the settings may never have written to the bot.
        log.info("a menu cannot be set: %s", type(error).__name__)


def _languages(services: Services) -> list[tuple[Texts, Language | None]]:
    """Give the sentences for each language; people with another read the default one."""
    default = Texts(services.settings.default_language)
    return [*((Texts(language), language) for language in Language), (default, None)]


def _menu(texts: Texts, roles: Collection[Role]) -> list[BotCommand]:
    return [BotCommand(name, texts(f"command.{name}")) for name in commands_of(roles)]
