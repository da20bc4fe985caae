"""What must not be lost: people, cases, the outbox, the images; knows nothing of Telegram."""

from storage.store import Storage

__all__ = ["Storage"]
