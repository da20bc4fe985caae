"""People, chats and messages, and how the Bot API tells of them."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.sandbox.entities import Text
from bot.sandbox.errors import Json
from bot.sandbox.files import StoredFile


@dataclass(slots=True, kw_only=True)
class User:
    """A person, or the bot."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = "en"
    is_bot: bool = False
    # Telegram lets a bot write only to those who wrote to it, and not to those who blocked it.
    started: bool = False
    blocked: bool = False

    def as_json(self) -> Json:
        """Return a User."""
        body: Json = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        if self.last_name:
            body["last_name"] = self.last_name
        if self.username:
            body["username"] = self.username
        return body if self.is_bot else body | {"language_code": self.language_code}


@dataclass(frozen=True, slots=True)
class Media:
    """What a message carries: a photo's sizes, a document, or a plain payload of another kind."""

    kind: str
    files: tuple[StoredFile, ...] = ()
    payload: Json | None = None

    @property
    def unique_id(self) -> str:
        """Return what is the same for the same content."""
        return self.files[-1].unique_id if self.files else ""

    def as_json(self) -> object:
        """Return the value of the message's field `kind`."""
        if self.kind == "photo":
            return [file.as_json() for file in self.files]
        return self.files[0].as_json() if self.files else self.payload


@dataclass(slots=True, kw_only=True)
class Message:
    """One message; `text` is the caption where there is media."""

    id: int
    chat: "Chat"
    sender: User
    date: int
    text: Text = field(default_factory=Text)
    media: Media | None = None
    album: str = ""
    markup: Json | None = None
    reply_to: "Message | None" = None
    origin: "Message | None" = None
    edited: int = 0

    def as_json(self, depth: int = 1) -> Json:
        """Return a Message, with the one it replies to."""
        body: Json = {
            "message_id": self.id,
            "from": self.sender.as_json(),
            "chat": self.chat.as_json(),
            "date": self.date,
        }
        if self.media is not None:
            body[self.media.kind] = self.media.as_json()
        word, prefix = ("text", "") if self.media is None else ("caption", "caption_")
        if self.text.plain:
            body[word] = self.text.plain
            if self.text.entities:
                body[f"{prefix}entities"] = self.text.entities
        if self.album:
            body["media_group_id"] = self.album
        if self.markup and "inline_keyboard" in self.markup:
            body["reply_markup"] = self.markup
        if self.edited:
            body["edit_date"] = self.edited
        if self.reply_to is not None and depth:
            body["reply_to_message"] = self.reply_to.as_json(depth - 1)
        if self.origin is not None:
            body["forward_origin"] = {
                "type": "user",
                "sender_user": self.origin.sender.as_json(),
                "date": self.origin.date,
            }
        return body


class Log:
    """What happened in a chat, for those who watch it."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self._changed = asyncio.Event()
        self._watchers: set[asyncio.Queue[Json]] = set()

    def add(self, event: Json) -> None:
        """Write down an event and wake whoever waits."""
        self.events.append(event)
        self._changed.set()
        self._changed = asyncio.Event()
        for watcher in self._watchers:
            watcher.put_nowait(event)

    async def after(self, seen: int, seconds: float) -> list[Json]:
        """Return the events after the first `seen`, waiting for one."""
        if len(self.events) <= seen and seconds > 0:
            try:
                await asyncio.wait_for(self._changed.wait(), seconds)
            except TimeoutError:
                return []
        return self.events[seen:]

    def watch(self, queue: "asyncio.Queue[Json]") -> None:
        """Put coming events into the queue too."""
        self._watchers.add(queue)

    def unwatch(self, queue: "asyncio.Queue[Json]") -> None:
        """Stop that."""
        self._watchers.discard(queue)


@dataclass(slots=True, kw_only=True)
class Chat:
    """A private chat has its user's id; a group a negative one."""

    id: int
    type: str
    title: str = ""
    user: User | None = None
    members: dict[int, User] = field(default_factory=dict)
    has_bot: bool = True
    messages: dict[int, Message] = field(default_factory=dict)
    # The reply keyboard under the input field; not part of any one message.
    keyboard: Json | None = None
    log: Log = field(default_factory=Log)

    def as_json(self) -> Json:
        """Return a Chat."""
        body: Json = {"id": self.id, "type": self.type}
        if self.user is None:
            return body | {"title": self.title}
        body["first_name"] = self.user.first_name
        if self.user.last_name:
            body["last_name"] = self.user.last_name
        if self.user.username:
            body["username"] = self.user.username
        return body

    def present(self, ids: Iterable[int]) -> list[Message]:
        """Return the messages that are still there."""
        return [self.messages[number] for number in ids if number in self.messages]
