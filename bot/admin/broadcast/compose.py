"""What is to be said: a message to copy, or the model update with a sentence of the admin's."""

from datetime import timedelta
from html import escape

from telegram import Message, Update

from bot.admin.broadcast import audience, model_update, report
from bot.context import Context, Services
from bot.replies import Acting, answer_tap, reply_as, tapped_value
from bot.say import edit_here, say
from classifier.report_texts import Language
from storage import broadcasts, dialogs
from storage.dialogs import Dialog
from storage.recipients import Copied, Written
from storage.staff import Role
from storage.transaction import Tx

MODEL, SKIP = "cast_model", "cast_skip"
MESSAGE, SENTENCE = "admin:broadcast.message", "admin:broadcast.sentence"
TIME_TO_ANSWER = timedelta(hours=1)
# With the template it stays well within one message.
LONGEST_SENTENCE = 500


async def show(update: Update, context: Context) -> None:
    """Show what is under way and ask for the next message."""

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        texts = acting.texts
        for each in broadcasts.under_way(tx):
            status = report.status(tx, services, texts, each.id)
            say(tx, f"{key}:{each.id}", acting.chat, *status)
        dialogs.begin(tx, acting.chat, MESSAGE, {}, TIME_TO_ANSWER)
        buttons = [[(texts("broadcast.model"), f"{MODEL}:")]]
        say(tx, key, acting.chat, texts("broadcast.compose"), buttons)

    await reply_as(Role.ADMIN, update, context, reply)


async def take_message(update: Update, context: Context, dialog: Dialog) -> None:
    """Keep the message as a draft and ask who is to get it."""
    message = update.effective_message
    assert message is not None

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if message.media_group_id:
            # Once for all its parts.
            key = f"broadcast_album:{message.media_group_id}"
            say(tx, key, acting.chat, acting.texts("broadcast.album"))
        elif not _can_be_copied(message):
            say(tx, key, acting.chat, acting.texts("broadcast.kinds"))
        else:
            dialogs.end(tx, acting.chat)
            content = Copied(message.chat_id, message.message_id)
            made = broadcasts.draft(tx, acting.member.id, content)
            audience.ask(tx, acting, made.id, key)

    await reply_as(Role.ADMIN, update, context, reply)


def _can_be_copied(message: Message) -> bool:
    return bool(message.text or message.photo or message.document)


async def use_model(update: Update, context: Context) -> None:
    """Make a draft of the model update and ask for a sentence in each language."""
    await answer_tap(update, context)
    texts = await model_update.texts(context.services)

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        made = broadcasts.draft(tx, acting.member.id, Written(texts))
        _ask_sentence(tx, acting, made.id, texts, next(iter(Language)), key)

    await reply_as(Role.ADMIN, update, context, reply)


def _ask_sentence(
    tx: Tx,
    acting: Acting,
    broadcast_id: int,
    written: dict[str, str],
    language: Language,
    key: str,
) -> None:
    payload = {"broadcast": broadcast_id, "language": language}
    dialogs.begin(tx, acting.chat, SENTENCE, payload, TIME_TO_ANSWER)
    say(tx, f"{key}:text", acting.chat, written[language])
    skip = [[(acting.texts("broadcast.skip"), f"{SKIP}:{broadcast_id}:{language}")]]
    say(tx, key, acting.chat, acting.texts(f"broadcast.sentence.{language}"), skip)


async def take_sentence(update: Update, context: Context, dialog: Dialog) -> None:
    """Put the admin's sentence under the text of its language."""
    assert update.effective_message is not None
    sentence = (update.effective_message.text or "").strip()

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        if not 1 <= len(sentence) <= LONGEST_SENTENCE:
            longest = LONGEST_SENTENCE
            say(tx, key, acting.chat, acting.texts("broadcast.sentence_again", longest=longest))
        else:
            _go_on(tx, acting, dialog, sentence, key)

    await reply_as(Role.ADMIN, update, context, reply)


async def skip_sentence(update: Update, context: Context) -> None:
    """Leave the text of a language as it is."""
    await answer_tap(update, context)
    broadcast_id, _, language = tapped_value(update).partition(":")
    asked = Dialog(SENTENCE, {"broadcast": int(broadcast_id), "language": language})

    def reply(tx: Tx, services: Services, acting: Acting, key: str) -> None:
        # A second tap comes when something else is asked.
        if dialogs.current(tx, acting.chat) == asked:
            _go_on(tx, acting, asked, "", key)
        else:
            edit_here(tx, key, update, acting.texts("broadcast.over"))

    await reply_as(Role.ADMIN, update, context, reply)


def _go_on(tx: Tx, acting: Acting, dialog: Dialog, sentence: str, key: str) -> None:
    """Keep the sentence and ask for the next language's, or who is to get it."""
    broadcast = broadcasts.get(tx, int(str(dialog.payload["broadcast"])))
    language = Language(str(dialog.payload["language"]))
    assert broadcast is not None and isinstance(broadcast.content, Written)
    dialogs.end(tx, acting.chat)
    written = dict(broadcast.content.texts)
    if sentence:
        written[language] = f"{written[language]}\n\n{escape(sentence)}"
        broadcasts.write(tx, broadcast.id, Written(written))
    rest = tuple(Language)[tuple(Language).index(language) + 1 :]
    if rest:
        _ask_sentence(tx, acting, broadcast.id, written, rest[0], key)
    else:
        audience.ask(tx, acting, broadcast.id, key)
