"""Every method the bot uses, called by python-telegram-bot itself."""

import httpx
import pytest
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    MenuButtonCommands,
    ReplyKeyboardMarkup,
)
from telegram.constants import ChatAction
from telegram.error import BadRequest, Forbidden, InvalidToken

from bot.sandbox.client import Sim, User
from bot.sandbox.server import Sandbox

from .conftest import picture

AGREE = InlineKeyboardMarkup([[InlineKeyboardButton("I agree", callback_data="agree")]])


async def test_the_bot_knows_itself(bot: Bot) -> None:
    me = await bot.get_me()
    assert me.is_bot and me.username == "lung_scan_bot" and me.first_name == "Lung scan"


async def test_a_text_arrives_with_its_buttons(bot: Bot, ann: User) -> None:
    sent = await bot.send_message(1, "Hello", reply_markup=AGREE)
    heard = await ann.hears()
    assert (heard.id, heard.text) == (sent.message_id, "Hello")
    assert heard.buttons[0][0].data == "agree"


async def test_a_reply_names_what_it_answers(bot: Bot, ann: User) -> None:
    question = await ann.says("Why?")
    sent = await bot.send_message(1, "So", reply_to_message_id=question["message_id"])
    assert sent.reply_to_message and sent.reply_to_message.text == "Why?"
    with pytest.raises(BadRequest, match="Message to be replied not found"):
        await bot.send_message(1, "So", reply_to_message_id=999)


async def test_a_photo_arrives_in_several_sizes_as_jpeg(bot: Bot, sim: Sim, ann: User) -> None:
    sent = await bot.send_photo(
        1, picture(2000, 1000), caption="<b>Your</b> scan", parse_mode="HTML"
    )
    assert [(size.width, size.height) for size in sent.photo] == [
        (90, 45),
        (320, 160),
        (800, 400),
        (1280, 640),
    ]
    assert sent.caption_entities[0].type == "bold"
    heard = await ann.hears_photo()
    assert (await ann.downloads(heard)).startswith(b"\xff\xd8")


async def test_a_document_arrives_byte_for_byte(bot: Bot, ann: User) -> None:
    await bot.send_document(1, b"1,2\n", filename="report.csv")
    heard = await ann.hears()
    assert heard.file_name == "report.csv"
    assert await ann.downloads(heard) == b"1,2\n"


async def test_a_file_id_can_be_sent_again(bot: Bot, ann: User) -> None:
    photo = await bot.send_photo(1, picture())
    again = await bot.send_photo(1, photo.photo[-1].file_id)
    assert again.photo[-1].file_unique_id == photo.photo[-1].file_unique_id
    with pytest.raises(BadRequest, match="type photo as document"):
        await bot.send_document(1, photo.photo[-1].file_id)
    with pytest.raises(BadRequest, match="Wrong file identifier"):
        await bot.send_photo(1, "no-such-file")


async def test_an_album_shares_one_group_id(bot: Bot, ann: User) -> None:
    media = [InputMediaPhoto(picture(grey=grey), caption=str(grey)) for grey in (10, 20, 30)]
    sent = await bot.send_media_group(1, media)
    assert len({message.media_group_id for message in sent}) == 1
    assert [message.caption for message in sent] == ["10", "20", "30"]
    with pytest.raises(BadRequest, match="2-10"):
        await bot.send_media_group(1, media[:1])
    with pytest.raises(BadRequest, match="can't be mixed"):
        await bot.send_media_group(1, [media[0], InputMediaDocument(b"x", filename="x.txt")])


async def test_a_text_can_be_edited_but_not_to_itself(bot: Bot, ann: User) -> None:
    sent = await bot.send_message(1, "Reading…", reply_markup=AGREE)
    edited = await bot.edit_message_text("Done", 1, sent.message_id)
    assert edited is not True and edited.edit_date and edited.reply_markup is None
    with pytest.raises(BadRequest, match="Message is not modified: specified new message content"):
        await bot.edit_message_text("Done", 1, sent.message_id)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("Done", 1, 999)
    theirs = await ann.says("mine")
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await bot.edit_message_text("Yours", 1, theirs["message_id"])
    with pytest.raises(BadRequest, match="There is no caption"):
        await bot.edit_message_caption(1, sent.message_id, caption="Done")


