"""A day of patients in some minutes: does the bot's memory grow?

`python benchmarks/soak.py [FOLDER] [--minutes 10]` with a folder of X-rays; without one, of made-up
ones. People come and go as over a day, few at night; they send pictures, most of them new, ask,
tap what the bot offers them, block it and come back. The bot runs as a process of its own against
the sandbox in this one. Prints Markdown.
"""

import asyncio
import math
import random
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from load import MEGABYTE, Bot, Memory, load, machine, running

from bot.sandbox import people as acts
from bot.sandbox.client import Sim
from bot.sandbox.messages import Chat
from bot.sandbox.parameters import Upload
from bot.sandbox.server import Sandbox

PEOPLE = 2000
SCANS_A_DAY = 1500
# A quick day before the day that counts: every crowd has been seen once.
WARM_UP_SECONDS = 240.0
ASKED = ("/status", "/history", "/help", "/privacy", "/mydata", "hello", "/language", "/cancel")


def busy(part: float) -> float:
    """Give how busy a moment of the day is, 0 to 2: little at night, most at noon."""
    return 1 - math.cos(2 * math.pi * part)


async def day(sandbox: Sandbox, pictures: list[bytes], seconds: float) -> Counter[str]:
    """Let people act for so long; gives what they did."""
    chance, done = random.Random(0), Counter[str]()
    begun = time.monotonic()
    while (part := (time.monotonic() - begun) / seconds) < 1:
        pace = max(0.1, busy(part)) * SCANS_A_DAY / seconds
        await asyncio.sleep(chance.expovariate(pace))
        done[act(sandbox, chance, pictures)] += 1
    return done


def act(sandbox: Sandbox, chance: random.Random, pictures: list[bytes]) -> str:
    """Let somebody send a picture, and now and then something else; gives what."""
    world, number = sandbox.world, chance.randint(1, PEOPLE)
    user, chat = world.user(number), world.chats[number]
    if chance.random() < 0.02:
        acts.block(world, user, not user.blocked)
        return "left" if user.blocked else "came back"
    if chance.random() < 0.2 and (offered := buttons(chat)):
        acts.tap(world, user, chat, *chance.choice(offered))
        return "tapped"
    if chance.random() < 0.2:
        acts.say(world, user, chat, chance.choice(ASKED))
        return "asked"
    if chance.random() < 0.05:
        acts.send_files(world, user, chat, "document", [Upload("x.dcm", b"nothing", "")])
        return "no picture"
    kind = chance.choice(("photo", "document"))
    picture = Upload("xray.jpg", chance.choice(pictures), "image/jpeg")
    acts.send_files(world, user, chat, kind, [picture])
    return f"{kind}s"


def buttons(chat: Chat) -> list[tuple[int, str]]:
    """Give what can be tapped under the newest message that has buttons."""
    for message in reversed(chat.messages.values()):
        if rows := (message.markup or {}).get("inline_keyboard"):
            return [(message.id, button["callback_data"]) for row in rows for button in row]
    return []


def growth(memory: Memory, warm_from: float) -> tuple[float, float]:
    """Give MB after the warm-up and how many more there are at the end, by a straight line."""
    warm = [sample for sample in memory.samples if sample[0] >= warm_from]
    times, sizes = [s[0] for s in warm], [s[1] / MEGABYTE for s in warm]
    slope, _ = statistics.linear_regression(times, sizes)
    return statistics.median(sizes[: len(sizes) // 10 + 1]), slope * (times[-1] - times[0])


async def measure(pictures: list[bytes], minutes: float) -> None:
    """Run the day and print the figures."""
    numbers = range(1, PEOPLE + 1)
    async with Sandbox() as sandbox, Sim(sandbox.url) as sim:
        await sim.add_users(numbers)
        async with running(sandbox, numbers) as bot:
            await day(sandbox, pictures, WARM_UP_SECONDS)
            await sim.quiet(5)
            warm_from, before = time.monotonic(), len(await sim.calls())
            done = await day(sandbox, pictures, minutes * 60)
            await sim.quiet(5)
            report(bot, done, minutes, warm_from, len(await sim.calls()) - before)


def report(bot: Bot, done: Counter[str], minutes: float, warm_from: float, calls: int) -> None:
    """Print the figures."""
    warm, more = growth(bot.memory, warm_from)
    every = len(bot.memory.samples) // 12 or 1
    course = ", ".join(f"{s[1] / MEGABYTE:.0f}" for s in bot.memory.samples[::every])
    print(f"{machine()}\n")
    print(f"| a day in {minutes:g} minutes, after one in {WARM_UP_SECONDS / 60:g} | |\n|---|---|")
    print(f"| what people did | {', '.join(f'{n} {what}' for what, n in done.items())} |")
    print(f"| calls the bot made | {calls} |")
    print(f"| memory of the bot process after the warm-up | {warm:.0f} MB |")
    print(f"| growth from then to the end, by a straight line | {more:+.1f} MB |")
    print(f"| peak; with its reading children | {bot.memory.peak(1):.0f} MB; ", end="")
    print(f"{bot.memory.peak(2):.0f} MB |")
    print(f"| course in MB, the warm-up too | {course} |")


def main(folder: Annotated[Path | None, typer.Argument()] = None, minutes: float = 10) -> None:
    """Print what memory the bot takes over a compressed day."""
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(measure(load(folder, Path(scratch)), minutes))


if __name__ == "__main__":
    typer.run(main)
