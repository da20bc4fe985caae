"""Taking no pictures in for a while, and taking them in again."""

from telegram import Update

from bot.context import Context, Services
from bot.replies import Acting, reply_as
from bot.say import paused, say
from storage import audit, pause
from storage.pause import Pause
from storage.staff import Role
from storage.transaction import Tx

# Beside our own sentence it must fit into one message.
LONGEST_MESSAGE = 1000


async def begin_pause(update: Update, context: Context) -> None:
    """Take no new picture in; what stands behind the command is said to the patients too."""
    assert update.effective_message is not None
    message = "".join((update.effective_message.text or "").split(maxsplit=1)[1:])

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if len(message) > LONGEST_MESSAGE:
            text = acting.texts("pause.too_long", longest=LONGEST_MESSAGE)
            say(tx, key, acting.chat, text)
            return
        pause.begin(tx, message or None)
        audit.record(tx, acting.member.actor, "pause")
        heard = paused(acting.texts, Pause(message, tx.time))
        say(tx, key, acting.chat, acting.texts("pause.begun", heard=heard))

    await reply_as(Role.ADMIN, update, context, reply)


async def end_pause(update: Update, context: Context) -> None:
    """Take pictures in again."""

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        ended = pause.end(tx)
        if ended:
            audit.record(tx, acting.member.actor, "resume")
        say(tx, key, acting.chat, acting.texts("pause.ended" if ended else "pause.none"))

    await reply_as(Role.ADMIN, update, context, reply)