async def test_captions_media_and_buttons_can_be_edited(bot: Bot, ann: User) -> None:
    sent = await bot.send_photo(1, picture(), caption="Old")
    await bot.edit_message_caption(1, sent.message_id, caption="New")
    await bot.edit_message_reply_markup(1, sent.message_id, reply_markup=AGREE)
    media = InputMediaPhoto(picture(100, 100), caption="Newest")
    edited = await bot.edit_message_media(media, 1, sent.message_id)
    assert edited is not True and edited.caption == "Newest" and edited.photo[-1].width == 100
    with pytest.raises(BadRequest, match="There is no text"):
        await bot.edit_message_text("Text", 1, sent.message_id)


async def test_a_deleted_message_is_gone(bot: Bot, sim: Sim, ann: User) -> None:
    sent = [await bot.send_message(1, word) for word in "abc"]
    assert await bot.delete_message(1, sent[0].message_id)
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(1, sent[0].message_id)
    assert await bot.delete_messages(1, [message.message_id for message in sent])
    assert [heard.text for heard in await ann.messages()] == ["/start"]
    late = await bot.send_message(1, "late")
    await sim.advance(49 * 3600)
    with pytest.raises(BadRequest, match="can't be deleted for everyone"):
        await bot.delete_message(1, late.message_id)


async def test_a_tap_is_answered_once(bot: Bot, ann: User) -> None:
    await bot.send_message(1, "Consent", reply_markup=AGREE)
    query = await ann.taps("I agree")
    assert await bot.answer_callback_query(query, "Thank you", show_alert=True)
    toast = await ann.sees_toast()
    assert (toast.text, toast.alert) == ("Thank you", True)
    with pytest.raises(BadRequest, match="Query is too old and response timeout expired"):
        await bot.answer_callback_query(query)


async def test_a_tap_cannot_be_answered_late(bot: Bot, sim: Sim, ann: User) -> None:
    await bot.send_message(1, "Consent", reply_markup=AGREE)
    query = await ann.taps("I agree")
    await sim.advance(120)
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query(query)


async def test_chat_actions_are_shown(bot: Bot, ann: User) -> None:
    assert await bot.send_chat_action(1, ChatAction.UPLOAD_PHOTO)
    assert await ann.actions() == ["upload_photo"]
    with pytest.raises(BadRequest, match="Wrong parameter action"):
        await bot.send_chat_action(1, "dancing")


async def test_messages_can_be_copied_and_forwarded(bot: Bot, sim: Sim, ann: User) -> None:
    photo = await ann.sends_photo(picture(), "look")
    await sim.user(2).starts()
    copied = await bot.copy_message(2, 1, photo["message_id"], caption="copied")
    forwarded = await bot.forward_message(2, 1, photo["message_id"])
    assert forwarded.forward_origin is not None and forwarded.caption == "look"
    heard = await sim.user(2).hears()
    assert (heard.id, heard.text, bool(heard.photo)) == (copied.message_id, "copied", True)
    with pytest.raises(BadRequest, match="Message to copy not found"):
        await bot.copy_message(2, 1, 999)
    with pytest.raises(BadRequest, match="Message to forward not found"):
        await bot.forward_message(2, 1, 999)


async def test_a_copy_is_the_bots_own_with_its_formatting_and_without_its_buttons(
    bot: Bot, sim: Sim, ann: User
) -> None:
    bob = sim.user(2)
    await bob.starts()
    sent = await bot.send_message(1, "<b>Closed</b> today", parse_mode="HTML", reply_markup=AGREE)
    await bot.copy_message(2, 1, sent.message_id)
    heard = await bob.hears()
    assert heard.text == "Closed today" and heard.raw["entities"][0]["type"] == "bold"
    assert not heard.buttons and "forward_origin" not in heard.raw
    await bot.copy_message(2, 1, sent.message_id, reply_markup=AGREE)
    assert (await bob.hears()).button("I agree")


async def test_copying_is_refused_where_sending_is(bot: Bot, sim: Sim, ann: User) -> None:
    photo = await ann.sends_photo(picture(), "look")
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.copy_message(5, 1, photo["message_id"])
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.copy_message(1, 5, photo["message_id"])
    with pytest.raises(BadRequest, match="Message caption is too long"):
        await bot.copy_message(1, 1, photo["message_id"], caption="x" * 1025)
    bob = sim.user(2)
    await bob.starts()
    await bob.blocks()
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.copy_message(2, 1, photo["message_id"])


