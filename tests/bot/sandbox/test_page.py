"""The page in a real browser."""

import base64
import re
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
)

from bot.sandbox.client import Sim
from bot.sandbox.people import OTHER_KINDS
from bot.sandbox.personas import CHINESE_PATIENT, DOCTOR, PATIENT
from bot.sandbox.server import Sandbox

from .conftest import picture

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MARKUP = InlineKeyboardMarkup([[InlineKeyboardButton("I agree", callback_data="agree")]])
# Lets a file fall on the page: kind of place, name, content as base64, type.
DROP = """async ([as, name, content, type]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  const event = (kind) => new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event("dragenter"));
  const zone = document.querySelector(`#drop [data-as=${as}]`);
  zone.dispatchEvent(event("dragover"));
  zone.dispatchEvent(event("drop"));
}"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture
async def page(sandbox: Sandbox) -> AsyncIterator[Any]:
    problems: list[str] = []
    async with playwright.async_playwright() as player:
        browser = await player.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1100, "height": 760})
        page.set_default_timeout(5000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda told: told.type == "error" and problems.append(told.text))
        await page.goto(sandbox.page_url)
        await page.wait_for_selector("body[data-ready]")
        yield page
        await browser.close()
    # Only the QR code, which nobody gave, is missed.
    assert [problem for problem in problems if "404" not in problem] == []


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def test_a_newcomer_starts_writes_taps_and_drops_a_picture(
    page: Any, bot: Bot, sim: Sim
) -> None:
    ann, expect = sim.user(PATIENT.id), playwright.expect
    await expect(page.locator("#notice")).to_contain_text("not Telegram")
    await page.get_by_role("button", name="START", exact=True).click()
    await expect(page.locator("#log .mine")).to_contain_text("/start")

    await bot.send_message(
        PATIENT.id, "<b>Consent</b> &lt;img src=x&gt;", "HTML", reply_markup=MARKUP
    )
    await expect(page.locator("#log strong")).to_have_text("Consent")
    await expect(page.locator("#log .words").last).to_have_text("Consent <img src=x>")
    await page.get_by_role("button", name="I agree").click()
    (query,) = [u.callback_query for u in await bot.get_updates(timeout=2) if u.callback_query]
    await bot.answer_callback_query(query.id, "Thank you")
    await expect(page.locator("#toast")).to_have_text("Thank you")
    await bot.edit_message_text("Agreed", PATIENT.id, query.message.message_id)
    await expect(page.get_by_role("button", name="I agree")).to_have_count(0)
    await expect(page.locator("#log .theirs").last).to_contain_text("Agreed")

    await page.get_by_role("textbox", name="Message").fill("Here it comes")
    await page.keyboard.press("Enter")
    await expect(page.locator("#log .mine").last).to_contain_text("Here it comes")

    await page.evaluate(DROP, ["photo", "scan.png", encoded(picture(600, 500)), "image/png"])
    await expect(page.locator("#log .mine img")).to_have_count(1)
    sent = (await ann.messages())[-1]
    assert sent.photo
    await page.evaluate(DROP, ["document", "IM1.dcm", encoded(b"DICM"), ""])
    await expect(page.locator("#log .file")).to_contain_text("IM1.dcm")
    assert await ann.downloads((await ann.messages())[-1]) == b"DICM"


async def test_answers_appear_live_and_open_large(page: Any, bot: Bot, sim: Sim) -> None:
    expect = playwright.expect
    await sim.user(PATIENT.id).starts()
    await bot.send_chat_action(PATIENT.id, "upload_photo")
    await expect(page.locator("#status")).to_have_text("sending a picture…")
    media = [InputMediaPhoto(picture(900, 700, grey=grey)) for grey in (60, 120)]
    await bot.send_media_group(PATIENT.id, media)
    last = await bot.send_photo(PATIENT.id, picture(900, 700), caption="Your answer")
    await expect(page.locator("#log .theirs img")).to_have_count(3)
    await page.get_by_role("button", name="Open picture").last.click()
    await expect(page.locator("#viewer")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#viewer")).to_be_hidden()
    await bot.delete_message(PATIENT.id, last.message_id)
    await expect(page.locator("#log .theirs img")).to_have_count(2)


async def test_each_persona_has_a_chat_a_language_and_a_menu(page: Any, bot: Bot, sim: Sim) -> None:
    expect = playwright.expect
    await bot.set_my_commands([BotCommand("help", "帮助")], language_code="zh")
    await sim.user(DOCTOR.id).starts()
    await bot.send_message(DOCTOR.id, "A case waits")
    await expect(page.locator(".doctor .unread")).to_have_text("1")
    await page.get_by_role("button", name=DOCTOR.name).click()
    await expect(page.locator("#log")).to_contain_text("A case waits")
    await expect(page.locator(".unread")).to_have_count(0)

    await page.get_by_role("button", name=CHINESE_PATIENT.name).click()
    await page.get_by_role("button", name="开始", exact=True).click()
    await page.get_by_label("输入消息").fill("/")
    await expect(page.get_by_role("option")).to_contain_text(["帮助"])
    await page.keyboard.press("Enter")
    await expect(page.locator("#log .mine").last).to_contain_text("/help")


async def test_a_role_that_is_given_shows_in_that_menu_only(page: Any, bot: Bot, sim: Sim) -> None:
    expect = playwright.expect
    await bot.set_my_commands([BotCommand("help", "Help")])
    await sim.user(PATIENT.id).starts()
    await page.get_by_role("textbox", name="Message").fill("/")
    await expect(page.get_by_role("option")).to_contain_text(["help"])
    scope = BotCommandScopeChat(PATIENT.id)
    await bot.set_my_commands([BotCommand("review", "The next case")], scope=scope)
    await page.get_by_role("button", name="Commands").click()
    await page.get_by_role("button", name="Commands").click()
    await expect(page.get_by_role("option")).to_contain_text(["review"])
    assert await sim.user(DOCTOR.id).menu() == {"help": "Help"}


async def test_a_message_can_be_answered_by_name(page: Any, bot: Bot, sim: Sim) -> None:
    expect, ann = playwright.expect, sim.user(PATIENT.id)
    await ann.starts()
    case = await bot.send_message(PATIENT.id, "Case 12345")
    await bot.send_message(PATIENT.id, "Another")
    bubble = page.locator("#log .theirs", has_text="Case 12345")
    await bubble.hover()
    await bubble.get_by_role("button", name="Reply").click()
    await expect(page.locator("#replying")).to_contain_text("Case 12345")
    await page.keyboard.type("Looks clear")
    await page.keyboard.press("Enter")
    await expect(page.locator("#log .mine .quote")).to_contain_text("Case 12345")
    await expect(page.locator("#replying")).to_be_hidden()
    updates = await bot.get_updates(timeout=2)
    assert updates[-1].message and updates[-1].message.reply_to_message
    assert updates[-1].message.reply_to_message.message_id == case.message_id

    await bot.send_message(PATIENT.id, "Your comment?", reply_markup=ForceReply())
    await expect(page.locator("#replying")).to_contain_text("Your comment?")
    await page.keyboard.press("Escape")
    await expect(page.locator("#replying")).to_be_hidden()


async def test_a_file_of_the_bot_can_be_saved_under_its_name(page: Any, bot: Bot, sim: Sim) -> None:
    await sim.user(PATIENT.id).starts()
    await bot.send_document(PATIENT.id, b"a,b\n1,2\n", filename="audit.csv")
    async with page.expect_download() as saving:
        await page.get_by_role("link", name="Download: audit.csv").click()
    saved = await saving.value
    assert saved.suggested_filename == "audit.csv"
    assert (await saved.path()).read_bytes() == b"a,b\n1,2\n"


async def test_what_is_typed_stays_with_who_typed_it_and_until_it_is_sent(
    page: Any, sim: Sim
) -> None:
    expect, text = playwright.expect, page.get_by_role("textbox", name="Message")
    await sim.user(PATIENT.id).starts()
    await sim.user(DOCTOR.id).starts()
    await text.fill("I cough")
    await page.get_by_role("button", name=DOCTOR.name).click()
    await expect(text).to_have_value("")
    await page.get_by_role("button", name=PATIENT.name).click()
    await expect(text).to_have_value("I cough")
    # The fixture lets a 404 on the console pass.
    gone = {"ok": False, "error_code": 404, "description": "Not Found"}
    await page.route("**/messages", lambda route: route.fulfill(status=404, json=gone))
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator("#toast")).to_contain_text("Not sent: Not Found")
    await expect(text).to_have_value("I cough")


async def test_files_fall_only_where_they_can_be_sent(page: Any, bot: Bot, sim: Sim) -> None:
    expect, ann = playwright.expect, sim.user(PATIENT.id)
    scan = ["document", "IM1.dcm", encoded(b"DICM"), ""]
    await page.evaluate(DROP, scan)
    await page.get_by_role("button", name="START", exact=True).click()
    await page.get_by_role("textbox", name="Message").wait_for()
    picked = {"name": "scan.png", "mimeType": "image/png", "buffer": picture()}
    await page.set_input_files("#picker", [picked])
    await page.evaluate(DROP, scan)
    await page.get_by_role("button", name="Send", exact=True).last.click()
    await expect(page.locator("#log .mine img")).to_have_count(1)
    assert [heard.text or bool(heard.photo) for heard in await ann.messages()] == ["/start", True]


async def test_an_answer_to_what_is_deleted_is_none(page: Any, bot: Bot, sim: Sim) -> None:
    expect, ann = playwright.expect, sim.user(PATIENT.id)
    await ann.starts()
    asked = await bot.send_message(PATIENT.id, "Your comment?", reply_markup=ForceReply())
    await expect(page.locator("#replying")).to_contain_text("Your comment?")
    await bot.delete_message(PATIENT.id, asked.message_id)
    await expect(page.locator("#replying")).to_be_hidden()


async def test_each_kind_of_message_has_a_word(page: Any, sim: Sim) -> None:
    expect, ann = playwright.expect, sim.user(PATIENT.id)
    await ann.starts()
    for count, kind in enumerate(OTHER_KINDS, 2):
        await ann.sends(kind)
        await expect(page.locator("#log .mine .words")).to_have_count(count)
        await expect(page.locator(".patient small").first).to_have_text(re.compile(r"\[.+\]"))


async def test_on_a_phone_nothing_lies_over_a_name_and_a_toast_is_wide(
    page: Any, bot: Bot, sim: Sim
) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await sim.user(DOCTOR.id).starts()
    for _ in range(12):
        await bot.send_message(DOCTOR.id, "A case waits")
    unread = page.locator(".doctor .unread")
    await playwright.expect(unread).to_have_text("12")
    over, name = [await place.bounding_box() for place in (unread, page.locator(".doctor em"))]
    assert over["x"] + over["width"] <= name["x"]
    await page.get_by_role("button", name="Doctor").click()
    await bot.send_message(DOCTOR.id, "Well?", reply_markup=MARKUP)
    await page.get_by_role("button", name="I agree").click()
    (query,) = [u.callback_query for u in await bot.get_updates(timeout=2) if u.callback_query]
    await bot.answer_callback_query(query.id, "word " * 30)
    toast = await page.locator("#toast").bounding_box()
    assert toast["width"] > 300
