"""Everything that is no chest picture, kindly; groups; and who blocks the bot."""

from telegram import ChatMember, Message, Update

from bot import deliveries, doctors_word
from bot.context import Context, Services
from bot.replies import answer_tap, reply_once
from bot.say import say
from bot.texts.catalogue import Texts, language_of
from storage import updates
from storage.people import Person
from storage.transaction import Tx


async def not_a_picture(update: Update, context: Context) -> None:
    """Say what can be sent instead."""
    message = update.effective_message
    assert message is not None
    sentence = _sentence(message)

    def reply(tx: Tx, services: Services, person: Person, key: str) -> None:
        say(tx, key, person.telegram_id, services.texts_of(person)(sentence))

    await reply_once(update, context, reply)


def _sentence(message: Message) -> str:
    if message.sticker:
        return "unknown.sticker"
    if message.voice or message.audio:
        return "unknown.voice"
    if message.video or message.video_note or message.animation:
        return "unknown.video"
    if message.location or message.venue:
        return "unknown.location"
    if message.text and message.text.startswith("/"):
        return "unknown.command"
    return "unknown.text"


async def old_tap(update: Update, context: Context) -> None:
    """Say that a button does nothing any more."""
    assert update.effective_user is not None
    texts = await context.storage.read(context.services.texts_in, update.effective_user.id)
    await answer_tap(update, context, texts("button.old"))


async def group(update: Update, context: Context) -> None:
    """Refuse a group once and process nothing of it."""
    chat = update.effective_chat
    assert chat is not None
    code = update.effective_user.language_code if update.effective_user else None

    def refuse(tx: Tx) -> None:
        if updates.first_time(tx, update.update_id):
            language = language_of(code, context.services.settings.default_language)
            say(tx, f"group:{chat.id}", chat.id, Texts(language)("group"))

    await context.storage.write(refuse)
    context.services.wake.all()


async def membership(update: Update, context: Context) -> None:
    """Take note of who blocks the bot or lets it in again."""
    change = update.my_chat_member
    assert change is not None
    blocked = change.new_chat_member.status in (ChatMember.BANNED, ChatMember.LEFT)

    def note(tx: Tx) -> None:
        if not updates.first_time(tx, update.update_id):
            return
        follow = deliveries.blocked if blocked else doctors_word.let_in
        follow(tx, context.services, change.chat.id)

    await context.storage.write(note)
    context.services.wake.all()
