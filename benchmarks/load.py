"""Many patients at once, and one alone: how long until the answer, and what memory it takes.

`python benchmarks/load.py [FOLDER]` with a folder of X-rays; without one, of made-up ones, which
the model may refuse. Runs the bot as a process of its own against the sandbox in this one, so that
both share the cores. Prints Markdown.
"""

import asyncio
import logging
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from scan import made_up

from bot.patient import consent
from bot.sandbox import people as people_of
from bot.sandbox.client import Sim, User
from bot.sandbox.parameters import Upload
from bot.sandbox.server import Sandbox
from storage import Storage, people

PROGRAM = Path(__file__).parents[1] / "run_bot.py"
MEGABYTE = 1 << 20
PATIENCE = 180.0
UNLIMITED = "1000000"


@dataclass
class Memory:
    """Watches a process and its children."""

    pid: int
    samples: list[tuple[float, int, int]] = field(default_factory=list)

    async def watch(self, every: float = 0.2) -> None:
        """Note time, the process' own and everybody's resident memory until cancelled."""
        while True:
            own = resident(self.pid)
            children = sum(resident(child) for child in children_of(self.pid))
            self.samples.append((time.monotonic(), own, own + children))
            await asyncio.sleep(every)

    def peak(self, which: int) -> float:
        """Give the most of the own (1) or everybody's (2) memory in MB."""
        return max(sample[which] for sample in self.samples) / MEGABYTE


@dataclass
class Bot:
    """A running bot, and the times at which it began and was ready."""

    process: asyncio.subprocess.Process
    memory: Memory
    seconds_to_ready: float
    seconds_to_stop: float = 0.0


def resident(pid: int) -> int:
    """Give the resident memory of a process in bytes; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")


def children_of(pid: int) -> list[int]:
    """Give the processes that a process started."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


@asynccontextmanager
async def running(sandbox: Sandbox, patients: Iterable[int]) -> AsyncIterator[Bot]:
    """Run a bot to which all patients have agreed."""
    with tempfile.TemporaryDirectory() as scratch:
        data_dir = Path(scratch) / "data"
        async with await Storage.open(data_dir) as storage:
            for number in patients:
                await storage.write(
                    lambda tx, who=number: people.consent(
                        tx, people.seen(tx, who, "en").id, consent.VERSION
                    )
                )
        bot = await start(sandbox, data_dir)
        watching = asyncio.create_task(bot.memory.watch())
        try:
            yield bot
        finally:
            watching.cancel()
            begun = time.monotonic()
            bot.process.send_signal(signal.SIGTERM)
            await bot.process.wait()
            bot.seconds_to_stop = time.monotonic() - begun


async def start(sandbox: Sandbox, data_dir: Path) -> Bot:
    """Start the bot without limits."""
    settings = {"SCANS_PER_HOUR": UNLIMITED, "SCANS_PER_DAY": UNLIMITED}
    begun = time.monotonic()
    process = await launch(PROGRAM, sandbox, data_dir, settings)
    return Bot(process, Memory(process.pid), time.monotonic() - begun)


