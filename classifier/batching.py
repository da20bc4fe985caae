"""Micro-batches: what many chats ask for at once goes through the network together."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from classifier.engines import Engine, Output
from classifier.labels import FloatArray


class Busy(Exception):
    """More inputs wait than the queue holds; try again later."""


@dataclass(frozen=True, slots=True)
class _Request:
    inputs: FloatArray
    answer: asyncio.Future[Output]


class Batcher:
    """Runs one batch at a time; inputs that arrive meanwhile make the next one."""

    def __init__(self, engine: Engine, largest: int = 8, waiting: int = 512) -> None:
        """Hold at most `waiting` inputs back and run at most `largest` together.

        More than eight at once are no quicker on a CPU, and the engine keeps the memory they took.
        """
        self._engine = engine
        self._largest = largest
        self._waiting = waiting
        self._requests: list[_Request] = []
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start to take inputs."""
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop; whoever still waits is cancelled."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
        for request in self._requests:
            request.answer.cancel()
        await asyncio.to_thread(self._thread.shutdown)

    async def run(self, inputs: FloatArray) -> Output:
        """Run (n, size, size, 1); raises Busy, or what the engine raises."""
        queued = sum(len(request.inputs) for request in self._requests)
        if queued and queued + len(inputs) > self._waiting:
            raise Busy
        request = _Request(inputs, asyncio.get_running_loop().create_future())
        self._requests.append(request)
        self._arrived.set()
        return await request.answer

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            batch = self._take()
            if not batch:
                self._arrived.clear()
                continue
            inputs = np.concatenate([request.inputs for request in batch])
            try:
                output = await loop.run_in_executor(self._thread, self._run, inputs)
            except asyncio.CancelledError:
                self._requests += batch
                raise
            except Exception as error:
                for request in _waited_for(batch):
                    request.answer.set_exception(error)
                continue
            _hand_out(output, batch)

    def _run(self, inputs: FloatArray) -> Output:
        """Run in pieces no larger than allowed: one study may hold hundreds of slices."""
        starts = range(0, len(inputs), self._largest)
        parts = [self._engine.run(inputs[start : start + self._largest]) for start in starts]
        return Output(
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.features for part in parts]),
        )

    def _take(self) -> list[_Request]:
        """Take the oldest requests that fit in one batch, at least one, those given up left out."""
        batch: list[_Request] = []
        room = self._largest
        self._requests = _waited_for(self._requests)
        while self._requests and (not batch or len(self._requests[0].inputs) <= room):
            batch.append(self._requests.pop(0))
            room -= len(batch[-1].inputs)
        return batch


def _waited_for(requests: list[_Request]) -> list[_Request]:
    return [request for request in requests if not request.answer.done()]


def _hand_out(output: Output, batch: list[_Request]) -> None:
    start = 0
    for request in batch:
        end = start + len(request.inputs)
        if not request.answer.done():
            request.answer.set_result(Output(output.logits[start:end], output.features[start:end]))
        start = end
