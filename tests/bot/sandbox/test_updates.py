"""How updates reach the bot: asked for, or delivered."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from telegram import Bot, Update
from telegram.error import BadRequest, Conflict
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes

from bot.sandbox.client import Sim, User
from bot.sandbox.messages import User as Account
from bot.sandbox.server import Sandbox
from bot.sandbox.world import World

from .conftest import picture
from .listener import Listener


async def test_updates_wait_in_order_until_confirmed(bot: Bot, ann: User) -> None:
    for number in range(5):
        await ann.says(str(number))
    first = await bot.get_updates(limit=2)
    assert [update.message and update.message.text for update in first] == ["/start", "0"]
    again = await bot.get_updates(limit=2)
    assert [update.update_id for update in again] == [update.update_id for update in first]
    rest = await bot.get_updates(offset=first[-1].update_id + 1)
    assert [update.message and update.message.text for update in rest] == ["1", "2", "3", "4"]
    last = await bot.get_updates(offset=-1)
    assert [update.update_id for update in last] == [rest[-1].update_id]


def test_a_sandbox_started_later_repeats_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Account(id=1, first_name="Bot", is_bot=True)
    before = World(bot)
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    after = World(bot)
    first, second = (world.updates.push("message", {}) for world in (before, after))
    assert first is not None and second is not None and second >= first + 60
    assert next(after.serial) >= next(before.serial) + 60


async def test_a_poll_waits_for_the_first_update(bot: Bot, sim: Sim) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=10))
    await asyncio.sleep(0.1)
    assert not poll.done()
    await sim.user(1).starts()
    updates = await asyncio.wait_for(poll, 1)
    assert updates[0].message and updates[0].message.text == "/start"


async def test_a_newer_poll_ends_the_older(bot: Bot, sandbox: Sandbox) -> None:
    async with Bot(sandbox.token, base_url=f"{sandbox.api_url}/bot") as other:
        older = asyncio.create_task(bot.get_updates(timeout=10))
        await asyncio.sleep(0.1)
        newer = asyncio.create_task(other.get_updates(timeout=1))
        with pytest.raises(Conflict, match="erminated by other get"):
            await asyncio.wait_for(older, 1)
        assert await newer == ()


async def test_only_the_kinds_asked_for_arrive(bot: Bot, ann: User) -> None:
    await bot.get_updates(offset=-1, allowed_updates=["callback_query"])
    await ann.says("unseen")
    await ann.blocks()
    texts = [update.message and update.message.text for update in await bot.get_updates()]
    assert texts == ["/start"]


async def test_a_block_is_told(bot: Bot, ann: User) -> None:
    await ann.blocks()
    await ann.unblocks()
    changes = [update.my_chat_member for update in await bot.get_updates(offset=-2)]
    assert [change and change.new_chat_member.status for change in changes] == ["kicked", "member"]


async def test_album_parts_are_updates_of_their_own(bot: Bot, ann: User) -> None:
    await ann.sends_album([picture(grey=grey) for grey in range(12)], "look")
    parts = [update.message for update in (await bot.get_updates())[1:]]
    groups = [part.media_group_id for part in parts if part]
    assert len(groups) == 12 and [groups.count(group) for group in sorted(set(groups))] == [10, 2]
    assert [part.caption for part in parts if part] == ["look"] + [None] * 11


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with Listener() as listener:
        yield listener


async def test_a_webhook_gets_each_update_with_the_secret(
    bot: Bot, ann: User, listener: Listener
) -> None:
    assert await bot.set_webhook(listener.url, secret_token="s3cret")
    for number in range(20):
        await ann.says(str(number))
    await listener.until(21)
    assert listener.texts == ["/start", *map(str, range(20))]
    assert set(listener.secrets) == {"s3cret"}
    with pytest.raises(Conflict, match="webhook is active"):
        await bot.get_updates()
    assert await bot.delete_webhook()
    assert await bot.get_updates() == ()


async def test_a_webhook_is_tried_again_until_it_accepts(
    bot: Bot, ann: User, listener: Listener
) -> None:
    listener.failures = 2
    await bot.set_webhook(listener.url)
    await ann.says("second")
    await listener.until(2)
    assert listener.texts == ["/start", "second"] and listener.failures == 0
    info = await bot.get_webhook_info()
    assert info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"


async def test_a_webhook_stays_on_this_machine(bot: Bot) -> None:
    with pytest.raises(BadRequest, match="this machine only"):
        await bot.set_webhook("https://example.org/hook")
    for address in ("http://127.0.0.1:99999/", "http://[", "ftp://127.0.0.1/"):
        with pytest.raises(BadRequest, match=r"(?i)bad webhook: .*URL"):
            await bot.set_webhook(address)
    with pytest.raises(BadRequest, match="unallowed characters"):
        await bot.set_webhook("http://127.0.0.1:1/", secret_token="not good")


async def greet(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.effective_message
    await update.effective_message.reply_html(
        f"Hello {' '.join(context.args or [])}",
        reply_markup={"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]},
    )


async def agree(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.callback_query
    await update.callback_query.answer("Thank you")
    await update.callback_query.edit_message_text("Agreed")


def application(sandbox: Sandbox) -> "Application":  # type: ignore[type-arg]  # six of them
    app = (
        Application.builder()
        .token(sandbox.token)
        .base_url(f"{sandbox.api_url}/bot")
        .base_file_url(f"{sandbox.file_url}/file/bot")
        .build()
    )
    app.add_handler(CommandHandler("start", greet))
    app.add_handler(CallbackQueryHandler(agree))
    return app


async def play(sim: Sim) -> None:
    ann = sim.user(1)
    await ann.starts("clinic-7")
    assert (await ann.hears()).text == "Hello clinic-7"
    await ann.taps("Yes")
    assert (await ann.sees_toast()).text == "Thank you"
    assert (await ann.sees("Agreed")).edited


async def test_an_application_runs_by_polling(sandbox: Sandbox, sim: Sim) -> None:
    async with application(sandbox) as app:
        assert app.updater
        await app.updater.start_polling(poll_interval=0)
        await app.start()
        await play(sim)
        await app.updater.stop()
        await app.stop()


async def test_an_application_runs_by_webhook(sandbox: Sandbox, sim: Sim) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with application(sandbox) as app:
        assert app.updater
        await app.updater.start_webhook(
            listen="127.0.0.1",
            port=port,
            url_path="hook",
            webhook_url=f"http://127.0.0.1:{port}/hook",
            secret_token="hush",
        )
        await app.start()
        await play(sim)
        await app.updater.stop()
        await app.stop()


async def test_a_closing_sandbox_lets_polls_go(sim: Sim, sandbox: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=f"{sandbox.api_url}/bot{sandbox.token}") as http:
        poll = asyncio.create_task(http.post("/getUpdates", data={"timeout": 30}))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(sandbox.__aexit__(None, None, None), 3)
        assert (await poll).json() == {"ok": True, "result": []}
