"""Micro-batches: what many chats ask for at once goes through the network together."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from classifier.engines import Engine, Output
from classifier.labels import FloatArray

CORES = os.cpu_count() or 1


class Busy(Exception):
    """More inputs wait than the queue holds; try again later."""


@dataclass(frozen=True, slots=True)
class _Request:
    inputs: FloatArray
    answer: asyncio.Future[Output]


class Batcher:
    """Runs a batch on each core; inputs that arrive meanwhile make the next ones."""

    def __init__(
        self, engine: Engine, largest: int = 4, waiting: int = 512, abreast: int = CORES
    ) -> None:
        """Hold at most `waiting` inputs back and run `abreast` batches of at most `largest`.

        More than four at once are no quicker on a CPU, and the engine keeps the memory they took.
        """
        self._engine = engine
        self._largest = largest
        self._waiting = waiting
        self._requests: list[_Request] = []
        self._arrived = asyncio.Event()
        self._threads = ThreadPoolExecutor(abreast, thread_name_prefix="engine")
        self._abreast = abreast
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Start to take inputs."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._abreast)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop; whoever still waits is cancelled."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.wait(self._workers)
        for request in self._requests:
            request.answer.cancel()
        await asyncio.to_thread(self._threads.shutdown)

    async def run(self, inputs: FloatArray) -> Output:
        """Run (n, size, size, 1); raises Busy, or what the engine raises."""
        queued = sum(len(request.inputs) for request in self._requests)
        if queued and queued + len(inputs) > self._waiting:
            raise Busy
        loop = asyncio.get_running_loop()
        starts = range(0, len(inputs), self._largest)
        parts = [inputs[start : start + self._largest] for start in starts]
        requests = [_Request(part, loop.create_future()) for part in parts]
        self._requests += requests
        self._arrived.set()
        outputs = await asyncio.gather(*(request.answer for request in requests))
        return Output(
            np.concatenate([output.logits for output in outputs]),
            np.concatenate([output.features for output in outputs]),
        )

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
                output = await loop.run_in_executor(self._threads, self._engine.run, inputs)
            except asyncio.CancelledError:
                self._requests += batch
                raise
            except Exception as error:
                for request in _waited_for(batch):
                    request.answer.set_exception(error)
                continue
            _hand_out(output, batch)

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
