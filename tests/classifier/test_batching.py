import asyncio
import threading

import numpy as np
import pytest

from classifier.batching import Batcher, Busy
from classifier.engines import Output
from classifier.labels import FloatArray


class SlowEngine:
    """Gives each input's own value back, once it is let go on."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None

    def run(self, inputs: FloatArray) -> Output:
        self.go.wait(5)
        self.batches.append(len(inputs))
        if self.error:
            raise self.error
        values = inputs.reshape(len(inputs), -1)[:, :1]
        return Output(np.repeat(values, 3, axis=1), inputs)


def one(value: float) -> FloatArray:
    return np.full((1, 2, 2, 1), value, np.float32)


async def test_each_caller_gets_their_own_answer() -> None:
    engine = SlowEngine()
    async with Batcher(engine) as batcher:
        outputs = await asyncio.gather(*(batcher.run(one(value)) for value in range(50)))
    assert [float(output.logits[0, 0]) for output in outputs] == list(range(50))
    assert sum(engine.batches) == 50


async def test_inputs_that_arrive_while_the_engine_works_share_a_batch() -> None:
    engine = SlowEngine()
    engine.go.clear()
    async with Batcher(engine, largest=8, abreast=1) as batcher:
        first = asyncio.create_task(batcher.run(one(0)))
        await asyncio.sleep(0.05)
        rest = [asyncio.create_task(batcher.run(one(value))) for value in range(1, 12)]
        await asyncio.sleep(0.05)
        engine.go.set()
        await asyncio.gather(first, *rest)
    assert engine.batches == [1, 8, 3]


async def test_a_study_larger_than_a_batch_is_cut_and_put_together_again() -> None:
    engine = SlowEngine()
    inputs = np.arange(20, dtype=np.float32).reshape(20, 1, 1, 1)
    async with Batcher(engine, largest=8, waiting=4, abreast=1) as batcher:
        output = await batcher.run(inputs)
    assert engine.batches == [8, 8, 4]
    np.testing.assert_array_equal(output.logits[:, 0], np.arange(20))


async def test_batches_run_abreast() -> None:
    both = threading.Barrier(2, timeout=5)

    class Meeting(SlowEngine):
        def run(self, inputs: FloatArray) -> Output:
            both.wait()
            return super().run(inputs)

    inputs = np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1)
    async with Batcher(Meeting(), largest=2, abreast=2) as batcher:
        output = await batcher.run(inputs)
    np.testing.assert_array_equal(output.logits[:, 0], np.arange(4))


async def test_a_full_queue_refuses_at_once() -> None:
    engine = SlowEngine()
    engine.go.clear()
    async with Batcher(engine, waiting=2, abreast=1) as batcher:
        running = asyncio.create_task(batcher.run(one(0)))
        await asyncio.sleep(0.05)
        waiting = [asyncio.create_task(batcher.run(one(1))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await batcher.run(one(2))
        engine.go.set()
        await asyncio.gather(running, *waiting)


async def test_who_gives_up_is_not_computed_and_disturbs_nobody() -> None:
    engine = SlowEngine()
    engine.go.clear()
    async with Batcher(engine, abreast=1) as batcher:
        running = asyncio.create_task(batcher.run(one(0)))
        await asyncio.sleep(0.05)
        given_up = asyncio.create_task(batcher.run(one(1)))
        other = asyncio.create_task(batcher.run(one(2)))
        await asyncio.sleep(0)
        given_up.cancel()
        running.cancel()
        engine.go.set()
        assert float((await other).logits[0, 0]) == 2
    assert engine.batches == [1, 1]


async def test_an_engines_error_reaches_its_batch_and_no_other() -> None:
    engine = SlowEngine()
    engine.error = RuntimeError("broken")
    async with Batcher(engine) as batcher:
        with pytest.raises(RuntimeError, match="broken"):
            await batcher.run(one(0))
        engine.error = None
        assert float((await batcher.run(one(3))).logits[0, 0]) == 3


async def test_closing_cancels_who_still_waits() -> None:
    engine = SlowEngine()
    engine.go.clear()
    async with Batcher(engine) as batcher:
        tasks = [asyncio.create_task(batcher.run(one(value))) for value in range(3)]
        await asyncio.sleep(0.05)
        threading.Timer(0.1, engine.go.set).start()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
