"""Methods that change or remove messages, and answer taps."""

from bot.sandbox.composing import caption_of, checked_text, markup_of, media_of
from bot.sandbox.entities import Text
from bot.sandbox.errors import NOT_MODIFIED, Json, bad_request
from bot.sandbox.messages import Media, Message
from bot.sandbox.methods.registry import method
from bot.sandbox.parameters import Params, checked_list
from bot.sandbox.world import World

LONGEST_ANSWER = 200
DELETABLE_FOR = 48 * 3600
MOST_DELETED = 100


@method("editMessageText")
async def edit_text(world: World, params: Params) -> object:
    """Replace the text."""
    message = _own(world, params)
    if message.media is not None:
        raise bad_request("there is no text in the message to edit")
    return _change(world, message, params, text=checked_text(params, "MESSAGE_TOO_LONG"))


@method("editMessageCaption")
async def edit_caption(world: World, params: Params) -> object:
    """Replace the caption."""
    message = _own(world, params)
    if message.media is None:
        raise bad_request("there is no caption in the message to edit")
    return _change(world, message, params, text=caption_of(params))


@method("editMessageMedia")
async def edit_media(world: World, params: Params) -> object:
    """Replace the picture or file, and the caption with it."""
    message = _own(world, params)
    item = params.record("media") or {}
    kind = str(item.get("type"))
    if kind not in {"photo", "document"}:
        raise bad_request("the sandbox sends photos and documents only")
    if message.album and message.media and message.media.kind != kind:
        raise bad_request("MEDIA_GROUP_INVALID")
    own = Params(item, params.uploads)
    media = media_of(world, own, kind, item.get("media"))
    return _change(world, message, params, text=caption_of(own), media=media)


@method("editMessageReplyMarkup")
async def edit_markup(world: World, params: Params) -> object:
    """Replace the buttons."""
    return _change(world, _own(world, params), params)


def _own(world: World, params: Params) -> Message:
    chat = world.chat_for_bot(params.chat_id())
    message = chat.messages.get(params.integer("message_id"))
    if message is None:
        raise bad_request("message to edit not found")
    if message.sender is not world.bot or message.origin is not None:
        raise bad_request("message can't be edited")
    return message


def _change(
    world: World,
    message: Message,
    params: Params,
    text: Text | None = None,
    media: Media | None = None,
) -> Json:
    markup = markup_of(params)
    if markup is not None and "inline_keyboard" not in markup:
        raise bad_request("inline keyboard expected")
    text, media = text or message.text, media or message.media
    same_media = (media and media.unique_id) == (message.media and message.media.unique_id)
    if text == message.text and same_media and markup == message.markup:
        raise bad_request(NOT_MODIFIED)
    shown = text != message.text or not same_media
    message.text, message.media, message.markup = text, media, markup
    world.edit(message, shown)
    return message.as_json()


@method("deleteMessage")
async def delete_message(world: World, params: Params) -> object:
    """Remove a message, if it is younger than two days."""
    chat = world.chat_for_bot(params.chat_id())
    message = chat.messages.get(params.integer("message_id"))
    if message is None:
        raise bad_request("message to delete not found")
    if world.clock.now() - message.date > DELETABLE_FOR:
        raise bad_request("message can't be deleted for everyone")
    world.delete(message)
    return True


@method("deleteMessages")
async def delete_messages(world: World, params: Params) -> object:
    """Remove several; those that are gone are passed over."""
    chat = world.chat_for_bot(params.chat_id())
    numbers = checked_list(params.parsed("message_ids"), int, "message_ids")
    if not 1 <= len(numbers) <= MOST_DELETED:
        raise bad_request("message identifiers are not specified")
    for message in chat.present(numbers):
        if world.clock.now() - message.date <= DELETABLE_FOR:
            world.delete(message)
    return True


@method("answerCallbackQuery")
async def answer_callback_query(world: World, params: Params) -> object:
    """End the waiting of a tapped button, with a few words if wanted; once."""
    text = params.text("text")
    if len(text) > LONGEST_ANSWER:
        raise bad_request("MESSAGE_TOO_LONG")
    query = world.take_query(params.text("callback_query_id"))
    query.chat.log.add(
        {
            "event": "answer",
            "chat_id": query.chat.id,
            "user_id": query.user.id,
            "query_id": query.id,
            "text": text,
            "alert": params.flag("show_alert"),
            "url": params.text("url"),
        }
    )
    return True
