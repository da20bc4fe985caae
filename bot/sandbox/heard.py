"""What a test gets to see of a chat and of the bot's calls."""

from dataclasses import dataclass

from bot.sandbox.errors import Json


@dataclass(frozen=True, slots=True)
class Button:
    """One button under a message."""

    text: str
    data: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as its reader sees it; `text` is the caption where there is a picture or file."""

    id: int
    chat_id: int
    from_bot: bool
    text: str
    buttons: tuple[tuple[Button, ...], ...]
    photo: str
    document: str
    file_name: str
    album: str
    edited: bool
    raw: Json

    def button(self, text: str) -> Button | None:
        """Return the button whose words are, or else contain, `text`."""
        buttons = [button for row in self.buttons for button in row]
        exact = [button for button in buttons if button.text == text]
        return next(iter(exact or [button for button in buttons if text in button.text]), None)


@dataclass(frozen=True, slots=True)
class Toast:
    """The answer to a tap."""

    text: str
    alert: bool
    query_id: str


@dataclass(frozen=True, slots=True)
class Called:
    """One call the bot made; `outcome` is ok, an error code, or lost."""

    number: int
    method: str
    params: Json
    at: float
    outcome: str


def read_message(message: Json) -> Heard:
    """Read a message of the Bot API."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    document = message.get("document", {})
    return Heard(
        id=message["message_id"],
        chat_id=message["chat"]["id"],
        from_bot=message["from"]["is_bot"],
        text=str(message.get("text", message.get("caption", ""))),
        buttons=tuple(
            tuple(Button(b["text"], b.get("callback_data", ""), b.get("url", "")) for b in row)
            for row in rows
        ),
        photo=message["photo"][-1]["file_id"] if "photo" in message else "",
        document=document.get("file_id", ""),
        file_name=document.get("file_name", ""),
        album=message.get("media_group_id", ""),
        edited="edit_date" in message,
        raw=message,
    )
