"""Many people at once."""

import asyncio
import time

from telegram import Bot
from telegram.request import HTTPXRequest

from bot.sandbox.client import Sim
from bot.sandbox.server import Sandbox

from .conftest import picture


async def test_three_hundred_people_send_pictures_at_once(sandbox: Sandbox, sim: Sim) -> None:
    scan = picture(800, 800)
    began = time.monotonic()
    people = [sim.user(number) for number in range(1, 301)]
    await asyncio.gather(*(person.sends_photo(scan) for person in people))
    request = HTTPXRequest(connection_pool_size=20, pool_timeout=30)
    seen: set[int] = set()
    async with Bot(sandbox.token, base_url=f"{sandbox.api_url}/bot", request=request) as bot:
        offset = 0
        while updates := await bot.get_updates(offset=offset):
            offset = updates[-1].update_id + 1
            seen |= {update.effective_user.id for update in updates if update.effective_user}
    assert seen == set(range(1, 301))
    assert time.monotonic() - began < 10


async def test_ten_thousand_recipients_cost_no_more_each_than_ten(
    sandbox: Sandbox, sim: Sim, bot: Bot
) -> None:
    async def seconds_each(first: int, count: int) -> float:
        began = time.monotonic()
        for number in range(first, first + count):
            await bot.send_message(number, "News")
        return (time.monotonic() - began) / count

    await sim.add_users(range(1, 101))
    few = await seconds_each(1, 100)
    await sim.add_users(range(1, 10_001))
    for number in range(1, 10_001):
        sandbox.world.record("sendMessage", {"chat_id": number}, "ok")
    many = await seconds_each(9_900, 100)
    assert many < 5 * few + 0.005
    made = (await sim.state())["calls"]
    assert len(await sim.calls(after=made - 100)) == 100
