"""The message that answers an open question goes to whoever asked."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from telegram import Update
from telegram.ext import ApplicationHandlerStop

from bot.context import Context
from storage import dialogs
from storage.dialogs import Dialog

# False lets the message pass, to be taken as that of a patient.
Taker = Callable[[Update, Context, Dialog], Coroutine[Any, Any, bool | None]]


def listener(takers: Mapping[str, Taker]) -> Callable[[Update, Context], Coroutine[Any, Any, None]]:
    """Make the handler for the messages of staff; without an open question it lets them pass."""

    async def listen(update: Update, context: Context) -> None:
        """Look whether this chat was asked something."""
        assert update.effective_user is not None
        dialog = await context.storage.read(dialogs.current, update.effective_user.id)
        taker = takers.get(dialog.kind) if dialog is not None else None
        if dialog and taker and await taker(update, context, dialog) is not False:
            raise ApplicationHandlerStop

    return listen
