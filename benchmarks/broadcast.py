"""An announcement to thousands, with a bot killed twice on the way: exact, once each, in pace?

`python benchmarks/broadcast.py` takes six to seven minutes: Telegram lets a bot send 30 messages a
second. `--people N` takes fewer. One in twenty has blocked the bot; Telegram answers now and then
with 429 or 5xx. Runs the bot as a process of its own against the sandbox in this one. Prints
Markdown; ends with an error if the report is not exact, somebody got it twice, or it came too fast.
"""

import asyncio
import csv
import io
import logging
import random
import signal
import sqlite3
import sys
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from load import launch, machine
from timed_bot import SUMS, VARIABLE

from bot.sandbox.client import Heard, Sim, User
from bot.sandbox.server import Sandbox
from storage import Storage, people
from storage.transaction import Tx

PROGRAM = Path(__file__).parent / "timed_bot.py"
ADMIN = 1
WORDS = "On Monday we are closed. 周一休息。"
LIMIT = 30
# What counts against Telegram's limit.
COUNTED = ("send", "copy", "edit")
# As the report words them.
TOLD = {
    "sent": "sent",
    "blocked": "blocked the bot",
    "failed": "refused by Telegram",
    "unknown": "in doubt, not sent again",
}


@dataclass
class Bot:
    """A bot that is killed and started again, and the database times of all its lives."""

    sandbox: Sandbox
    folder: Path
    process: asyncio.subprocess.Process | None = None
    times: list[Path] = field(default_factory=list)

    @property
    def data_dir(self) -> Path:
        """Where it keeps what must not be lost."""
        return self.folder / "data"

    async def start(self) -> None:
        """Start it and wait for its word that it is ready."""
        self.times.append(self.folder / f"times-{len(self.times)}")
        settings = {
            "BOT_ADMIN_IDS": str(ADMIN),
            "BOT_DEFAULT_LANGUAGE": "en",
            VARIABLE: str(self.times[-1]),
        }
        self.process = await launch(PROGRAM, self.sandbox, self.data_dir, settings)

    async def end(self, how: signal.Signals) -> None:
        """End it."""
        assert self.process is not None
        self.process.send_signal(how)
        await self.process.wait()

    def database(self) -> list[float]:
        """Add up the stopwatch's sums of all its lives."""
        sums = [SUMS.unpack(path.read_bytes()) for path in self.times]
        return list(map(sum, zip(*sums, strict=True)))


