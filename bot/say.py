"""Writing into the outbox: what a person is to read, in the transaction that decides it."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from telegram import Update

from bot.texts.catalogue import Texts
from storage import outbox
from storage.outbox import Outgoing, OutKind
from storage.pause import Pause
from storage.transaction import Tx

# Rows of (label, callback data).
Buttons = Sequence[Sequence[tuple[str, str]]]


def unanswered(texts: Texts, sentence: str) -> str:
    """Add when not to wait to what is said in place of an answer."""
    return f"{sentence}\n\n{texts('urgent')}"


def paused(texts: Texts, resting: Pause) -> str:
    """Say that nothing is taken in just now, and what an admin adds to it."""
    added = [escape(resting.message)] if resting.message else []
    return "\n\n".join([texts("pause.patient"), *added])


def say(
    tx: Tx,
    key: str,
    chat: int,
    text: str,
    buttons: Buttons = (),
    *,
    case_id: int | None = None,
    fleeting: bool = False,
) -> None:
    """Have a message sent; `text` is HTML with every value escaped."""
    payload = {"text": text, "buttons": buttons}
    _write(tx, key, chat, OutKind.MESSAGE, payload, case_id=case_id, fleeting=fleeting)


def edit(
    tx: Tx,
    key: str,
    chat: int,
    target: str,
    text: str,
    buttons: Buttons = (),
    *,
    case_id: int | None = None,
    captioned: bool = False,
) -> None:
    """Have an earlier message changed; edits of it that still wait are dropped.

    What stands under a picture is its caption, and `captioned`.
    """
    outbox.drop_edits(tx, target)
    _write(
        tx,
        key,
        chat,
        OutKind.EDIT,
        {"text": text, "buttons": buttons, "captioned": captioned},
        case_id=case_id,
        target=target,
    )


def edit_here(
    tx: Tx,
    key: str,
    update: Update,
    text: str,
    buttons: Buttons = (),
    *,
    fleeting: bool = False,
) -> None:
    """Have the message whose button was tapped changed; its buttons go, or others come."""
    query = update.callback_query
    assert query is not None
    if query.message is None:
        return
    _write(
        tx,
        key,
        query.message.chat.id,
        OutKind.EDIT,
        {"text": text, "buttons": buttons, "message_id": query.message.message_id},
        fleeting=fleeting,
    )


def show(
    tx: Tx,
    key: str,
    chat: int,
    image_id: str,
    caption: str,
    buttons: Buttons = (),
    *,
    case_id: int | None = None,
) -> None:
    """Have a stored picture sent."""
    _write(
        tx,
        key,
        chat,
        OutKind.PHOTO,
        {"text": caption, "buttons": buttons},
        case_id=case_id,
        image_id=image_id,
    )


def show_album(
    tx: Tx,
    key: str,
    chat: int,
    build: str,
    images: Sequence[str],
    caption: str,
    *,
    case_id: int | None = None,
) -> None:
    """Have two to ten pictures sent together; `build` makes each, told its name as `image`."""
    payload = {"text": caption, "build": build, "images": images}
    _write(tx, key, chat, OutKind.ALBUM, payload, case_id=case_id)


def send_file(
    tx: Tx,
    key: str,
    chat: int,
    build: str,
    caption: str,
    *,
    case_id: int | None = None,
    fleeting: bool = False,
    **values: object,
) -> None:
    """Have a file sent that `build` names; `values` tell its builder which."""
    payload = {"text": caption, "build": build, **values}
    _write(tx, key, chat, OutKind.DOCUMENT, payload, case_id=case_id, fleeting=fleeting)


def show_made(
    tx: Tx,
    key: str,
    chat: int,
    build: str,
    caption: str,
    buttons: Buttons = (),
    *,
    case_id: int | None = None,
    fleeting: bool = False,
    **values: object,
) -> None:
    """Have a picture sent that `build` names; `values` tell its builder which."""
    payload = {"text": caption, "buttons": buttons, "build": build, **values}
    _write(tx, key, chat, OutKind.PHOTO, payload, case_id=case_id, fleeting=fleeting)


def _write(
    tx: Tx, key: str, chat: int, kind: OutKind, payload: Mapping[str, object], **where: Any
) -> None:
    outbox.enqueue(tx, Outgoing(key=key, chat_id=chat, kind=kind, payload=payload, **where))
