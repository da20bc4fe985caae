"""How far an announcement has come: while it runs, in the end, and as a file."""

from telegram import Update

from bot import times
from bot.admin.broadcast.words import drop_button, heading
from bot.building import Built
from bot.context import Context, Services
from bot.csv_file import as_csv
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import Buttons, edit, say, send_file
from bot.texts.catalogue import Texts
from storage import audit, broadcasts, recipients, staff
from storage.broadcasts import Broadcast, BroadcastState
from storage.outbox import OutRow
from storage.recipients import Counts
from storage.staff import Member, Role
from storage.transaction import Tx

PAUSE, RESUME = "cast_pause", "cast_resume"
CANCEL, CANCEL_SURE, KEEP = "cast_cancel", "cast_cancel_sure", "cast_keep"
FILE = "cast_file"
BUILD = "broadcast_report"
COLUMNS = ("recipient", "state", "reason", "time")


def begin(tx: Tx, services: Services, broadcast_id: int) -> None:
    """Show the progress to whoever sends it; the message is edited from now on."""
    sender = _sender(tx, broadcast_id)
    if sender.revoked_at is None:
        texts, key = services.texts_in(tx, sender.telegram_id), _progress(broadcast_id)
        say(tx, key, sender.telegram_id, *status(tx, services, texts, broadcast_id))
    broadcasts.told(tx, broadcast_id)


def show_progress(tx: Tx, services: Services, broadcast_id: int) -> None:
    """Edit the progress message."""
    sender = _sender(tx, broadcast_id)
    if sender.revoked_at is None:
        texts, target = services.texts_in(tx, sender.telegram_id), _progress(broadcast_id)
        text, buttons = status(tx, services, texts, broadcast_id)
        key = f"{target}:{tx.time.timestamp()}"
        edit(tx, key, sender.telegram_id, target, text, buttons)
    broadcasts.told(tx, broadcast_id)


def finish(tx: Tx, services: Services, broadcast_id: int) -> None:
    """Report to whoever sent it, or to all admins if they are none any more."""
    show_progress(tx, services, broadcast_id)
    for member in readers(tx, broadcast_id):
        texts = services.texts_in(tx, member.telegram_id)
        text = _in_full(tx, services, texts, _get(tx, broadcast_id))
        button = [[(texts("broadcast.file"), f"{FILE}:{broadcast_id}")]]
        say(tx, f"broadcast_report:{broadcast_id}:{member.id}", member.telegram_id, text, button)


def source_gone(tx: Tx, services: Services, broadcast_id: int) -> None:
    """Tell that there is nothing to copy any more."""
    note(tx, audit.SYSTEM, "broadcast_cancelled", broadcast_id)
    for member in readers(tx, broadcast_id):
        text = services.texts_in(tx, member.telegram_id)("broadcast.gone", number=broadcast_id)
        say(tx, f"broadcast_gone:{broadcast_id}:{member.id}", member.telegram_id, text)


def readers(tx: Tx, broadcast_id: int) -> list[Member]:
    """Give whoever sends it, or all admins if they are none any more."""
    sender = _sender(tx, broadcast_id)
    return [sender] if sender.revoked_at is None else staff.members(tx, Role.ADMIN)


def note(tx: Tx, actor: str, action: str, broadcast_id: int) -> None:
    """Write an act into the audit, with how many it concerns."""
    counts = recipients.counts(tx, broadcast_id)
    waiting = f" · waiting {counts.waiting}/{counts.total}" if counts.total else ""
    audit.record(tx, actor, action, detail=f"announcement {broadcast_id}{waiting}")


