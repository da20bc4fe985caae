"""How an announcement is spoken of to admins, wherever it is."""

from html import escape

from bot.texts.catalogue import Texts
from classifier.report_texts import Language
from storage import sources
from storage.broadcasts import Broadcast
from storage.recipients import Audience, Crowd
from storage.sources import Source
from storage.transaction import Tx

DROP = "cast_drop"
ANNOUNCEMENT, SAFETY = "announcement", "safety"
NAMES = {Language.CHINESE: "中文", Language.ENGLISH: "English"}


def drop_button(texts: Texts, broadcast_id: int) -> list[tuple[str, str]]:
    """Give the button that throws away what was not begun."""
    return [(texts("broadcast.drop"), f"{DROP}:{broadcast_id}")]


def heading(tx: Tx, texts: Texts, broadcast: Broadcast) -> str:
    """Name an announcement, its kind and its audience."""
    assert broadcast.audience is not None
    return texts(
        "broadcast.heading",
        number=broadcast.id,
        weight=texts(f"broadcast.{SAFETY if broadcast.safety else ANNOUNCEMENT}"),
        to=audience_in_words(tx, texts, broadcast.audience),
    )


def source_name(texts: Texts, source: Source) -> str:
    """Name a clinic; one whose link is retired may have a successor of the same name."""
    retired = source.retired_at is not None
    return texts("broadcast.retired", name=source.name) if retired else source.name


def audience_in_words(tx: Tx, texts: Texts, audience: Audience) -> str:
    """Say who is meant, as HTML."""
    name = ""
    if audience.crowd is Crowd.SOURCE:
        source = next(each for each in sources.listing(tx) if each.id == audience.source_id)
        name = source_name(texts, source)
    if audience.language:
        name = NAMES[Language(audience.language)]
    return texts(f"broadcast.to.{audience.crowd}", name=escape(name))