async def test_menus_follow_scope_and_language(bot: Bot, sim: Sim, ann: User) -> None:
    await bot.set_my_commands([BotCommand("help", "What I do")])
    private = BotCommandScopeAllPrivateChats()
    await bot.set_my_commands([BotCommand("help", "帮助")], private, "zh")
    await bot.set_my_commands([BotCommand("review", "Next case")], BotCommandScopeChat(3))
    assert await ann.menu() == {"help": "What I do"}
    assert await sim.user(2, language="zh-hans").menu() == {"help": "帮助"}
    assert await sim.user(3, language="zh-hans").menu() == {"review": "Next case"}
    assert [c.command for c in await bot.get_my_commands(BotCommandScopeChat(3))] == ["review"]
    await bot.delete_my_commands(BotCommandScopeChat(3))
    assert await sim.user(3).menu() == {"help": "帮助"}
    with pytest.raises(BadRequest, match=r"(?i)bot_command_invalid"):
        await bot.set_my_commands([BotCommand("Not Good", "x")])


async def test_the_bot_describes_itself_per_language(bot: Bot, ann: User) -> None:
    await bot.set_my_name("Lungs")
    await bot.set_my_description("Reads scans")
    await bot.set_my_short_description("阅片", "zh")
    assert (await bot.get_my_name()).name == "Lungs"
    assert (await bot.get_my_description("zh")).description == "Reads scans"
    assert (await bot.get_my_short_description("zh")).short_description == "阅片"
    assert (await bot.get_my_short_description()).short_description == ""
    assert await bot.set_chat_menu_button(1, MenuButtonCommands())
    assert isinstance(await bot.get_chat_menu_button(1), MenuButtonCommands)


async def test_chats_and_members_are_told_of(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.add_group(-100, [1], "Ward")
    assert (await bot.get_chat(1)).first_name == "Ann"
    assert (await bot.get_chat(-100)).title == "Ward"
    assert (await bot.get_chat_member(-100, 1)).status == "member"
    assert await bot.get_chat_member_count(-100) == 2
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.get_chat(77)
    assert await bot.leave_chat(-100)
    with pytest.raises(Forbidden, match="not a member of the supergroup chat"):
        await bot.send_message(-100, "Hello?")


async def test_keyboards_of_other_kinds_are_taken(bot: Bot, ann: User) -> None:
    await bot.send_message(1, "Choose", reply_markup=ReplyKeyboardMarkup([["A", "B"]]))
    await bot.send_message(1, "Comment", reply_markup=ForceReply())


async def test_the_bot_can_leave_the_server(bot: Bot) -> None:
    assert await bot.log_out()
    assert await bot.close()


async def test_an_unknown_method_is_not_found(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=f"{sandbox.api_url}/bot{sandbox.token}") as http:
        answer = await http.post("/flyToTheMoon")
    assert answer.status_code == 404
    assert answer.json() == {
        "ok": False,
        "error_code": 404,
        "description": "Not Found: method not found",
    }


async def test_a_wrong_token_is_refused(sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=sandbox.api_url) as http:
        assert (await http.get("/bot123:wrong/getMe")).status_code == 401
        assert (await http.get("/botnonsense/getMe")).status_code == 404
    with pytest.raises(InvalidToken):
        await Bot("123:wrong", base_url=f"{sandbox.api_url}/bot").initialize()


async def test_json_forms_and_queries_mean_the_same(sandbox: Sandbox, ann: User) -> None:
    fields = {"chat_id": 1, "text": "Hi"}
    async with httpx.AsyncClient(base_url=f"{sandbox.api_url}/bot{sandbox.token}") as http:
        answers = [
            await http.post("/sendMessage", json=fields),
            await http.post("/sendMessage", data=fields),
            await http.post(
                "/sendMessage", files={name: (None, str(v)) for name, v in fields.items()}
            ),
            await http.get("/sendmessage", params=fields),
        ]
        broken = await http.post(
            "/sendMessage", content=b"{", headers={"Content-Type": "application/json"}
        )
    assert [answer.json()["result"]["text"] for answer in answers] == ["Hi"] * 4
    assert broken.status_code == 400
