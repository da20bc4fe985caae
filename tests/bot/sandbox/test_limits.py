"""What Telegram refuses, refused in its own words."""

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, Forbidden, NetworkError

from bot.sandbox.client import Sim, User

from .conftest import picture

MEGABYTE = 1 << 20


async def test_an_empty_text_is_refused(bot: Bot, ann: User) -> None:
    with pytest.raises(BadRequest, match="Message text is empty"):
        await bot.send_message(1, "  ")


async def test_a_text_has_at_most_4096_characters(bot: Bot, ann: User) -> None:
    sent = await bot.send_message(1, "字" * 4096)
    with pytest.raises(BadRequest, match="Message is too long"):
        await bot.send_message(1, "字" * 4097)
    with pytest.raises(BadRequest, match=r"(?i)message_too_long"):
        await bot.edit_message_text("字" * 4097, 1, sent.message_id)


async def test_markup_does_not_count_as_text(bot: Bot, ann: User) -> None:
    await bot.send_message(1, "<b>" + "x" * 4096 + "</b>", parse_mode="HTML")


async def test_a_caption_has_at_most_1024_characters(bot: Bot, ann: User) -> None:
    await bot.send_document(1, b"x", caption="x" * 1024)
    with pytest.raises(BadRequest, match="Message caption is too long"):
        await bot.send_document(1, b"x", caption="x" * 1025)


async def test_callback_data_has_at_most_64_bytes(bot: Bot, ann: User) -> None:
    def keyboard(data: str) -> InlineKeyboardMarkup:
        return InlineKeyboardMarkup([[InlineKeyboardButton("x", callback_data=data)]])

    await bot.send_message(1, "x", reply_markup=keyboard("x" * 64))
    with pytest.raises(BadRequest, match=r"(?i)button_data_invalid"):
        await bot.send_message(1, "x", reply_markup=keyboard("字" * 22))
    with pytest.raises(BadRequest, match="ext buttons are unallowed"):
        await bot.send_message(1, "x", reply_markup={"inline_keyboard": [[{"text": "x"}]]})


async def test_the_answer_to_a_tap_has_at_most_200_characters(bot: Bot, ann: User) -> None:
    markup = InlineKeyboardMarkup([[InlineKeyboardButton("x", callback_data="x")]])
    await bot.send_message(1, "x", reply_markup=markup)
    query = await ann.taps("x")
    with pytest.raises(BadRequest, match=r"(?i)message_too_long"):
        await bot.answer_callback_query(query, "x" * 201)
    assert await bot.answer_callback_query(query, "x" * 200)


async def test_a_photo_has_at_most_10_megabytes(bot: Bot, ann: User) -> None:
    with pytest.raises(BadRequest, match="too big for a photo"):
        await bot.send_photo(1, b"x" * (10 * MEGABYTE + 1))


async def test_a_document_has_at_most_50_megabytes(bot: Bot, ann: User) -> None:
    await bot.send_document(1, b"x" * (50 * MEGABYTE), filename="large.zip")
    with pytest.raises(NetworkError, match="Request Entity Too Large"):
        await bot.send_document(1, b"x" * (50 * MEGABYTE + 1), filename="larger.zip")


@pytest.mark.parametrize(("width", "height"), [(9000, 1001), (2100, 100)])
async def test_a_photo_is_not_too_wide(bot: Bot, ann: User, width: int, height: int) -> None:
    with pytest.raises(BadRequest, match=r"(?i)photo_invalid_dimensions"):
        await bot.send_photo(1, picture(width, height))


async def test_a_photo_is_a_picture(bot: Bot, ann: User) -> None:
    with pytest.raises(BadRequest, match=r"(?i)image_process_failed"):
        await bot.send_photo(1, b"not a picture")
    with pytest.raises(BadRequest, match="File must be non-empty"):
        await bot.send_document(1, b"", filename="empty.txt")


async def test_nothing_outside_is_fetched(bot: Bot, ann: User) -> None:
    with pytest.raises(BadRequest, match=r"(?i)failed to get http url content"):
        await bot.send_photo(1, "https://example.org/picture.jpg")


async def test_a_bot_cannot_write_first_nor_to_who_blocked_it(
    bot: Bot, sim: Sim, ann: User
) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(5, "Hello")
    await sim.add_users([5], started=False)
    with pytest.raises(Forbidden, match="can't initiate conversation"):
        await bot.send_message(5, "Hello")
    await ann.blocks()
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(1, "Hello")
    await ann.says("I am back")
    assert await bot.send_message(1, "Hello")


async def test_markdown_is_refused_clearly(bot: Bot, ann: User) -> None:
    with pytest.raises(BadRequest, match=r"(?i)reads html only"):
        await bot.send_message(1, "*x*", parse_mode="MarkdownV2")
