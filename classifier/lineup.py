"""Models that answer together, each with its batcher; never changed, only followed by another."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from classifier.batching import Batcher
from classifier.engines import Output
from classifier.labels import FloatArray, Modality
from classifier.model import Model


class Lineup:
    """One model for each modality. What began with a line-up ends with it."""

    def __init__(self, models: Mapping[Modality, Model]) -> None:
        self.models = models
        self._batchers = {modality: Batcher(model.engine) for modality, model in models.items()}
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

    async def run(self, modality: Modality, inputs: FloatArray) -> Output:
        """Run (n, size, size, 1) in [0, 1]; raises `batching.Busy`."""
        return await self._batchers[modality].run(inputs)
