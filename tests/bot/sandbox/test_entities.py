"""HTML as Telegram reads it."""

import pytest

from bot.sandbox.entities import Text, parse_html, with_found
from bot.sandbox.errors import ApiError


def kinds(text: Text) -> list[tuple[str, str]]:
    units = text.plain.encode("utf-16-le")
    return [
        (e["type"], units[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le"))
        for e in text.entities
    ]


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("b", "bold"),
        ("strong", "bold"),
        ("i", "italic"),
        ("em", "italic"),
        ("u", "underline"),
        ("s", "strikethrough"),
        ("code", "code"),
        ("pre", "pre"),
        ("blockquote", "blockquote"),
        ("tg-spoiler", "spoiler"),
    ],
)
def test_each_tag_becomes_its_entity(tag: str, kind: str) -> None:
    assert kinds(parse_html(f"a <{tag}>b</{tag}> c")) == [(kind, "b")]


def test_offsets_count_utf16_units() -> None:
    assert kinds(parse_html("🫁🫁 <b>肺🫁</b>")) == [("bold", "肺🫁")]


def test_tags_nest() -> None:
    text = parse_html("<b>all <i>both</i></b>")
    assert kinds(text) == [("bold", "all both"), ("italic", "both")]


def test_links_keep_their_address() -> None:
    text = parse_html('<a href="https://example.org/?a=1&amp;b=2">here</a>')
    assert text.entities[0]["url"] == "https://example.org/?a=1&b=2"


def test_a_language_belongs_to_its_block() -> None:
    text = parse_html('<pre><code class="language-python">x</code></pre>')
    assert text.entities == [{"type": "pre", "offset": 0, "length": 1, "language": "python"}]


def test_references_become_characters() -> None:
    assert parse_html("&lt;b&gt; &amp; &quot;&#33;&quot; &nbsp;").plain == '<b> & "!" &nbsp;'


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<h1>x</h1>", 'Unsupported start tag "h1" at byte offset 0'),
        ("肺 <script>", 'Unsupported start tag "script" at byte offset 4'),
        ("1 < 2", "Unclosed start tag at byte offset 2"),
        ('<span class="x">y</span>', 'Unsupported start tag "span"'),
    ],
)
def test_what_is_not_html_is_refused(source: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_html(source)
    assert caught.value.description.startswith(f"Bad Request: can't parse entities: {words}")


def test_commands_links_and_names_are_found() -> None:
    text = with_found(Text("/start see https://example.org/a. @some_bot #lung a/b"))
    assert kinds(text) == [
        ("bot_command", "/start"),
        ("url", "https://example.org/a"),
        ("mention", "@some_bot"),
        ("hashtag", "#lung"),
    ]


def test_nothing_is_found_inside_code() -> None:
    assert kinds(with_found(parse_html("<code>/start</code> /help"))) == [
        ("code", "/start"),
        ("bot_command", "/help"),
    ]


def test_blank_ends_are_cut_and_entities_move_along() -> None:
    text = with_found(parse_html("  <b> x </b>\n"))
    assert (text.plain, kinds(text)) == ("x", [("bold", "x")])
