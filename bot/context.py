"""What a handler can reach, typed."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from telegram import Update
from telegram.ext import Application, CallbackContext, ExtBot, JobQueue

from bot.access import Roles
from bot.models import Models
from bot.settings import Settings
from bot.texts.catalogue import Texts, language_of
from bot.wake import Wake
from classifier.report_texts import Language
from storage import Storage, people
from storage.clock import utc_now
from storage.people import Person
from storage.transaction import Tx

Data = dict[Any, Any]


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers work with; made once, in `app.py`."""

    settings: Settings
    storage: Storage
    wake: Wake
    models: Models
    roles: Roles = field(default_factory=Roles)
    started_at: datetime = field(default_factory=utc_now)

    def language_of(self, person: Person) -> Language:
        """Choose what a person reads: their own choice, else Telegram's, else the default."""
        if person.language:
            return Language(person.language)
        return language_of(person.language_code, self.settings.default_language)

    def texts_of(self, person: Person) -> Texts:
        """Give the sentences in a person's language."""
        return Texts(self.language_of(person))

    def texts_in(self, tx: Tx, telegram_id: int) -> Texts:
        """Give the sentences in the language of somebody who may never have written."""
        person = people.by_telegram_id(tx, telegram_id)
        return self.texts_of(person) if person else Texts(self.settings.default_language)


class Context(CallbackContext[ExtBot[None], Data, Data, Data]):
    """A handler's context: gives the services of its application."""

    @property
    def bot_application(self) -> "BotApplication":
        """The application, as ours."""
        assert isinstance(self.application, BotApplication)
        return self.application

    @property
    def services(self) -> Services:
        """The services."""
        return self.bot_application.services

    @property
    def storage(self) -> Storage:
        """What must not be lost."""
        return self.services.storage


Command = Callable[[Update, Context], Coroutine[Any, Any, None]]


class BotApplication(Application[ExtBot[None], Context, Data, Data, Data, JobQueue[Context]]):
    """Holds the services, and knows which updates could not be written down."""

    __slots__ = ("_failed", "services")

    def __init__(self, services: Services, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.services = services
        self._failed: set[float] = set()

    def mark_failed(self, update_id: int) -> None:
        """Note an update that must come again."""
        self._failed.add(update_id)

    def has_failed(self, update_id: int) -> bool:
        """Tell whether an update must come again."""
        return update_id in self._failed

    def take_failed(self, handled: set[float]) -> set[float]:
        """Give and forget those of the updates handled that must come again."""
        failed = self._failed & handled
        self._failed -= failed
        return failed


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent an update in a private chat, as far as we need to know."""

    telegram_id: int
    language_code: str | None

    @classmethod
    def of(cls, update: Update) -> "Sender":
        """Take the sender from an update that has one."""
        assert update.effective_user is not None
        return cls(update.effective_user.id, update.effective_user.language_code)
