"""A day of patients in some minutes: does the bot's memory grow?

`python benchmarks/soak.py [FOLDER] [--minutes 10]` with a folder of X-rays; without one, of made-up
ones. People come and go as over a day, few at night; they send pictures, most of them new, ask,
tap what the bot offers them, block it and come back. The bot runs as a process of its own against
the sandbox in this one. Memory is looked at at rest, with everything answered: what is in hand in
between swings by many MB. Prints Markdown.
"""

import asyncio
import math
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from load import MEGABYTE, Bot, load, machine, resident, running

from bot.memory import EVERY_SECONDS
from bot.sandbox import people as acts
from bot.sandbox.client import Sim
from bot.sandbox.messages import Chat
from bot.sandbox.parameters import Upload
from bot.sandbox.server import Sandbox

PEOPLE = 2000
# How often the day is held for a look, and how long everything is quiet before it: longer than the
# bot waits before it gives memory back.
LOOKS = 5
REST_SECONDS = 1.5 * EVERY_SECONDS
ASKED = ("/status", "/history", "/help", "/privacy", "/mydata", "hello", "/language", "/cancel")


def busy(part: float) -> float:
    """Give how busy a moment of the day is, 0 to 2: little at night, most at noon."""
    return 1 - math.cos(2 * math.pi * part)


@dataclass(frozen=True, slots=True)
class Day:
    """People in front of a bot for `seconds`, which stand for a day."""

    sandbox: Sandbox
    sim: Sim
    bot: Bot
    pictures: list[bytes]
    seconds: float
    # How often they do something.
    acts: int
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    done: Counter[str] = field(default_factory=Counter)

    async def pass_by(self, looks: int) -> list[float]:
        """Let people act; gives the bot's memory at rest in MB, seen so often over the day."""
        return [await self._part(look / looks, (look + 1) / looks) for look in range(looks)]

    async def _part(self, start: float, end: float) -> float:
        begun = time.monotonic() - start * self.seconds
        while (part := (time.monotonic() - begun) / self.seconds) < end:
            pace = max(0.1, busy(part)) * self.acts / self.seconds
            await asyncio.sleep(self.chance.expovariate(pace))
            self.done[act(self.sandbox, self.chance, self.pictures)] += 1
        await self.sim.quiet(REST_SECONDS)
        return resident(self.bot.process.pid) / MEGABYTE


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


async def measure(pictures: list[bytes], minutes: float, warm_up: float, acts: int) -> None:
    """Run a quick day, in which every crowd is seen once, then the day; print the figures."""
    numbers = range(1, PEOPLE + 1)
    async with Sandbox() as sandbox, Sim(sandbox.url) as sim:
        await sim.add_users(numbers)
        async with running(sandbox, numbers) as bot:
            [warm] = await Day(sandbox, sim, bot, pictures, warm_up * 60, acts).pass_by(1)
            before = len(await sim.calls())
            day = Day(sandbox, sim, bot, pictures, minutes * 60, acts)
            at_rest = await day.pass_by(LOOKS)
            report(day, warm_up, [warm, *at_rest], len(await sim.calls()) - before)


def report(day: Day, warm_up: float, at_rest: list[float], calls: int) -> None:
    """Print the figures; `at_rest` begins after the warm-up."""
    memory = day.bot.memory
    print(f"{machine()}\n")
    print(f"| a day in {day.seconds / 60:g} minutes, after one in {warm_up:g} | |\n|---|---|")
    print(f"| what people did | {', '.join(f'{n} {what}' for what, n in day.done.items())} |")
    print(f"| calls the bot made | {calls} |")
    print(f"| memory of the bot process at rest after the warm-up | {at_rest[0]:.0f} MB |")
    course = ", ".join(f"{size:.0f}" for size in at_rest[1:])
    print(f"| {LOOKS} times over the day | {course} MB |")
    print(f"| the last less that after the warm-up | {at_rest[-1] - at_rest[0]:+.1f} MB |")
    print(f"| peak; with its reading children | {memory.peak(1):.0f} MB; ", end="")
    print(f"{memory.peak(2):.0f} MB |")


def main(
    folder: Annotated[Path | None, typer.Argument()] = None,
    minutes: float = 10,
    warm_up: Annotated[float, typer.Option(help="minutes of the day before")] = 4,
    acts: Annotated[int, typer.Option(help="what people do in a day")] = 1500,
) -> None:
    """Print what memory the bot takes over a compressed day."""
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(measure(load(folder, Path(scratch)), minutes, warm_up, acts))


if __name__ == "__main__":
    typer.run(main)
