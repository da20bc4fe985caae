"""The announcement as it will look, the number of people, and the second tap."""

from telegram import Update

from bot.admin.broadcast import report
from bot.admin.broadcast.words import drop_button, heading
from bot.context import Context, Services
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import Buttons, edit_here, say
from bot.texts.catalogue import Texts
from classifier.report_texts import Language
from storage import broadcasts, dialogs, outbox, recipients
from storage.broadcasts import Broadcast, BroadcastState
from storage.outbox import Outgoing, OutKind, OutState
from storage.recipients import Copied, Counts, Speech, Written
from storage.staff import Role
from storage.transaction import Tx

# The question when it is to go out.
TIME = "admin:broadcast.time"
SEND, SURE, BACK, LATER = "cast_send", "cast_sure", "cast_back", "cast_later"


def speech(services: Services) -> Speech:
    """Tell how a person's language is found, as `Services.language_of` finds it."""
    return Speech(tuple(Language), services.settings.default_language)


def show(tx: Tx, services: Services, acting: Acting, broadcast: Broadcast) -> None:
    """Show a draft as everybody will see it, and ask whether it is to go out."""
    content, key = broadcast.content, _preview(broadcast.id)
    if isinstance(content, Written):
        for language, text in content.texts.items():
            say(tx, f"{key}:{language}", acting.chat, text)
    else:
        payload = {"chat": content.chat_id, "message": content.message_id}
        out = Outgoing(key=key, chat_id=acting.chat, kind=OutKind.COPY, payload=payload)
        outbox.enqueue(tx, out)
    say(tx, f"{key}:ask", acting.chat, *_question(tx, services, acting.texts, broadcast))


def _preview(broadcast_id: int) -> str:
    return f"preview:{broadcast_id}"


def _question(
    tx: Tx, services: Services, texts: Texts, broadcast: Broadcast
) -> tuple[str, Buttons]:
    counts, number = reach(tx, services, broadcast), broadcast.id
    values = {"opted_out": counts.opted_out, "blocked": counts.blocked, "count": counts.pending}
    text = "\n".join([heading(tx, texts, broadcast), texts("broadcast.question", **values)])
    buttons = [
        [(texts("broadcast.send", count=counts.pending), f"{SEND}:{number}")],
        [(texts("broadcast.later"), f"{LATER}:{number}")],
    ]
    return text, [*buttons, drop_button(texts, number)]


def reach(tx: Tx, services: Services, broadcast: Broadcast) -> Counts:
    """Count whom it would reach now."""
    assert broadcast.audience is not None and broadcast.safety is not None
    return recipients.count(tx, broadcast.audience, broadcast.safety, speech(services))


def draft(tx: Tx, broadcast_id: int) -> Broadcast | None:
    """Find a draft that can be sent; None if it is gone or under way."""
    found = broadcasts.get(tx, broadcast_id)
    ready = found is not None and found.state is BroadcastState.DRAFT and found.safety is not None
    return found if ready else None


async def ask_to_send(update: Update, context: Context) -> None:
    """Ask for the second tap."""
    await answer_tap(update, context)
    broadcast_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, broadcast = acting.texts, draft(tx, broadcast_id)
        if broadcast is None:
            edit_here(tx, key, update, texts("broadcast.over"))
            return
        count = reach(tx, services, broadcast).pending
        buttons = [
            [(texts("broadcast.sure", count=count), f"{SURE}:{broadcast_id}")],
            [(texts("broadcast.back"), f"{BACK}:{broadcast_id}")],
        ]
        sentence = texts("broadcast.ask_sure", count=count)
        edit_here(tx, key, update, f"{heading(tx, texts, broadcast)}\n{sentence}", buttons)

    await reply_as(Role.ADMIN, update, context, reply)


async def go_back(update: Update, context: Context) -> None:
    """Show the first question again."""
    await answer_tap(update, context)
    broadcast_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        broadcast = draft(tx, broadcast_id)
        if broadcast is None:
            edit_here(tx, key, update, acting.texts("broadcast.over"))
        else:
            edit_here(tx, key, update, *_question(tx, services, acting.texts, broadcast))

    await reply_as(Role.ADMIN, update, context, reply)


async def send(update: Update, context: Context) -> None:
    """Begin to send; everybody who is to get it is written down."""
    await answer_tap(update, context)
    broadcast_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts, broadcast = acting.texts, draft(tx, broadcast_id)
        if broadcast is None:
            edit_here(tx, key, update, texts("broadcast.over"))
        elif not settle(tx, broadcast):
            edit_here(tx, key, update, texts("broadcast.no_preview"))
        else:
            dialogs.end_kind(tx, acting.chat, TIME)
            broadcasts.start(tx, broadcast_id, speech(services))
            report.note(tx, acting.member.actor, "broadcast_confirmed", broadcast_id)
            edit_here(tx, key, update, heading(tx, texts, broadcast))
            report.begin(tx, services, broadcast_id)

    await reply_as(Role.ADMIN, update, context, reply)


def settle(tx: Tx, broadcast: Broadcast) -> bool:
    """Let it say what the preview says, which its writer cannot change; False if there is none."""
    if isinstance(broadcast.content, Written):
        return True
    row = outbox.by_key(tx, _preview(broadcast.id))
    if row is None or row.state is not OutState.SENT or row.message_id is None:
        return False
    return broadcasts.write(tx, broadcast.id, Copied(row.chat_id, row.message_id))


async def drop(update: Update, context: Context) -> None:
    """Throw away a draft, or what was scheduled."""
    await answer_tap(update, context)
    broadcast_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        before = broadcasts.get(tx, broadcast_id)
        done = broadcasts.discard(tx, broadcast_id)
        dialogs.end_kind(tx, acting.chat, TIME)
        if done and before is not None and before.state is BroadcastState.SCHEDULED:
            report.note(tx, acting.member.actor, "broadcast_cancelled", broadcast_id)
        edit_here(tx, key, update, acting.texts("broadcast.dropped" if done else "broadcast.over"))

    await reply_as(Role.ADMIN, update, context, reply)
