"""Models that answer together, each with its batcher; never changed, only followed by another."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np

from classifier.batching import Batcher
from classifier.engines import Output
from classifier.labels import FloatArray, Modality
from classifier.model import Model
from classifier.preprocess import to_input

# The slices of a study come together: larger batches of them would only take more memory.
LARGEST = {Modality.XRAY: 32, Modality.CT: 8}


class Lineup:
    """One model for each modality. What began with a line-up ends with it."""

    def __init__(self, models: Mapping[Modality, Model]) -> None:
        self.models = models
        self._batchers = {
            modality: Batcher(model.engine, LARGEST[modality]) for modality, model in models.items()
        }
        self._stack = AsyncExitStack()
        self._users = 0
        self._is_over = False

    async def start(self) -> None:
        """Start the batchers."""
        for batcher in self._batchers.values():
            await self._stack.enter_async_context(batcher)

    async def close(self) -> None:
        """Stop the batchers; whoever still waits is cancelled."""
        await self._stack.aclose()

    async def retire(self) -> None:
        """Close as soon as nobody uses the models any more."""
        self._is_over = True
        if not self._users:
            await self.close()

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator["Lineup"]:
        """Keep the batchers open meanwhile."""
        self._users += 1
        try:
            yield self
        finally:
            self._users -= 1
            if self._is_over and not self._users:
                await self.close()

    async def run(self, modality: Modality, greys: Sequence[FloatArray]) -> Output:
        """Run pictures (rows, columns) in [0, 1]; raises `batching.Busy`."""
        size = self.models[modality].card.input_size
        inputs = await asyncio.to_thread(lambda: np.stack([to_input(grey, size) for grey in greys]))
        return await self._batchers[modality].run(inputs)
