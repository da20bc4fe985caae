"""What a crowd of pictures took goes back to the system."""

import ctypes
import subprocess
import sys

import pytest

MEGABYTE = 1 << 20
# Pictures of many sizes in several threads; small things outlive them and hold the heaps open.
CROWD = """
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from bot import memory

memory.share_one_heap()
THREADS = 6
side_by_side = Barrier(THREADS)

def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")

def work(thread):
    # A large one first: from then on such sizes come from the heaps.
    b"1" * (16 << 20)
    side_by_side.wait()
    pictures, left = [], []
    for size in range(4, 20):
        pictures.append(b"1" * (size << 16))
        left.append(b"1" * (4000 + size))
    side_by_side.wait()
    return left

with ThreadPoolExecutor(THREADS) as pool:
    before = resident()
    left = list(pool.map(work, range(THREADS)))
    kept = resident()
    memory.give_back()
    print(before, kept, resident())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="no glibc")
def test_what_pictures_took_goes_back_when_they_are_gone() -> None:
    command = [sys.executable, "-c", CROWD]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    before, kept, at_rest = (int(size) / MEGABYTE for size in printed.split())
    # Else there is nothing to mend here.
    assert kept - before > 30
    assert at_rest - before < 10
