"""From parameters to the parts of a message, each checked as Telegram does."""

from bot.sandbox.entities import Text, parse_html, with_found
from bot.sandbox.errors import Json, bad_request
from bot.sandbox.files import LARGEST_PHOTO
from bot.sandbox.messages import Chat, Media, Message
from bot.sandbox.parameters import Params, Upload
from bot.sandbox.world import World

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
LONGEST_CALLBACK_DATA = 64
_BUTTON_ACTIONS = (
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "copy_text",
    "pay",
)


def text_of(params: Params) -> Text:
    """Return the text of a message, which cannot be empty."""
    text = _parse(params.text("text"), params, "entities")
    if not text.plain:
        raise bad_request("message text is empty")
    return text


def checked_text(params: Params, too_long: str) -> Text:
    """Return the text, or refuse it with the words of the method."""
    text = text_of(params)
    if len(text.plain) > LONGEST_TEXT:
        raise bad_request(too_long)
    return text


def caption_of(params: Params) -> Text:
    """Return the caption, which can be empty."""
    text = _parse(params.text("caption"), params, "caption_entities")
    if len(text.plain) > LONGEST_CAPTION:
        raise bad_request("message caption is too long")
    return text


def _parse(source: str, params: Params, entities: str) -> Text:
    mode = params.text("parse_mode").lower()
    if mode == "html":
        return with_found(parse_html(source))
    if mode in {"markdown", "markdownv2"}:
        raise bad_request("can't parse entities: the sandbox reads HTML only")
    if mode:
        raise bad_request("unsupported parse_mode")
    return with_found(Text(source, params.parsed(entities) or []))


def markup_of(params: Params) -> Json | None:
    """Return the keyboard; an empty inline keyboard is none."""
    markup = params.parsed("reply_markup")
    if not markup:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    rows = markup.get("inline_keyboard")
    if rows is None:
        return markup
    for row in rows:
        for button in row:
            _check_button(button)
    return {"inline_keyboard": [row for row in rows if row]} if any(rows) else None


def _check_button(button: Json) -> None:
    if not str(button.get("text", "")).strip():
        raise bad_request("can't parse inline keyboard button: Text of the button is empty")
    if not any(name in button for name in _BUTTON_ACTIONS):
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
    data = button.get("callback_data")
    if data is not None and not 1 <= len(str(data).encode()) <= LONGEST_CALLBACK_DATA:
        raise bad_request("BUTTON_DATA_INVALID")


def reply_of(params: Params, chat: Chat) -> Message | None:
    """Return the message replied to."""
    reply = params.parsed("reply_parameters") or {}
    number = reply.get("message_id") or params.integer("reply_to_message_id", 0)
    if not number:
        return None
    message = chat.messages.get(int(number))
    lenient = reply.get("allow_sending_without_reply") or params.flag("allow_sending_without_reply")
    if message is None and not lenient:
        raise bad_request("message to be replied not found")
    return message


def media_of(world: World, params: Params, kind: str, value: object) -> Media:
    """Return the photo or document meant: uploaded, attached, or by file_id."""
    name = str(value or "")
    upload = params.uploads.get(name.removeprefix("attach://") if name else kind)
    if upload is not None:
        return add_media(world, kind, upload)
    if not name:
        raise bad_request(f"there is no {kind} in the request")
    if name.startswith(("http://", "https://")):
        raise bad_request("failed to get HTTP URL content")
    file = world.files.find(name)
    if file is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    found = "photo" if file.side else "document"
    if found != kind:
        raise bad_request(f"can't use file of type {found.title()} as {kind.title()}")
    return Media(kind, world.files.same_photo(file) if file.side else (file,))


def add_media(world: World, kind: str, upload: Upload) -> Media:
    """Keep an uploaded photo or document."""
    if not upload.content:
        raise bad_request("file must be non-empty")
    if kind == "document":
        file = world.files.add_document(upload.content, upload.name, upload.mime)
        return Media(kind, (file,))
    if len(upload.content) > LARGEST_PHOTO:
        raise bad_request(
            f"file of size {len(upload.content)} bytes is too big for a photo; "
            f"the maximum size is {LARGEST_PHOTO} bytes"
        )
    return Media(kind, world.files.add_photo(upload.content))