async def launch(
    program: Path, sandbox: Sandbox, data_dir: Path, settings: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """Start a bot and wait for its word that it is ready."""
    given = {
        "TELEGRAM_BOT_TOKEN": sandbox.token,
        "TELEGRAM_API_URL": sandbox.api_url,
        "BOT_DATA_DIR": str(data_dir),
        **settings,
    }
    # As it starts for all who do not ask Python to compile every file anew at each start.
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, "run", env=inherited | given, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    while not (line := await process.stderr.readline()).rstrip().endswith(b"ready"):
        if not line:
            raise RuntimeError("the bot ended")
    asyncio.get_running_loop().create_task(pass_on(process.stderr))
    return process


async def pass_on(stream: asyncio.StreamReader) -> None:
    """Show what the bot logs."""
    while line := await stream.readline():
        if b" INFO " not in line:
            sys.stderr.write(line.decode())


async def answered(user: User, seconds: float = PATIENCE) -> float:
    """Wait for the answer, a picture or a refusal, and give the time at which it came."""
    deadline = time.monotonic() + seconds
    while True:
        heard = await user.hears(within=max(0.0, deadline - time.monotonic()))
        if heard.photo or "lease" in heard.text:
            return time.monotonic()


async def alone(sim: Sim, pictures: list[bytes], patient: int) -> list[float]:
    """Send one picture after the other, and give the seconds from update to answer of each."""
    user, seconds = sim.user(patient), []
    for picture in pictures:
        # The picture is sent once Telegram has it, which is when the update is there.
        await user.sends_file(picture, "xray.jpg")
        begun = time.monotonic()
        seconds.append(await answered(user) - begun)
        # Nobody sends pictures faster than Telegram lets a bot write to one chat.
        await asyncio.sleep(4)
    return seconds


async def crowd(sandbox: Sandbox, pictures: list[bytes], patients: list[int]) -> list[float]:
    """Let everybody send a picture at once, and give the seconds until each was answered.

    Without HTTP between patients and Telegram, which is no work of the bot and takes its cores.
    """
    world, begun = sandbox.world, time.time()
    for number in patients:
        picture = Upload("xray.jpg", pictures[number % len(pictures)], "image/jpeg")
        user = world.user(number)
        people_of.send_files(world, user, world.chats[number], "document", [picture])
    async with asyncio.timeout(PATIENCE):
        # The sandbox rings no bell for a call.
        while len(at := answers_at(sandbox, begun)) < len(patients):  # noqa: ASYNC110 - no bell
            await asyncio.sleep(0.1)
    return sorted(times[0] - begun for times in at.values())


def answers_at(sandbox: Sandbox, since: float) -> dict[int, list[float]]:
    """Give the times of each patient's answers, pictures or refusals."""
    at: dict[int, list[float]] = {}
    for call in sandbox.world.calls:
        refusal = call.method == "sendMessage" and "lease" in call.params.get("text", "")
        if call.at >= since and call.outcome == "ok" and (call.method == "sendPhoto" or refusal):
            at.setdefault(int(call.params["chat_id"]), []).append(call.at)
    return at


def machine() -> str:
    """Name the machine and the versions."""
    names = ("python-telegram-bot", "onnxruntime", "sqlite-utils", "pillow")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    cores = f"{os.cpu_count()} cores, {platform.machine()}"
    return f"{cores}, Python {platform.python_version()}, {packages}"


def load(folder: Path | None, scratch: Path) -> list[bytes]:
    """Read the pictures to send."""
    if folder is None:
        folder = scratch
        made_up(folder)
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


async def measure(pictures: list[bytes], number: int, turns: int) -> None:
    """Run both and print the figures."""
    patients = list(range(1, number + 1))
    async with Sandbox() as sandbox, Sim(sandbox.url) as sim:
        await sim.add_users([*patients, number + 1, number + 2])
        async with running(sandbox, [*patients, number + 1, number + 2]) as bot:
            await alone(sim, pictures[:2], number + 1)
            one = await alone(sim, pictures[:turns], number + 2)
            own_alone = bot.memory.peak(1)
            begun = time.time()
            every = await crowd(sandbox, pictures, patients)
            await sim.quiet(2)
            each = Counter(map(len, answers_at(sandbox, begun).values()))
            calls = await sim.calls("sendPhoto")
    refused = number + 2 + len(one) - len(calls)
    print(f"{machine()}\n")
    print("| | |\n|---|---|")
    print(f"| start to ready | {bot.seconds_to_ready:.2f} s |")
    print(
        f"| one patient alone, update to answer: median of {len(one)} (longest) "
        f"| {statistics.median(one):.2f} s ({max(one):.2f} s) |"
    )
    print(f"| {number} patients at once: median | {statistics.median(every):.1f} s |")
    print(f"| {number} patients at once: the last | {every[-1]:.1f} s |")
    print(f"| answers each (answers: patients) | {dict(each)} |")
    print(f"| of all answers, without a picture | {refused} |")
    print(
        f"| memory of the bot process: alone, peak | {own_alone:.0f}, {bot.memory.peak(1):.0f} MB |"
    )
    print(f"| with its reading children: peak | {bot.memory.peak(2):.0f} MB |")
    print(f"| SIGTERM to exit | {bot.seconds_to_stop:.2f} s |")


def main(
    folder: Annotated[Path | None, typer.Argument()] = None, patients: int = 300, turns: int = 15
) -> None:
    """Print how long one patient alone and many at once wait, and the bot's memory."""
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(measure(load(folder, Path(scratch)), patients, turns))


if __name__ == "__main__":
    typer.run(main)
