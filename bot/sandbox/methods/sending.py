"""Methods that put messages into chats."""

from dataclasses import replace

from bot.sandbox.composing import (
    caption_of,
    checked_text,
    markup_of,
    media_of,
    reply_of,
)
from bot.sandbox.errors import Json, bad_request
from bot.sandbox.messages import Message
from bot.sandbox.methods.registry import method
from bot.sandbox.parameters import Params, checked_list
from bot.sandbox.world import World

ALBUM = range(2, 11)
ACTIONS = {
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
}


@method("sendMessage")
async def send_message(world: World, params: Params) -> object:
    """Send text."""
    chat = world.chat_for_bot(params.chat_id())
    message = world.post(
        chat,
        world.bot,
        checked_text(params, "message is too long"),
        markup=markup_of(params),
        reply_to=reply_of(params, chat),
    )
    return message.as_json()


@method("sendPhoto")
async def send_photo(world: World, params: Params) -> object:
    """Send a picture to look at."""
    return _send_media(world, params, "photo")


@method("sendDocument")
async def send_document(world: World, params: Params) -> object:
    """Send a file as it is."""
    return _send_media(world, params, "document")


def _send_media(world: World, params: Params, kind: str) -> object:
    chat = world.chat_for_bot(params.chat_id())
    caption, markup = caption_of(params), markup_of(params)
    media = media_of(world, params, kind, params.values.get(kind))
    reply_to = reply_of(params, chat)
    return world.post(chat, world.bot, caption, media, markup=markup, reply_to=reply_to).as_json()


@method("sendMediaGroup")
async def send_media_group(world: World, params: Params) -> object:
    """Send an album: two to ten messages with one media_group_id."""
    chat = world.chat_for_bot(params.chat_id())
    items = params.records("media")
    if len(items) not in ALBUM:
        raise bad_request("group send failed: an album has 2-10 items")
    if len({item.get("type") == "document" for item in items}) > 1:
        raise bad_request("document can't be mixed with other media types")
    reply_to = reply_of(params, chat)
    parts = []
    for item in items:
        kind = str(item.get("type"))
        if kind not in {"photo", "document"}:
            raise bad_request("the sandbox sends photos and documents only")
        own = Params(item, params.uploads)
        parts.append((caption_of(own), media_of(world, own, kind, item.get("media"))))
    album = str(next(world.serial) + (world.bot.id << 16))
    return [
        world.post(chat, world.bot, caption, media, album=album, reply_to=reply_to).as_json()
        for caption, media in parts
    ]


@method("forwardMessage")
async def forward_message(world: World, params: Params) -> object:
    """Send a message on, with its origin."""
    source = _source(world, params, params.integer("message_id"), "forward")
    return _forward(world, params, source)


@method("forwardMessages")
async def forward_messages(world: World, params: Params) -> object:
    """Send messages on; those that are gone are left out."""
    return [_number(_forward(world, params, source)) for source in _sources(world, params)]


@method("copyMessage")
async def copy_message(world: World, params: Params) -> object:
    """Send a message again as the bot's own."""
    source = _source(world, params, params.integer("message_id"), "copy")
    return _number(_copy(world, params, source))


@method("copyMessages")
async def copy_messages(world: World, params: Params) -> object:
    """Send messages again; those that are gone are left out."""
    return [_number(_copy(world, params, source)) for source in _sources(world, params)]


def _sources(world: World, params: Params) -> list[Message]:
    chat = world.chats.get(params.chat_id("from_chat_id"))
    if chat is None:
        raise bad_request("chat not found")
    return chat.present(checked_list(params.parsed("message_ids"), int, "message_ids"))


def _source(world: World, params: Params, number: int, word: str) -> Message:
    chat = world.chats.get(params.chat_id("from_chat_id"))
    if chat is None:
        raise bad_request("chat not found")
    if number not in chat.messages:
        raise bad_request(f"message to {word} not found")
    return chat.messages[number]


def _forward(world: World, params: Params, source: Message) -> Json:
    chat = world.chat_for_bot(params.chat_id())
    return world.post(
        chat, world.bot, source.text, source.media, origin=source.origin or source
    ).as_json()


def _copy(world: World, params: Params, source: Message) -> Json:
    chat = world.chat_for_bot(params.chat_id())
    changed = "caption" in params.values and source.media is not None
    return world.post(
        chat,
        world.bot,
        caption_of(params) if changed else source.text,
        source.media and replace(source.media),
        markup=markup_of(params),
        reply_to=reply_of(params, chat),
    ).as_json()


def _number(message: Json) -> Json:
    return {"message_id": message["message_id"]}


@method("sendChatAction")
async def send_chat_action(world: World, params: Params) -> object:
    """Show for five seconds that the bot is busy."""
    chat = world.chat_for_bot(params.chat_id())
    action = params.text("action")
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat.log.add({"event": "action", "chat_id": chat.id, "action": action})
    return True
