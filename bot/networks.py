"""The networks, loaded on threads while the rest of the bot is imported."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from classifier.gate import Gate
from classifier.labels import Modality
from classifier.model import Model, load_installed


class Networks:
    """Those that are installed; what went wrong in loading is raised by `result`."""

    models: Future[Mapping[Modality, Model]]
    gate: Future[Gate]

    def __init__(self, url: str) -> None:
        """Begin to load; with a `url` the network of the classes runs there."""
        threads = ThreadPoolExecutor(thread_name_prefix="loading")
        self.models = threads.submit(load_installed, url=url)
        self.gate = threads.submit(Gate)
        threads.shutdown(wait=False)
