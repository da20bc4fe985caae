"""Sending later: a time is asked for, read back, and kept with a second tap."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from telegram import Update

from bot.admin.broadcast import confirm, report
from bot.admin.broadcast.confirm import LATER, TIME
from bot.admin.broadcast.times import Past, Unreadable, read_time
from bot.admin.broadcast.words import drop_button, heading
from bot.context import Context, Services
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import edit_here, say
from bot.times import told
from storage import audit, broadcasts, dialogs
from storage.broadcasts import Broadcast
from storage.dialogs import Dialog
from storage.staff import Role
from storage.transaction import Tx

AT = "cast_at"
TIME_TO_ANSWER = timedelta(hours=1)
# Later than that, because the bot was off, what it says may be no longer so.
LATEST = timedelta(hours=1)


async def ask_time(update: Update, context: Context) -> None:
    """Ask when it is to go out."""
    await answer_tap(update, context)
    broadcast_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if confirm.draft(tx, broadcast_id) is None:
            edit_here(tx, key, update, acting.texts("broadcast.over"))
            return
        dialogs.begin(tx, acting.chat, TIME, {"broadcast": broadcast_id}, TIME_TO_ANSWER)
        zone = services.settings.time_zone
        now = told(services.settings, tx.time, acting.texts.language)
        say(tx, key, acting.chat, acting.texts("broadcast.when", zone=zone, now=now))

    await reply_as(Role.ADMIN, update, context, reply)


async def take_time(update: Update, context: Context, dialog: Dialog) -> None:
    """Read the time and ask for the second tap; what cannot be meant is asked for again."""
    assert update.effective_message is not None
    words = update.effective_message.text or ""
    broadcast_id = int(str(dialog.payload["broadcast"]))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, broadcast = acting.texts, confirm.draft(tx, broadcast_id)
        if broadcast is None:
            dialogs.end(tx, acting.chat)
            say(tx, key, acting.chat, texts("broadcast.over"))
            return
        try:
            at = read_time(words, tx.time, ZoneInfo(services.settings.time_zone))
        except Unreadable:
            say(tx, key, acting.chat, texts("broadcast.time_unread"))
            return
        except Past:
            say(tx, key, acting.chat, texts("broadcast.time_past"))
            return
        dialogs.end(tx, acting.chat)
        count = confirm.reach(tx, services, broadcast).pending
        when = told(services.settings, at, texts.language)
        sentence = texts("broadcast.ask_at", when=when, count=count)
        buttons = [
            [(texts("broadcast.at"), f"{AT}:{broadcast_id}:{int(at.timestamp())}")],
            [(texts("broadcast.other_time"), f"{LATER}:{broadcast_id}")],
            drop_button(texts, broadcast_id),
        ]
        say(tx, key, acting.chat, f"{heading(tx, texts, broadcast)}\n{sentence}", buttons)

    await reply_as(Role.ADMIN, update, context, reply)


async def schedule(update: Update, context: Context) -> None:
    """Keep the time."""
    await answer_tap(update, context)
    broadcast_id, seconds = map(int, tapped_value(update).split(":"))
    at = datetime.fromtimestamp(seconds, UTC)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, broadcast = acting.texts, confirm.draft(tx, broadcast_id)
        if broadcast is None:
            edit_here(tx, key, update, texts("broadcast.over"))
        elif at <= tx.time:
            again = [[(texts("broadcast.other_time"), f"{LATER}:{broadcast_id}")]]
            edit_here(tx, key, update, texts("broadcast.time_past"), again)
        elif not confirm.settle(tx, broadcast):
            edit_here(tx, key, update, texts("broadcast.no_preview"))
        else:
            broadcasts.schedule(tx, broadcast_id, at)
            report.note(tx, acting.member.actor, "broadcast_scheduled", broadcast_id)
            edit_here(tx, key, update, *report.status(tx, services, texts, broadcast_id))

    await reply_as(Role.ADMIN, update, context, reply)


def is_too_late(broadcast: Broadcast, now: datetime) -> bool:
    """Tell whether its time was missed for long; a safety notice goes out however late."""
    assert broadcast.due_at is not None
    return not broadcast.safety and broadcast.due_at + LATEST < now


def ask_again(tx: Tx, services: Services, missed: Broadcast) -> None:
    """Send nothing, and show it anew to whoever scheduled it, or to an admin if they are none."""
    assert missed.due_at is not None and missed.audience is not None
    broadcasts.discard(tx, missed.id)
    report.note(tx, audit.SYSTEM, "broadcast_missed", missed.id)
    for member in report.readers(tx, missed.id)[:1]:
        acting = Acting(member, services.texts_in(tx, member.telegram_id))
        again = broadcasts.draft(tx, member.id, missed.content).id
        broadcasts.address(tx, again, missed.audience)
        broadcasts.weigh(tx, again, safety=False)
        due = told(services.settings, missed.due_at, acting.texts.language)
        text = acting.texts("broadcast.missed", number=missed.id, when=due)
        say(tx, f"broadcast_missed:{missed.id}", acting.chat, text)
        draft = confirm.draft(tx, again)
        assert draft is not None
        confirm.show(tx, services, acting, draft)
