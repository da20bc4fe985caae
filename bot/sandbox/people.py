"""What people do in their chats: the acts behind the control interface."""

import mimetypes
from collections.abc import Sequence

from bot.sandbox.composing import LONGEST_CAPTION, LONGEST_TEXT, add_media
from bot.sandbox.entities import Text, with_found
from bot.sandbox.errors import Json, bad_request
from bot.sandbox.messages import Chat, Media, Message, User
from bot.sandbox.parameters import CHAT_ID, Upload
from bot.sandbox.world import World

LARGEST_ALBUM = 10
_SOME_FILE = {"file_id": "CAAC-sandbox", "file_unique_id": "sandbox"}
_SIZED = {"width": 512, "height": 512}
# What a person can also send, as the Bot API tells of it.
OTHER_KINDS: dict[str, Json] = {
    "sticker": _SOME_FILE
    | _SIZED
    | {"type": "regular", "is_animated": False, "is_video": False, "emoji": "👍"},
    "voice": _SOME_FILE | {"duration": 3, "mime_type": "audio/ogg"},
    "audio": _SOME_FILE | {"duration": 3},
    "video": _SOME_FILE | _SIZED | {"duration": 3},
    "video_note": _SOME_FILE | {"length": 240, "duration": 3},
    "animation": _SOME_FILE | _SIZED | {"duration": 3},
    "location": {"latitude": 31.23, "longitude": 121.47},
    "contact": {"phone_number": "+10000000000", "first_name": "Somebody"},
    "dice": {"emoji": "🎲", "value": 3},
    "poll": {
        "id": "1",
        "question": "?",
        "options": [],
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": False,
        "allows_revoting": False,
        "members_only": False,
    },
}


def chat_at(world: World, given: str) -> Chat:
    """Return the chat of a number; a person's is made with the person."""
    if not CHAT_ID.fullmatch(given):
        raise bad_request(f"{given} is not the number of a chat")
    number = int(given)
    if number > 0:
        world.user(number)
    if number not in world.chats:
        raise bad_request("chat not found")
    return world.chats[number]


def chat_of(world: World, user: User, chat_id: int | None) -> Chat:
    """Return the private chat, or the group with this person in it."""
    chat = world.chats.get(chat_id or user.id)
    if chat is None or (chat.user is None and user.id not in chat.members):
        raise bad_request("chat not found")
    if chat.user is not None and chat.user is not user:
        raise bad_request("that is another person's chat")
    return chat


def say(world: World, user: User, chat: Chat, text: str, reply_to: int = 0) -> Message:
    """Send text; a first message starts the bot, and to write is to unblock."""
    words = with_found(Text(text))
    if not words.plain:
        raise bad_request("message text is empty")
    if len(words.plain) > LONGEST_TEXT:
        raise bad_request("message is too long")
    reply = replied(chat, reply_to)
    open_chat(world, user, chat)
    return world.post(chat, user, words, reply_to=reply)


def replied(chat: Chat, number: int) -> Message | None:
    """Return the message that is answered; 0 is none."""
    if number and number not in chat.messages:
        raise bad_request("message to be replied not found")
    return chat.messages.get(number)


def send_other(world: World, user: User, chat: Chat, kind: str) -> Message:
    """Send a sticker, a voice message or another thing the sandbox only pretends to have."""
    if kind not in OTHER_KINDS:
        raise bad_request(f"the sandbox knows no {kind}")
    open_chat(world, user, chat)
    return world.post(chat, user, Text(), Media(kind, payload=OTHER_KINDS[kind]))


def send_files(
    world: World,
    user: User,
    chat: Chat,
    kind: str,
    uploads: Sequence[Upload],
    caption: str = "",
    reply_to: int = 0,
) -> list[Message]:
    """Send photos or documents; several become albums, each part a message of its own."""
    if kind not in {"photo", "document"}:
        raise bad_request("files are sent as photo or document")
    if not uploads:
        raise bad_request("there is no file in the request")
    words = with_found(Text(caption))
    if len(words.plain) > LONGEST_CAPTION:
        raise bad_request("message caption is too long")
    reply = replied(chat, reply_to)
    media = [add_media(world, kind, upload, from_bot=False) for upload in uploads]
    open_chat(world, user, chat)
    sent = []
    for start in range(0, len(media), LARGEST_ALBUM):
        part = media[start : start + LARGEST_ALBUM]
        album = str(next(world.serial) + (world.bot.id << 16)) if len(part) > 1 else ""
        for index, item in enumerate(part, start):
            text = Text() if index else words
            sent.append(world.post(chat, user, text, item, album=album, reply_to=reply))
    return sent


def edit(world: World, user: User, chat: Chat, number: int, text: str) -> None:
    """Change one's own message."""
    message = chat.messages.get(number)
    if message is None or message.sender is not user:
        raise bad_request("message to edit not found")
    words = with_found(Text(text))
    most = LONGEST_CAPTION if message.media else LONGEST_TEXT
    if len(words.plain) > most or not (words.plain or message.media):
        raise bad_request(f"an edited message has 1-{most} characters")
    message.text = words
    world.edit(message)


def tap(world: World, user: User, chat: Chat, number: int, data: str) -> str:
    """Press a button that is there now."""
    message = chat.messages.get(number)
    if message is None:
        raise bad_request("message to tap not found")
    rows = (message.markup or {}).get("inline_keyboard", [])
    if not any(button.get("callback_data") == data for row in rows for button in row):
        raise bad_request("there is no such button")
    return world.tap(user, message, data)


def block(world: World, user: User, blocked: bool) -> None:
    """Stop the bot, or let it write again; the bot is told."""
    if user.blocked == blocked:
        return
    user.blocked = blocked
    was, now = ("member", "kicked") if blocked else ("kicked", "member")
    world.change_membership(world.chats[user.id], user, was=was, now=now)


def open_chat(world: World, user: User, chat: Chat) -> None:
    """Let the bot write here from now on."""
    if chat.user is not None:
        user.started = True
        block(world, user, False)


def guess_mime(name: str, told: str) -> str:
    """Return what a client would say the file is."""
    if told and told != "application/octet-stream":
        return told
    if name.lower().endswith((".dcm", ".dicom")):
        return "application/dicom"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
