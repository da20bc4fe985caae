"""The python-telegram-bot application: which handler hears what, and in which order."""

import logging

from telegram import Update
from telegram.ext import (
    Application,
    ChatMemberHandler,
    ContextTypes,
    ExtBot,
    MessageHandler,
    filters,
)
from telegram.request import HTTPXRequest

from bot.access import Holds
from bot.admin import handlers as admin
from bot.context import BotApplication, Context, Services
from bot.dialogs import listener
from bot.doctor import handlers as doctor
from bot.patient import handlers as patient
from bot.patient import others
from bot.replies import reply_once
from bot.say import say
from bot.settings import Settings
from storage.errors import StorageError
from storage.people import Person
from storage.staff import Role
from storage.transaction import Tx

log = logging.getLogger(__name__)

PRIVATE = filters.ChatType.PRIVATE


def make_bot(settings: Settings) -> ExtBot[None]:
    """Make the connection to Telegram, or to what stands in for it."""
    base = settings.api_url.rstrip("/")
    return ExtBot(
        settings.token.get_secret_value(),
        base_url=f"{base}/bot",
        base_file_url=f"{base}/file/bot",
        local_mode=settings.local_mode,
        request=HTTPXRequest(connection_pool_size=64, pool_timeout=30, media_write_timeout=60),
        get_updates_request=HTTPXRequest(connection_pool_size=1),
    )


def build(bot: ExtBot[None], services: Services) -> BotApplication:
    """Wire the handlers."""
    application = (
        Application.builder()
        .application_class(BotApplication, {"services": services})
        .bot(bot)
        .updater(None)
        .context_types(ContextTypes(context=Context))
        .build()
    )
    assert isinstance(application, BotApplication)
    _add_handlers(application)
    application.add_error_handler(_failed)
    return application


def _add_handlers(application: BotApplication) -> None:
    """Register in order: the first that fits takes the update."""
    add = application.add_handler
    asked = listener({**doctor.DIALOGS, **admin.DIALOGS})
    staff = Holds(application.services.roles, *Role)
    # Before all others: what a member of staff was asked for is no patient's message.
    add(MessageHandler(staff & PRIVATE & ~filters.COMMAND, asked), group=-1)
    add(ChatMemberHandler(others.membership, chat_member_types=ChatMemberHandler.MY_CHAT_MEMBER))
    add(MessageHandler(~PRIVATE, others.group))
    for room in (doctor, admin, patient):
        room.add_handlers(application)


async def _failed(update: object, context: Context) -> None:
    """Keep an update that storage could not take; tell of anything else once."""
    error = context.error
    # The error's text may hold what a person wrote: only its type and place are logged.
    log.error("an update failed: %s", type(error).__name__)
    log.debug("an update failed", exc_info=error)
    if not isinstance(update, Update):
        return
    if isinstance(error, StorageError):
        context.bot_application.mark_failed(update.update_id)
    elif update.effective_user is not None:
        try:
            await reply_once(update, context, _sorry)
        except StorageError:
            context.bot_application.mark_failed(update.update_id)


def _sorry(tx: Tx, services: Services, person: Person, key: str) -> None:
    say(tx, f"{key}:sorry", person.telegram_id, services.texts_of(person)("refusal.failed"))
