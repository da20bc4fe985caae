"""From parameters to the parts of a message, each checked as Telegram does."""

from bot.sandbox.entities import Text, parse_html, with_found
from bot.sandbox.errors import Json, bad_request
from bot.sandbox.files import LARGEST_PHOTO
from bot.sandbox.messages import Chat, Media, Message
from bot.sandbox.parameters import Params, Upload, checked_list
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
    return with_found(Text(source, [_entity(given) for given in params.records(entities)]))


def _entity(given: Json) -> Json:
    place = (given.get("offset"), given.get("length"))
    if not isinstance(given.get("type"), str) or not all(type(number) is int for number in place):
        raise bad_request("can't parse MessageEntity: type, offset and length are needed")
    return given


def markup_of(params: Params) -> Json | None:
    """Return the keyboard; an empty inline keyboard is none."""
    markup = params.record("reply_markup")
    if not markup:
        return None
    if "inline_keyboard" not in markup:
        _check_keys(markup)
        return markup
    rows = checked_list(markup["inline_keyboard"], list, "inline_keyboard")
    for row in rows:
        for button in row:
            _check_button(button)
    return {"inline_keyboard": [row for row in rows if row]} if any(rows) else None


def _check_keys(markup: Json) -> None:
    for row in checked_list(markup.get("keyboard"), list, "keyboard"):
        for key in row:
            if not isinstance(key.get("text") if isinstance(key, dict) else key, str):
                raise bad_request("can't parse keyboard button: a text is needed")


def _check_button(button: object) -> None:
    if not isinstance(button, dict):
        raise bad_request("can't parse inline keyboard button: expected an Object")
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
    reply = params.record("reply_parameters") or {}
    number = Params(reply).integer("message_id", params.integer("reply_to_message_id", 0))
    if not number:
        return None
    message = chat.messages.get(number)
    lenient = reply.get("allow_sending_without_reply") or params.flag("allow_sending_without_reply")
    if message is None and not lenient:
        raise bad_request("message to be replied not found")
    return message


def media_of(world: World, params: Params, kind: str, value: object) -> Media:
    """Return the photo or document meant: uploaded, attached, or by file_id."""
    name = str(value or "")
    upload = params.uploads.get(name.removeprefix("attach://") if name else kind)
    if upload is not None:
        return add_media(world, kind, upload, from_bot=True)
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


def add_media(world: World, kind: str, upload: Upload, *, from_bot: bool) -> Media:
    """Keep an uploaded photo or document; a person's app makes a large photo small beforehand."""
    if not upload.content:
        raise bad_request("file must be non-empty")
    if kind == "document":
        file = world.files.add_document(upload.content, upload.name, upload.mime)
        return Media(kind, (file,))
    if from_bot and len(upload.content) > LARGEST_PHOTO:
        raise bad_request(
            f"file of size {len(upload.content)} bytes is too big for a photo; "
            f"the maximum size is {LARGEST_PHOTO} bytes"
        )
    return Media(kind, world.files.add_photo(upload.content, from_bot=from_bot))