async def populate(sandbox: Sandbox, data_dir: Path, crowd: range) -> set[int]:
    """Let everybody have written to the bot, one in twenty having blocked it since."""
    blocked = set(random.Random(0).sample(crowd, len(crowd) // 20))
    sandbox.world.user(ADMIN, started=True)
    for number in crowd:
        sandbox.world.user(number, started=True, blocked=number in blocked)

    def fill(tx: Tx) -> None:
        for number in crowd:
            people.seen(tx, number, "en")

    async with await Storage.open(data_dir) as storage:
        await storage.write(fill)
    return blocked


async def trouble(sim: Sim, number: int) -> None:
    """Let Telegram refuse one call in fifty or so, and ask for a pause now and then."""
    await sim.keep_pace(overall=LIMIT)
    share = {"times": number, "share": 0.01}
    await sim.fault("copyMessage", code=500, **share)
    await sim.fault("copyMessage", code=502, **share)
    for seconds in (1, 2, 3):
        await sim.fault("copyMessage", retry_after=seconds, times=number, share=0.0005)


async def confirm(boss: User) -> None:
    """Compose it, and tap twice."""
    await boss.says("/broadcast")
    await boss.sees("Send me the message now")
    await boss.says(WORDS)
    for button in ("Patients", "Announcement", "Send to", "Yes, send to"):
        await boss.taps(button, within=60)


def copies(sandbox: Sandbox) -> list[float]:
    """Give the times at which messages were copied for people."""
    calls = sandbox.world.calls
    return [
        call.at
        for call in calls
        if call.method == "copyMessage"
        and call.outcome == "ok"
        and int(call.params["chat_id"]) != ADMIN
    ]


async def send_and_kill(sandbox: Sandbox, bot: Bot, boss: User, number: int) -> Heard:
    """Kill the bot after each third, and wait for the report."""
    for third in (number // 3, 2 * number // 3):
        # The sandbox rings no bell for a call.
        while len(copies(sandbox)) < third:  # noqa: ASYNC110 - no bell
            await asyncio.sleep(0.1)
        await bot.end(signal.SIGKILL)
        await bot.start()
    await boss.sees("(100%)", within=number)
    while True:
        for message in await boss.messages():
            if message.button("List as a file"):
                return message
        await asyncio.sleep(0.1)


async def listed(boss: User, report: Heard) -> Counter[str]:
    """Count the states in the file of the report."""
    await boss.taps("List as a file", report)
    await boss.sees("name nobody", within=60)
    (file,) = [message for message in await boss.messages() if message.document]
    text = (await boss.downloads(file)).decode("utf-8-sig")
    return Counter(row["state"] for row in csv.DictReader(io.StringIO(text)))


def heard(sandbox: Sandbox, number: int) -> int:
    """Count how often somebody got the words."""
    messages = sandbox.world.chats[number].messages.values()
    return sum(message.text.plain == WORDS for message in messages)


def outcomes(data_dir: Path) -> dict[int, str]:
    """Give what the database says of each person."""
    connection = sqlite3.connect(f"{(data_dir / 'bot.sqlite3').as_uri()}?mode=ro", uri=True)
    rows = connection.execute(
        """SELECT telegram_id, recipients.state FROM recipients
           JOIN people ON people.id = person_id"""
    )
    found = dict(rows.fetchall())
    connection.close()
    return found


def faults(sandbox: Sandbox, states: dict[int, str], crowd: range, blocked: set[int]) -> list[str]:
    """Hold what the database says against what everybody got."""
    wrong = []
    if sorted(states) != list(crowd):
        wrong.append("not everybody is a recipient, once")
    for number, state in states.items():
        got = heard(sandbox, number)
        fits = {
            "sent": got == 1,
            "blocked": got == 0 and number in blocked,
            "unknown": got <= 1,
            "failed": got == 0,
        }
        if not fits.get(state, False):
            wrong.append(f"{number} is {state} and got it {got} times")
    return wrong


def busiest(sandbox: Sandbox) -> int:
    """Give the most calls within any second."""
    at = sorted(
        call.at
        for call in sandbox.world.calls
        if call.method.startswith(COUNTED) and call.method != "sendChatAction"
    )
    return max(bisect_right(at, moment + 1) - index for index, moment in enumerate(at))


async def measure(number: int) -> list[str]:
    """Run both, print the figures, and give what is wrong."""
    crowd = range(100, 100 + number)
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox() as sandbox, Sim(sandbox.url) as sim:
            bot = Bot(sandbox, Path(folder))
            blocked = await populate(sandbox, bot.data_dir, crowd)
            await trouble(sim, number)
            await bot.start()
            boss = sim.user(ADMIN, language="en")
            await confirm(boss)
            before, begun = bot.database(), time.time()
            report = await send_and_kill(sandbox, bot, boss, number)
            seconds, after = time.time() - begun, bot.database()
            file = await listed(boss, report)
            await bot.end(signal.SIGTERM)
        states = outcomes(bot.data_dir)
    counts = Counter(states.values())
    wrong = faults(sandbox, states, crowd, blocked)
    wrong += ["the file is not the database's"] if file != counts else []
    for state, count in counts.items():
        if f"{TOLD[state]}: {count}\n" not in f"{report.text}\n":
            wrong.append(f"the report does not say {count} {state}")
    most = busiest(sandbox)
    wrong += [f"{most} calls within a second"] if most > LIMIT else []
    show(sandbox, states, counts, seconds, begun, most)
    used = [later - earlier for earlier, later in zip(before, after, strict=True)]
    for name, sums in {"writing": used[:3], "reading": used[3:]}.items():
        elapsed, worked, count = sums
        print(
            f"| database, {name}: elapsed (on the processor) | {elapsed:.1f} s ({worked:.1f} s) |\n"
            f"| – for each recipient | {1000 * elapsed / number:.2f} ms "
            f"({1000 * worked / number:.2f} ms), {count / number:.1f} transactions |"
        )
    return wrong


def show(
    sandbox: Sandbox,
    states: dict[int, str],
    counts: Counter[str],
    seconds: float,
    begun: float,
    most: int,
) -> None:
    """Print what came of it."""
    refused = Counter(call.outcome for call in sandbox.world.calls)
    doubtful = [number for number, state in states.items() if state == "unknown"]
    arrived = sum(heard(sandbox, number) for number in doubtful)
    twice = sum(heard(sandbox, number) > 1 for number in states)
    at_best = len(states) / LIMIT
    print(f"{machine()}\n")
    print("| | |\n|---|---|")
    print(f"| people | {len(states):,} |")
    print(f"| from the second tap to the report | {seconds:.0f} s |")
    print(f"| at {LIMIT} a second it takes at least | {at_best:.0f} s |")
    print(f"| second tap to the first message | {copies(sandbox)[0] - begun:.1f} s |")
    print("| killed with SIGKILL | 2 times |")
    print(f"| answers of Telegram: 429, 500, 502 | {', '.join(_count(refused))} |")
    for state, count in sorted(counts.items()):
        print(f"| {TOLD[state]} | {count:,} |")
    print(f"| of those in doubt, got it | {arrived} |")
    print(f"| got it twice | {twice} |")
    print(f"| most messages and edits within any second | {most} |")


def _count(refused: Counter[str]) -> list[str]:
    return [str(refused[code]) for code in ("429", "500", "502")]


def main(number: Annotated[int, typer.Option("--people", min=30)] = 10_000) -> None:
    """Send an announcement to many and print how it went."""
    logging.basicConfig(level=logging.ERROR)
    wrong = asyncio.run(measure(number))
    for each in wrong:
        print(f"WRONG: {each}", file=sys.stderr)
    raise typer.Exit(bool(wrong))


if __name__ == "__main__":
    typer.run(main)
