"""The children: limited, replaced, and never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from classifier.reading import child
from classifier.reading.isolated import IsolatedReader
from classifier.reading.limits import MEMORY_BYTES
from classifier.reading.sources import Source
from classifier.refusals import Refusal, RefusalReason

Make = Callable[..., bytes]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def lone() -> Iterator[IsolatedReader]:
    """A reader with one child, to be mistreated."""
    with IsolatedReader(workers=1) as reader:
        yield reader


@pytest.fixture
def source(tmp_path: Path, picture: Make) -> Source:
    path = tmp_path / "a.jpg"
    path.write_bytes(picture())
    return Source("a", (path,))


def later(act: Callable[[], None], seconds: float = 0.2) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


def end(pid: int, ended_by: signal.Signals) -> None:
    """End a stopped process; most signals reach it only once it goes on, if it is still there."""
    os.kill(pid, ended_by)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(happened: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(0.02)
    return happened()


@pytest.mark.parametrize(
    ("ended_by", "reason"),
    [
        (signal.SIGKILL, RefusalReason.TOO_COSTLY),
        (signal.SIGPROF, RefusalReason.TOO_COSTLY),
        (signal.SIGSEGV, RefusalReason.BROKEN),
    ],
    ids=["killed", "out of time", "crashed"],
)
def test_a_child_that_ends_in_mid_file_costs_that_file_alone(
    ended_by: signal.Signals, reason: RefusalReason, lone: IsolatedReader, source: Source
) -> None:
    lone.read(source)
    (pid,) = lone.pids
    os.kill(pid, signal.SIGSTOP)
    timer = later(lambda: end(pid, ended_by))
    with pytest.raises(Refusal) as caught:
        lone.read(source)
    timer.join()
    assert caught.value.reason is reason
    assert lone.read(source).scans
    assert lone.pids != (pid,)


def test_a_child_that_hangs_is_ended(
    lone: IsolatedReader, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "seconds_for", lambda size: 0.4)
    lone.read(source)
    (pid,) = lone.pids
    os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(Refusal) as caught:
        lone.read(source)
    assert 2 <= time.monotonic() - start < 3
    assert caught.value.reason is RefusalReason.TOO_COSTLY
    assert wait_until(lambda: gone(pid))
    assert lone.read(source).scans


def test_what_waits_for_the_processor_is_read_all_the_same(
    lone: IsolatedReader, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "seconds_for", lambda size: 0.4)
    lone.read(source)
    (pid,) = lone.pids
    os.kill(pid, signal.SIGSTOP)
    timer = later(lambda: os.kill(pid, signal.SIGCONT), seconds=0.8)
    assert lone.read(source).scans
    timer.join()
    assert lone.pids == (pid,)


def test_a_child_killed_while_idle_costs_nothing(lone: IsolatedReader, source: Source) -> None:
    lone.read(source)
    os.kill(lone.pids[0], signal.SIGKILL)
    assert wait_until(lambda: gone(lone.pids[0]))
    assert lone.read(source).scans


def test_children_end_with_the_reader(source: Source) -> None:
    with IsolatedReader() as reader:
        reader.read(source)
        pids = reader.pids
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_children_do_not_outlive_a_parent_that_is_killed() -> None:
    script = (
        "import sys, time; from classifier.reading.isolated import IsolatedReader\n"
        "reader = IsolatedReader(); print(*reader.pids, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(gone(pid) for pid in pids)
        parent.kill()
        parent.wait()
    assert wait_until(lambda: all(gone(pid) for pid in pids))


@pytest.mark.parametrize(
    ("decoding", "ended_by"),
    [("pow(3, 10**9)", signal.SIGPROF), ("time.sleep(60)", signal.SIGALRM)],
    ids=["computes", "hangs"],
)
def test_a_decoder_that_does_not_end_is_ended_without_its_parent(
    decoding: str, ended_by: signal.Signals
) -> None:
    script = (
        f"import time; from classifier.reading.worker import _limit_time\n"
        f"_limit_time(0.05); {decoding}"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=20, check=False)
    assert done.returncode == -ended_by


def test_a_child_has_limits_and_no_secrets(
    lone: IsolatedReader, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEGRAM_TOKEN", "secret")
    with IsolatedReader(workers=1) as reader:
        reader.read(source)
        proc = Path(f"/proc/{reader.pids[0]}")
        limits = {line[:25].strip(): line[26:46].strip()
                  for line in (proc / "limits").read_text().splitlines()}  # fmt: skip
        assert b"secret" not in (proc / "environ").read_bytes()
        assert (proc / "cwd").resolve() == Path("/")
    assert MEMORY_BYTES < int(limits["Max address space"]) < MEMORY_BYTES + 400 * 1024 * 1024
    assert limits["Max core file size"] == limits["Max file size"] == "0"
    assert limits["Max processes"] == "0"
    assert int(limits["Max open files"]) <= 64


def test_a_reader_works_from_any_folder(tmp_path: Path, source: Source) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the working folder')")
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path; from classifier.reading.isolated import IsolatedReader\n"
        "from classifier.reading.sources import Source\n"
        f"with IsolatedReader() as r: r.read(Source('a', (Path({str(source.paths[0])!r}),)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_many_threads_may_read_at_once(reader: IsolatedReader, source: Source) -> None:
    with ThreadPoolExecutor(8) as threads:
        studies = list(threads.map(lambda _: reader.read(source), range(40)))
    assert len({study.scans[0].pixels.tobytes() for study in studies}) == 1


def test_a_series_may_be_read_by_many_threads_at_once(
    reader: IsolatedReader, tmp_path: Path, ct_slice: Make
) -> None:
    for z in range(6):
        (tmp_path / str(z)).write_bytes(ct_slice(z))
    (series,) = reader.sources([tmp_path])
    with ThreadPoolExecutor(4) as threads:
        studies = list(threads.map(lambda _: reader.read(series), range(8)))
    assert [len(study.scans) for study in studies] == [6] * 8


def test_reading_from_a_closed_reader_is_refused(source: Source) -> None:
    reader = IsolatedReader(workers=1)
    reader.close()
    with pytest.raises((Refusal, RuntimeError)):
        reader.read(source)


def test_a_child_is_ready_soon(lone: IsolatedReader, source: Source) -> None:
    start = time.monotonic()
    lone.read(source)
    # 0.1 s on an idle machine.
    assert time.monotonic() - start < 2
