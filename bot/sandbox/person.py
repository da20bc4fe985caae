"""One person of a test's story."""

import time
from collections.abc import Callable, Sequence

from bot.sandbox.errors import Json
from bot.sandbox.heard import Heard, Toast, read_message
from bot.sandbox.wire import Refused, Wire

# A machine may stand still for half a minute. Shorter than the longest rest in a story of the bot:
# a bell that was not rung has to be noticed.
PATIENCE = 45.0


class User:
    """One person: what they do returns once Telegram has it, not once the bot answered."""

    def __init__(self, wire: Wire, number: int) -> None:
        self.id = number
        self._wire = wire
        self._news: Json = {}
        self._seen: dict[int, int] = {}
        self._toasts_seen = 0

    def introduce(self, name: str, language: str) -> None:
        """Set what the bot will be told of this person."""
        told = {"first_name": name, "language_code": language}
        self._news |= {field: value for field, value in told.items() if value}

    async def starts(self, token: str = "") -> Json:
        """Press START, or come by a deep link."""
        return await self.says(f"/start {token}".strip())

    async def says(self, text: str, *, chat: int | None = None, reply_to: int = 0) -> Json:
        """Send text; return the message as the Bot API tells of it."""
        return await self._act("messages", {"text": text, "chat_id": chat, "reply_to": reply_to})

    async def sends(self, kind: str, *, chat: int | None = None) -> Json:
        """Send a sticker, voice, video, location, contact, … (see `people.OTHER_KINDS`)."""
        return await self._act("messages", {"kind": kind, "chat_id": chat})

    async def sends_photo(
        self, picture: bytes, caption: str = "", *, chat: int | None = None
    ) -> Json:
        """Send a picture as a photo."""
        sent = await self._send([("photo.jpg", picture)], caption, "photo", chat)
        return sent[0]

    async def sends_file(
        self,
        content: bytes,
        name: str = "scan.dcm",
        caption: str = "",
        *,
        chat: int | None = None,
        reply_to: int = 0,
    ) -> Json:
        """Send a file as it is."""
        sent = await self._send([(name, content)], caption, "document", chat, reply_to)
        return sent[0]

    async def sends_album(
        self,
        files: Sequence[bytes | tuple[str, bytes]],
        caption: str = "",
        *,
        as_files: bool = False,
        chat: int | None = None,
    ) -> list[Json]:
        """Send pictures, or (name, content) as files, as one album."""
        named = [
            (f"photo{index}.jpg", file) if isinstance(file, bytes) else file
            for index, file in enumerate(files)
        ]
        return await self._send(named, caption, "document" if as_files else "photo", chat)

    async def taps(
        self, button: str, message: Heard | None = None, *, within: float = PATIENCE
    ) -> str:
        """Press a button by its words, of a message or of the newest that has it; wait for it."""
        if message is None:
            message = await self._until(
                self.id, lambda heard: heard.button(button) is not None, within, button
            )
        found = message.button(button)
        if found is None or not found.data:
            raise Refused(f"there is no button {button!r}")
        body = {"message_id": message.id, "data": found.data, "chat_id": message.chat_id}
        tapped = await self._act("taps", body)
        return str(tapped["query_id"])

    async def edits(self, message_id: int, text: str) -> None:
        """Change one's own message."""
        await self._act("edits", {"message_id": message_id, "text": text})

    async def blocks(self) -> None:
        """Block the bot."""
        await self._act("block", {"blocked": True})

    async def unblocks(self) -> None:
        """Let the bot write again."""
        await self._act("block", {"blocked": False})

    async def hears(self, *, within: float = PATIENCE, chat: int | None = None) -> Heard:
        """Return the bot's next message not heard yet, as it stands now."""
        heard = await self._next(chat or self.id, within)
        if heard is None:
            raise AssertionError(f"user {self.id} heard nothing for {within} s")
        return heard

    async def hears_photo(self, *, within: float = PATIENCE, chat: int | None = None) -> Heard:
        """Return the next message with a picture; others on the way count as heard."""
        deadline = time.monotonic() + within
        while True:
            heard = await self.hears(within=max(deadline - time.monotonic(), 0), chat=chat)
            if heard.photo:
                return heard

    async def hears_nothing(self, seconds: float = 0.5, *, chat: int | None = None) -> None:
        """Wait, and fail if the bot writes."""
        heard = await self._next(chat or self.id, seconds)
        if heard is not None:
            raise AssertionError(f"user {self.id} heard {heard.text!r}")

    async def sees(
        self,
        text: str,
        *,
        of: Heard | None = None,
        within: float = PATIENCE,
        chat: int | None = None,
    ) -> Heard:
        """Wait until a message of the bot, any or a given one, holds these words; edits count."""

        def wanted(heard: Heard) -> bool:
            return text in heard.text and (of is None or heard.id == of.id)

        return await self._until(chat or self.id, wanted, within, text)

    async def sees_toast(self, *, within: float = PATIENCE, chat: int | None = None) -> Toast:
        """Return the next answer to a tap of this person."""
        deadline = time.monotonic() + within
        while True:
            left = deadline - time.monotonic()
            for event in await self._events(chat or self.id, self._toasts_seen, max(left, 0)):
                self._toasts_seen += 1
                if event["event"] == "answer" and event["user_id"] == self.id:
                    return Toast(event["text"], event["alert"], event["query_id"])
            if left <= 0:
                raise AssertionError(f"user {self.id} saw no answer to a tap for {within} s")

    async def messages(self, *, chat: int | None = None) -> list[Heard]:
        """Return all that stands in the chat now, one's own too."""
        told = await self._wire.get(f"/sim/chats/{chat or self.id}/messages")
        return [read_message(message) for message in told["messages"]]

    async def actions(self) -> list[str]:
        """Return the chat actions shown so far."""
        events = await self._events(self.id, 0, 0)
        return [event["action"] for event in events if event["event"] == "action"]

    async def menu(self, *, chat: int | None = None) -> dict[str, str]:
        """Return the commands offered to this person, with their descriptions."""
        await self._arrive()
        told = await self._wire.get(f"/sim/users/{self.id}/menu", {"chat_id": chat or self.id})
        return {command["command"]: command["description"] for command in told["commands"]}

    async def downloads(self, message: Heard) -> bytes:
        """Return the largest picture, or the file, of a message."""
        return await self._wire.file(message.photo or message.document)

    async def _arrive(self) -> None:
        if self._news:
            await self._wire.post("/sim/users", {"users": [{"id": self.id} | self._news]})
            self._news = {}

    async def _act(self, what: str, body: Json) -> Json:
        await self._arrive()
        done: Json = await self._wire.post(f"/sim/users/{self.id}/{what}", body)
        return done

    async def _send(
        self,
        files: list[tuple[str, bytes]],
        caption: str,
        kind: str,
        chat: int | None,
        reply_to: int = 0,
    ) -> list[Json]:
        await self._arrive()
        fields = {"as": kind, "caption": caption, "reply_to": str(reply_to)}
        if chat is not None:
            fields["chat_id"] = str(chat)
        sent: list[Json] = await self._wire.upload(f"/sim/users/{self.id}/files", fields, files)
        return sent

    async def _events(self, chat: int, after: int, wait: float) -> list[Json]:
        path = f"/sim/chats/{chat}/events"
        events: list[Json] = await self._wire.get(path, {"after": after, "wait": wait})
        return events

    async def _next(self, chat: int, within: float) -> Heard | None:
        deadline = time.monotonic() + within
        while True:
            left = deadline - time.monotonic()
            for event in await self._events(chat, self._seen.get(chat, 0), max(left, 0)):
                self._seen[chat] = self._seen.get(chat, 0) + 1
                if event["event"] == "message" and event["message"]["from"]["is_bot"]:
                    return await self._as_it_stands(chat, event["message"])
            if left <= 0:
                return None

    async def _as_it_stands(self, chat: int, message: Json) -> Heard:
        now = {heard.id: heard for heard in await self.messages(chat=chat)}
        return now.get(message["message_id"]) or read_message(message)

    async def _until(
        self, chat: int, wanted: Callable[[Heard], bool], within: float, what: str
    ) -> Heard:
        deadline = time.monotonic() + within
        while True:
            told = await self._wire.get(f"/sim/chats/{chat}/messages")
            messages = [read_message(message) for message in reversed(told["messages"])]
            for heard in messages:
                if heard.from_bot and wanted(heard):
                    return heard
            left = deadline - time.monotonic()
            if left <= 0:
                texts = [heard.text for heard in messages]
                raise AssertionError(f"user {self.id} does not see {what!r} in {texts}")
            await self._events(chat, told["events"], left)
