"""What can be made to go wrong, and the record of what the bot called."""

import asyncio
import time

import pytest
from telegram import Bot
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TimedOut

from bot.sandbox.client import Refused, Sim, User


async def test_a_pause_is_asked_for(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.fault("sendMessage", retry_after=7, times=2)
    for _ in range(2):
        with pytest.raises(RetryAfter) as caught:
            await bot.send_message(1, "x")
        assert caught.value.retry_after == 7
    assert await bot.send_message(1, "x")


async def test_any_error_can_be_answered(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.fault("sendPhoto", code=400, description="Bad Request: PHOTO_SAVE_FILE_INVALID")
    await sim.fault(code=502)
    with pytest.raises(NetworkError, match="Bad Gateway"):
        await bot.send_message(1, "x")
    with pytest.raises(BadRequest, match=r"(?i)photo_save_file_invalid"):
        await bot.send_photo(1, b"x")


async def test_a_dropped_call_was_not_carried_out(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.fault("sendMessage", drop=True)
    with pytest.raises(NetworkError):
        await bot.send_message(1, "lost")
    assert len(await ann.messages()) == 1
    assert [call.outcome for call in await sim.calls("sendMessage")] == ["lost"]


async def test_an_answer_alone_can_be_lost(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.fault("sendMessage", drop=True, after=True)
    with pytest.raises(NetworkError):
        await bot.send_message(1, "arrived")
    assert (await ann.hears()).text == "arrived"


async def test_an_answer_can_be_late(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.fault("sendMessage", delay=0.5)
    with pytest.raises(TimedOut):
        await bot.send_message(1, "slow", read_timeout=0.1)
    assert (await ann.hears()).text == "slow"


async def test_a_fault_can_be_for_one_chat(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.user(2).starts()
    await sim.fault("sendMessage", code=403, chat_id=2)
    assert await bot.send_message(1, "x")
    with pytest.raises(Forbidden, match="blocked"):
        await bot.send_message(2, "x")


async def test_a_share_of_calls_can_fail(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.fault("sendChatAction", code=500, times=1000, share=0.5)
    failed = 0
    for _ in range(40):
        try:
            await bot.send_chat_action(1, "typing")
        except NetworkError:
            failed += 1
    assert 8 < failed < 32


async def test_faults_can_be_taken_back(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.fault(code=500, times=100)
    await sim.clear_faults()
    assert await bot.send_message(1, "x")
    with pytest.raises(Refused, match="no field colour"):
        await sim._wire.post("/sim/faults", {"colour": "red"})


async def test_a_download_can_fail(bot: Bot, sim: Sim, ann: User) -> None:
    sent = await ann.sends_file(b"x")
    file = await bot.get_file(sent["document"]["file_id"])
    await sim.fault("download", drop=True)
    with pytest.raises(NetworkError):
        await file.download_as_bytearray()
    assert await file.download_as_bytearray() == b"x"


async def test_what_is_delayed_can_be_let_go(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.fault("sendMessage", delay=60, times=2)
    held = asyncio.create_task(bot.send_message(1, "one"))
    await asyncio.sleep(0.2)
    assert not held.done() and await sim.calls("sendMessage") == []
    await sim.release()
    # The second was not called yet.
    await held
    await bot.send_message(1, "two")
    assert [message.text for message in await ann.messages()][-2:] == ["one", "two"]


async def test_calls_are_recorded_with_what_was_sent(bot: Bot, sim: Sim, ann: User) -> None:
    before = time.time()
    await bot.send_document(1, b"abc", filename="r.pdf", caption="Your report")
    (call,) = await sim.until(lambda calls: len(calls) == 1, "sendDocument")
    assert call.outcome == "ok" and before <= call.at <= time.time()
    assert call.params["caption"] == "Your report"
    assert {"file_name": "r.pdf", "size": 3} in call.params.values()


async def test_the_bot_is_kept_to_telegrams_pace(bot: Bot, sim: Sim, ann: User) -> None:
    await sim.keep_pace(overall=4, per_chat=1, burst=3)
    for _ in range(3):
        await bot.send_message(1, "x")
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(1, "x")
    assert caught.value.retry_after == 1
    await bot.send_chat_action(1, "typing")
    await sim.advance(1)
    assert await bot.send_message(1, "x")
    await sim.add_users(range(100, 140))
    with pytest.raises(RetryAfter):
        for number in range(100, 140):
            await bot.send_message(number, "x")


async def test_time_can_be_moved(bot: Bot, sim: Sim, ann: User) -> None:
    first = await bot.send_message(1, "today")
    await sim.advance(86_400)
    second = await bot.send_message(1, "tomorrow")
    assert (second.date - first.date).days == 1


async def test_a_reset_forgets_people_and_a_moved_clock_but_not_menus(
    bot: Bot, sim: Sim, ann: User
) -> None:
    await bot.set_my_commands([("help", "Help")])
    await sim.advance(86_400)
    await sim.reset()
    assert abs((await sim.state())["now"] - time.time()) < 3600
    assert await bot.get_updates() == ()
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(1, "x")
    assert await sim.user(1).menu() == {"help": "Help"}
