"""Texts with entities: HTML as the Bot API reads it, and what Telegram finds by itself.

Offsets and lengths count UTF-16 units, as everywhere in the Bot API.
"""

import re
from dataclasses import dataclass, field
from html import unescape

from bot.sandbox.errors import ApiError, Json, bad_request

_SIMPLE = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
_TAG = re.compile(r"<(/?)([a-zA-Z0-9-]*)([^<>]*)>")
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
_REFERENCE = re.compile(r"&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")
_FOUND = re.compile(
    r"(?P<url>https?://[!#-;=?-~]*[A-Za-z0-9/=&#%_-])"
    r"|(?P<bot_command>(?<![\w/])/[a-zA-Z0-9_]{1,64}(?:@\w{3,32})?(?![\w/]))"
    r"|(?P<mention>(?<![\w@])@[a-zA-Z0-9_]{4,32}\b)"
    r"|(?P<hashtag>(?<![\w#])#\w+)"
)
_CLOSED_TO_FINDING = {"code", "pre", "text_link"}


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text and the entities in it."""

    plain: str = ""
    entities: list[Json] = field(default_factory=list)


def units(text: str) -> int:
    """Count UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def with_found(text: Text) -> Text:
    """Strip the text and add the commands, links, mentions and hashtags Telegram would see."""
    leading = units(text.plain) - units(text.plain.lstrip())
    plain = text.plain.strip()
    length = units(plain)
    kept = []
    for entity in text.entities:
        start = max(entity["offset"] - leading, 0)
        end = min(entity["offset"] - leading + entity["length"], length)
        if end > start:
            kept.append(entity | {"offset": start, "length": end - start})
    closed = [entity for entity in kept if entity["type"] in _CLOSED_TO_FINDING]
    found = []
    for match in _FOUND.finditer(plain):
        start, size = units(plain[: match.start()]), units(match.group())
        if not any(
            e["offset"] < start + size and start < e["offset"] + e["length"] for e in closed
        ):
            found.append({"type": str(match.lastgroup), "offset": start, "length": size})
    order = sorted(kept + found, key=lambda e: (e["offset"], -e["length"]))
    return Text(plain, order)


def parse_html(source: str) -> Text:
    """Read the Bot API's HTML; an unknown or unbalanced tag is an error, as there."""
    return _Html(source).parse()


@dataclass(slots=True)
class _Open:
    tag: str
    entity: Json


class _Html:
    def __init__(self, source: str) -> None:
        self._source = source
        self._plain: list[str] = []
        self._length = 0
        self._open: list[_Open] = []
        self._entities: list[Json] = []

    def parse(self) -> Text:
        position = 0
        while (start := self._source.find("<", position)) >= 0:
            self._add(self._source[position:start])
            match = _TAG.match(self._source, start)
            if match is None:
                raise self._error(f"Unclosed start tag at byte offset {self._byte(start)}")
            closing, tag, attributes = match.groups()
            if closing:
                self._close(tag.lower(), start)
            else:
                self._begin(tag.lower(), attributes, start)
            position = match.end()
        self._add(self._source[position:])
        if self._open:
            tag = self._open[-1].tag
            where = self._byte(len(self._source))
            raise self._error(
                f'Can\'t find end tag corresponding to start tag "{tag}" at byte offset {where}'
            )
        return Text("".join(self._plain), [e for e in self._entities if e["length"]])

    def _add(self, text: str) -> None:
        text = _REFERENCE.sub(lambda match: unescape(match.group()), text)
        self._plain.append(text)
        self._length += units(text)

    def _begin(self, tag: str, attributes: str, start: int) -> None:
        given = {
            match[1].lower(): unescape(match[2] or match[3] or match[4] or "")
            for match in _ATTRIBUTE.finditer(attributes)
        }
        entity = self._entity(tag, given)
        if entity is None:
            raise self._error(f'Unsupported start tag "{tag}" at byte offset {self._byte(start)}')
        self._open.append(_Open(tag, entity | {"offset": self._length, "length": 0}))
        self._entities.append(self._open[-1].entity)

    @staticmethod
    def _entity(tag: str, given: dict[str, str]) -> Json | None:
        if tag == "a":
            return {"type": "text_link", "url": given.get("href", "")}
        if tag == "span":
            return {"type": "spoiler"} if given.get("class") == "tg-spoiler" else None
        if tag == "tg-emoji":
            return {"type": "custom_emoji", "custom_emoji_id": given.get("emoji-id", "")}
        if tag == "blockquote" and "expandable" in given:
            return {"type": "expandable_blockquote"}
        if tag == "code" and given.get("class", "").startswith("language-"):
            return {"type": "code", "language": given["class"].removeprefix("language-")}
        return {"type": _SIMPLE[tag]} if tag in _SIMPLE else None

    def _close(self, tag: str, start: int) -> None:
        where = self._byte(start)
        if not self._open:
            raise self._error(f"Unexpected end tag at byte offset {where}")
        last = self._open.pop()
        if tag and tag != last.tag:
            raise self._error(
                f"Unmatched end tag at byte offset {where}, "
                f'expected "</{last.tag}>", found "</{tag}>"'
            )
        last.entity["length"] = self._length - last.entity["offset"]
        language = last.entity.pop("language", None) if last.tag == "code" else None
        if language and self._open and self._open[-1].tag == "pre":
            self._open[-1].entity["language"] = language
            last.entity["length"] = 0

    def _byte(self, index: int) -> int:
        return len(self._source[:index].encode())

    @staticmethod
    def _error(text: str) -> ApiError:
        return bad_request(f"can't parse entities: {text}")
