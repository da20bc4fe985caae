"""People's side: what they can do, see and be refused."""

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup

from bot.sandbox.client import Refused, Sim, User
from bot.sandbox.people import OTHER_KINDS

MARKUP = InlineKeyboardMarkup(
    [
        [
            InlineKeyboardButton("Yes", callback_data="y"),
            InlineKeyboardButton("Yes, later", callback_data="l"),
        ]
    ]
)


async def test_the_bot_hears_name_and_language(bot: Bot, sim: Sim) -> None:
    await sim.user(2, name="李伟", language="zh-hans").starts("clinic-7")
    message = (await bot.get_updates())[0].message
    assert message and message.from_user and message.text == "/start clinic-7"
    assert (message.from_user.first_name, message.from_user.language_code) == ("李伟", "zh-hans")


async def test_each_message_is_heard_once(bot: Bot, ann: User) -> None:
    for word in ("one", "two"):
        await bot.send_message(1, word)
    assert [(await ann.hears()).text, (await ann.hears()).text] == ["one", "two"]
    await ann.hears_nothing(0.1)
    await bot.send_message(1, "three")
    with pytest.raises(AssertionError, match="heard 'three'"):
        await ann.hears_nothing(0.1)
    with pytest.raises(AssertionError, match="heard nothing"):
        await ann.hears(within=0.05)


async def test_only_buttons_that_are_there_can_be_tapped(bot: Bot, ann: User) -> None:
    sent = await bot.send_message(1, "Well?", reply_markup=MARKUP)
    heard = await ann.hears()
    await ann.taps("Yes", heard)
    query = (await bot.get_updates())[-1].callback_query
    assert query and query.data == "y" and query.message
    await bot.edit_message_reply_markup(1, sent.message_id)
    with pytest.raises(Refused, match="no such button"):
        await ann.taps("Yes", heard)


async def test_the_newest_button_of_that_name_is_tapped(bot: Bot, ann: User) -> None:
    await bot.send_message(1, "Old", reply_markup=MARKUP)
    newest = await bot.send_message(1, "New", reply_markup=MARKUP)
    await ann.taps("later")
    query = (await bot.get_updates())[-1].callback_query
    assert query and query.message and query.message.message_id == newest.message_id


async def test_other_kinds_of_messages_reach_the_bot(bot: Bot, ann: User) -> None:
    for kind in OTHER_KINDS:
        await ann.sends(kind)
        message = (await bot.get_updates())[-1].message
        assert message and getattr(message, kind)


async def test_a_person_can_edit_and_reply(bot: Bot, ann: User) -> None:
    sent = await ann.says("frist")
    await ann.edits(sent["message_id"], "first")
    edited = (await bot.get_updates())[-1].edited_message
    assert edited and edited.text == "first"
    await ann.says("and?", reply_to=sent["message_id"])
    reply = (await bot.get_updates())[-1].message
    assert reply and reply.reply_to_message and reply.reply_to_message.text == "first"


async def test_groups_have_members_and_strangers_stay_out(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.add_group(-100, [1, 2], "Ward")
    assert (await bot.get_updates())[-1].my_chat_member
    await ann.says("hello all", chat=-100)
    message = (await bot.get_updates())[-1].message
    assert message and message.chat.type == "supergroup" and message.chat.title == "Ward"
    await bot.send_message(-100, "Please write to me alone")
    assert (await sim.user(2).hears(chat=-100)).text == "Please write to me alone"
    with pytest.raises(Refused, match="chat not found"):
        await sim.user(3).says("me too", chat=-100)
    with pytest.raises(Refused, match="another person's chat"):
        await sim.user(3).says("me too", chat=1)


async def test_chat_actions_and_quiet_can_be_awaited(bot: Bot, sim: Sim, ann: User) -> None:
    (started,) = await bot.get_updates(offset=-1)
    await bot.get_updates(offset=started.update_id + 1)
    await sim.quiet(0.1)
    assert (await sim.state())["pending_updates"] == 0
