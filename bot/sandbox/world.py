"""Everything the sandbox knows, in memory; what people do, and what the bot does to chats."""

import itertools
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from bot.sandbox.clock import Clock
from bot.sandbox.entities import Text
from bot.sandbox.errors import (
    BLOCKED,
    NOT_MEMBER,
    NOT_STARTED,
    QUERY_TOO_OLD,
    ApiError,
    Json,
    bad_request,
)
from bot.sandbox.faults import Faults
from bot.sandbox.files import Files
from bot.sandbox.flood import Flood
from bot.sandbox.messages import Chat, Media, Message, User
from bot.sandbox.personas import Persona
from bot.sandbox.profile import Profile
from bot.sandbox.updates import Updates
from bot.sandbox.webhook import Webhook

# Telegram tells no figure; bots that answer later than about a minute are refused.
QUERY_LIVES = 60
CALLS_KEPT = 200_000
# An id has at most 52 bits.
LARGEST_ID = (1 << 52) - 1


@dataclass(frozen=True, slots=True)
class Call:
    """One call the bot made; `outcome` is ok, an error code, or lost."""

    number: int
    method: str
    params: Json
    at: float
    outcome: str


@dataclass(slots=True)
class Query:
    """A tap on a button that waits for its answer."""

    id: str
    user: User
    chat: Chat
    at: float


@dataclass(slots=True)
class World:
    """The state, and the few ways in which it changes."""

    bot: User
    personas: tuple[Persona, ...] = ()
    # Where a local Bot API server would put files; such a server has no download limit.
    local_files: Path | None = None
    clock: Clock = field(default_factory=Clock)
    users: dict[int, User] = field(default_factory=dict)
    chats: dict[int, Chat] = field(default_factory=dict)
    queries: dict[str, Query] = field(default_factory=dict)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=CALLS_KEPT))
    files: Files = field(default_factory=Files)
    faults: Faults = field(default_factory=Faults)
    updates: Updates = field(default_factory=Updates)
    profile: Profile = field(default_factory=Profile)
    webhook: Webhook = field(init=False)
    # Of messages, taps and albums; as with updates, none comes again after a restart.
    serial: "itertools.count[int]" = field(
        default_factory=lambda: itertools.count(int(time.time()))
    )
    calls_made: int = 0
    # None: as fast as it comes.
    flood: Flood | None = None

    def __post_init__(self) -> None:
        self.webhook = Webhook(self.updates, self.clock)

    def reset(self) -> None:
        """Forget people, chats, calls, faults and a moved clock, not what the bot set up."""
        for chat in self.chats.values():
            chat.log.add({"event": "reset", "chat_id": chat.id})
        for kept in (self.users, self.chats, self.queries, self.calls):
            kept.clear()
        self.faults.clear()
        self.clock.reset()
        self.updates.drop()
        self.flood = None

    def user(self, number: int, **fields: str | bool) -> User:
        """Return a person, made up if new, with the given fields set."""
        user = self.users.get(number)
        if user is None:
            user = self.users[number] = self._newcomer(number)
            self.chats[number] = Chat(id=number, type="private", user=user)
        for name, value in fields.items():
            setattr(user, name, value)
        return user

    def _newcomer(self, number: int) -> User:
        if not 0 < number <= LARGEST_ID or number == self.bot.id:
            raise bad_request(f"a person cannot have the id {number}")
        for persona in self.personas:
            if persona.id == number:
                language = persona.language
                return User(id=number, first_name=persona.name, language_code=language)
        return User(id=number, first_name=f"User {number}")

    def chat_for_bot(self, chat_id: int) -> Chat:
        """Return a chat the bot may write to; ApiError otherwise."""
        chat = self.chats.get(chat_id)
        if chat is None:
            raise bad_request("chat not found")
        if chat.user is not None and chat.user.blocked:
            raise ApiError(403, BLOCKED)
        if chat.user is not None and not chat.user.started:
            raise ApiError(403, NOT_STARTED)
        if not chat.has_bot:
            raise ApiError(403, NOT_MEMBER)
        return chat

    def post(
        self,
        chat: Chat,
        sender: User,
        text: Text,
        media: Media | None = None,
        *,
        album: str = "",
        markup: Json | None = None,
        reply_to: Message | None = None,
        origin: Message | None = None,
    ) -> Message:
        """Put a message into a chat; the bot hears of a person's."""
        message = Message(
            id=next(self.serial),
            chat=chat,
            sender=sender,
            date=int(self.clock.now()),
            text=text,
            media=media,
            album=album,
            markup=markup,
            reply_to=reply_to,
            origin=origin,
        )
        chat.messages[message.id] = message
        if markup is not None and "inline_keyboard" not in markup:
            chat.keyboard = markup if "keyboard" in markup else None
        body = message.as_json()
        keyboard = {} if "inline_keyboard" in (markup or {}) else {"keyboard": chat.keyboard}
        asks = {"force_reply": True} if "force_reply" in (markup or {}) else {}
        event: Json = {"event": "message", "chat_id": chat.id, "message": body}
        chat.log.add(event | keyboard | asks)
        if not sender.is_bot:
            self.updates.push("message", body)
        return message

    def edit(self, message: Message, shown: bool = True) -> None:
        """Tell of a message that was changed; new buttons alone do not make it `shown` edited."""
        if shown:
            message.edited = int(self.clock.now())
        body = message.as_json()
        message.chat.log.add({"event": "edited", "chat_id": message.chat.id, "message": body})
        if not message.sender.is_bot:
            self.updates.push("edited_message", body)

    def delete(self, message: Message) -> None:
        """Take a message out of its chat."""
        chat = message.chat
        chat.messages.pop(message.id, None)
        chat.log.add({"event": "deleted", "chat_id": chat.id, "message_id": message.id})

    def tap(self, user: User, message: Message, data: str) -> str:
        """Press a button with callback data; return the id of the query."""
        number = str(next(self.serial) + (self.bot.id << 20))
        self.queries[number] = Query(number, user, message.chat, self.clock.now())
        self.updates.push(
            "callback_query",
            {
                "id": number,
                "from": user.as_json(),
                "message": message.as_json(),
                "chat_instance": str(message.chat.id),
                "data": data,
            },
        )
        return number

    def take_query(self, number: str) -> Query:
        """Return a query to answer; only once, and not too late."""
        query = self.queries.pop(number, None)
        if query is None or self.clock.now() - query.at > QUERY_LIVES:
            raise bad_request(QUERY_TOO_OLD)
        return query

    def change_membership(self, chat: Chat, by: User, *, was: str, now: str) -> None:
        """Tell the bot that it was let in, thrown out, blocked or unblocked."""
        bot = self.bot.as_json()
        until = {"until_date": 0}
        self.updates.push(
            "my_chat_member",
            {
                "chat": chat.as_json(),
                "from": by.as_json(),
                "date": int(self.clock.now()),
                "old_chat_member": {"user": bot, "status": was}
                | (until if was == "kicked" else {}),
                "new_chat_member": {"user": bot, "status": now}
                | (until if now == "kicked" else {}),
            },
        )

    def record(self, method: str, params: Json, outcome: str) -> None:
        """Remember a call of the bot."""
        self.calls_made += 1
        self.calls.append(Call(self.calls_made, method, params, self.clock.now(), outcome))