def status(tx: Tx, services: Services, texts: Texts, broadcast_id: int) -> tuple[str, Buttons]:
    """Tell where an announcement stands, with the buttons for what can be done."""
    broadcast = _get(tx, broadcast_id)
    head = heading(tx, texts, broadcast)
    if broadcast.state is BroadcastState.SCHEDULED:
        assert broadcast.due_at is not None
        when = times.told(services.settings, broadcast.due_at, texts.language)
        due = texts("broadcast.scheduled", when=when)
        return f"{head}\n{due}", [drop_button(texts, broadcast_id)]
    counts = recipients.counts(tx, broadcast_id)
    lines = [head, _share(texts, broadcast, counts), *_lines(texts, counts)]
    return "\n".join(lines), _buttons(texts, broadcast)


def _share(texts: Texts, broadcast: Broadcast, counts: Counts) -> str:
    return texts(
        "broadcast.progress",
        state=texts(f"broadcast.state.{broadcast.state}"),
        done=counts.total - counts.waiting,
        total=counts.total,
        percent=100 * (counts.total - counts.waiting) // max(counts.total, 1),
    )


def _lines(texts: Texts, counts: Counts) -> list[str]:
    """Tell the outcomes there are."""
    outcomes = {
        "sent": counts.sent,
        "blocked": counts.blocked,
        "failed": counts.failed,
        "unknown": counts.unknown,
        "opted_out": counts.opted_out,
        "left": counts.left,
        "cancelled": counts.cancelled,
    }
    return [texts(f"broadcast.count.{name}", count=n) for name, n in outcomes.items() if n]


def _buttons(texts: Texts, broadcast: Broadcast) -> Buttons:
    actions = {
        BroadcastState.RUNNING: {"pause": PAUSE, "cancel": CANCEL},
        BroadcastState.PAUSED: {"resume": RESUME, "cancel": CANCEL},
    }.get(broadcast.state, {})
    return [
        [(texts(f"broadcast.{name}"), f"{word}:{broadcast.id}") for name, word in actions.items()]
    ]


def _in_full(tx: Tx, services: Services, texts: Texts, broadcast: Broadcast) -> str:
    assert broadcast.began_at is not None and broadcast.ended_at is not None
    counts = recipients.counts(tx, broadcast.id)
    from_to = texts(
        "broadcast.times",
        begun=times.told(services.settings, broadcast.began_at, texts.language),
        ended=times.told(services.settings, broadcast.ended_at, texts.language),
        total=counts.total,
    )
    state = texts(f"broadcast.state.{broadcast.state}")
    head = texts("broadcast.report", heading=heading(tx, texts, broadcast), state=state)
    return "\n".join([head, from_to, *_lines(texts, counts)])


async def send_report(update: Update, context: Context) -> None:
    """Have the list of recipients sent; it names nobody."""
    await answer_tap(update, context)
    broadcast_id = int(tapped_value(update))

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if broadcasts.get(tx, broadcast_id) is None:
            say(tx, key, acting.chat, acting.texts("broadcast.over"))
            return
        note(tx, acting.member.actor, "broadcast_exported", broadcast_id)
        caption = acting.texts("broadcast.file_caption", number=broadcast_id)
        send_file(tx, key, acting.chat, BUILD, caption, broadcast=broadcast_id)

    await reply_as(Role.ADMIN, update, context, reply)


async def build(services: Services, row: OutRow) -> Built | None:
    """Make the file for an admin."""
    return await services.storage.read(_build, row)


def _build(tx: Tx, row: OutRow) -> Built | None:
    if staff.member(tx, row.chat_id, Role.ADMIN) is None:
        return None
    broadcast_id = int(str(row.payload["broadcast"]))
    lines = recipients.lines(tx, broadcast_id)
    cells = [(each.number, each.state, each.reason or "", each.at.isoformat()) for each in lines]
    return Built(as_csv([COLUMNS, *cells]), f"announcement-{broadcast_id}.csv")


def _progress(broadcast_id: int) -> str:
    return f"broadcast_progress:{broadcast_id}"


def _sender(tx: Tx, broadcast_id: int) -> Member:
    return staff.get(tx, _get(tx, broadcast_id).made_by)


def _get(tx: Tx, broadcast_id: int) -> Broadcast:
    found = broadcasts.get(tx, broadcast_id)
    assert found is not None
    return found
