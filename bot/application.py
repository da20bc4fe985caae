"""The python-telegram-bot application: which handler hears what, and in which order."""

from typing import Any

from telegram import Update
from telegram.ext import (
    Application,
    ApplicationHandlerStop,
    ChatMemberHandler,
    CommandHandler,
    ContextTypes,
    ExtBot,
    MessageHandler,
    filters,
)

from bot.access import Holds, StaffTapHandler
from bot.admin import handlers as admin
from bot.context import BotApplication, Context, Services
from bot.dialogs import listener
from bot.doctor import handlers as doctor
from bot.doctor import verdicts
from bot.errors import report
from bot.patient import handlers as patient
from bot.patient import others
from bot.replies import reply_once
from bot.say import say
from storage.errors import StorageDown
from storage.people import Person
from storage.staff import Role
from storage.transaction import Tx

PRIVATE = filters.ChatType.PRIVATE


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
    add(MessageHandler(staff & PRIVATE & ~filters.COMMAND, asked), group=-2)
    # What is taken back with its question is more than the question.
    taken_back: Any = staff & PRIVATE & filters.UpdateType.MESSAGE
    add(CommandHandler("cancel", listener(doctor.TAKEN_BACK), taken_back), group=-2)
    # Nor is what a doctor with a case in hand writes unasked.
    doctors = Holds(application.services.roles, Role.DOCTOR)
    words = PRIVATE & filters.UpdateType.MESSAGE & filters.TEXT & ~filters.COMMAND
    add(MessageHandler(doctors & words, verdicts.untimely), group=-1)
    add(ChatMemberHandler(others.membership, chat_member_types=ChatMemberHandler.MY_CHAT_MEMBER))
    add(MessageHandler(~PRIVATE, others.group))
    for role, room in ((Role.DOCTOR, doctor), (Role.ADMIN, admin)):
        holds = Holds(application.services.roles, role)
        for name, command in room.COMMANDS.items():
            add(CommandHandler(name, command, holds & PRIVATE & filters.UpdateType.MESSAGE))
        for pattern, tap in room.TAPS.items():
            add(StaffTapHandler(holds, tap, pattern))
    patient.add_handlers(application)


async def _failed(update: object, context: Context) -> None:
    """Keep an update that storage could not take; tell of anything else once."""
    error = context.error
    assert error is not None
    await report(context.services, error, "an update")
    if not isinstance(update, Update):
        return
    if context.coroutine is not None:
        # What a handler left to a task counts as handled, and does not come again.
        return
    if isinstance(error, StorageDown):
        context.bot_application.mark_failed(update.update_id)
    elif update.effective_user is not None:
        try:
            await reply_once(update, context, _sorry)
        except StorageDown:
            context.bot_application.mark_failed(update.update_id)
    # No later handler may take what this one was meant for.
    raise ApplicationHandlerStop


def _sorry(tx: Tx, services: Services, person: Person, key: str) -> None:
    say(tx, f"{key}:sorry", person.telegram_id, services.texts_of(person)("sorry"))
