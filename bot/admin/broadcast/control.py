"""Pausing, going on, and stopping for good."""

from collections.abc import Callable

from telegram import Update

from bot.admin.broadcast import report
from bot.admin.broadcast.report import CANCEL_SURE, KEEP
from bot.context import Context, Services
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import edit_here, say
from storage import broadcasts, recipients
from storage.broadcasts import BroadcastState
from storage.staff import Role
from storage.transaction import Tx


async def pause(update: Update, context: Context) -> None:
    """Send no more for now."""
    await _change(update, context, broadcasts.pause, "broadcast_paused")


async def resume(update: Update, context: Context) -> None:
    """Go on sending."""
    await _change(update, context, broadcasts.resume, "broadcast_resumed")


async def cancel(update: Update, context: Context) -> None:
    """Send no more at all; the report follows."""
    await _change(update, context, broadcasts.cancel, "broadcast_cancelled")


async def _change(
    update: Update, context: Context, change: Callable[[Tx, int], bool], action: str
) -> None:
    """Do it if it can be done, and show where the announcement stands now."""
    await answer_tap(update, context)
    broadcast_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        broadcast = broadcasts.get(tx, broadcast_id)
        if broadcast is None or broadcast.began_at is None:
            edit_here(tx, key, update, acting.texts("broadcast.over"))
            return
        if change(tx, broadcast_id):
            report.note(tx, acting.member.actor, action, broadcast_id)
        edit_here(tx, key, update, *report.status(tx, services, acting.texts, broadcast_id))

    await reply_as(Role.ADMIN, update, context, reply)


async def ask_to_cancel(update: Update, context: Context) -> None:
    """Ask whether to stop for good; meanwhile it goes on."""
    await answer_tap(update, context)
    broadcast_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, broadcast = acting.texts, broadcasts.get(tx, broadcast_id)
        if broadcast is None or broadcast.state not in (
            BroadcastState.RUNNING,
            BroadcastState.PAUSED,
        ):
            say(tx, key, acting.chat, texts("broadcast.over"))
            return
        waiting = recipients.counts(tx, broadcast_id).waiting
        buttons = [
            [(texts("broadcast.cancel_sure"), f"{CANCEL_SURE}:{broadcast_id}")],
            [(texts("button.no"), f"{KEEP}:{broadcast_id}")],
        ]
        say(tx, key, acting.chat, texts("broadcast.ask_cancel", count=waiting), buttons)

    await reply_as(Role.ADMIN, update, context, reply)
