import random
from bisect import bisect_right

import pytest

from bot import pace
from bot.pace import A_SECOND, Pace


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


@pytest.mark.parametrize("slowest", [0.0, 0.05, 0.5, 3.0])
def test_what_can_wait_never_arrives_faster_than_the_limit_however_it_travels(
    clock: Clock, slowest: float
) -> None:
    chance, keeper = random.Random(0), Pace()
    landing: list[float] = []
    arrivals: list[float] = []
    for chat in range(60_000):
        clock.now += chance.expovariate(1000)
        for _ in [at for at in landing if at <= clock.now]:
            keeper.land()
        landing = [at for at in landing if at > clock.now]
        if keeper.room() and keeper.spare():
            keeper.count(chat)
            lands = clock.now + chance.uniform(0, slowest)
            landing.append(lands)
            arrivals.append(chance.uniform(clock.now, lands))
    arrivals.sort()
    counts = [bisect_right(arrivals, at + 1) - index for index, at in enumerate(arrivals)]
    assert max(counts) <= A_SECOND
    # Nor are they held up for nothing.
    assert len(arrivals) > 0.9 * 60 * A_SECOND / (1 + slowest)


def test_who_waits_for_spare_room_is_told_when_there_will_be_some(clock: Clock) -> None:
    keeper, chat = Pace(), 0
    while keeper.spare():
        keeper.count(chat := chat + 1)
        keeper.land()
        clock.now += 0.02
    assert keeper.earliest() is not None
    clock.now += 2
    assert keeper.spare() and keeper.earliest() is None
