"""Telling everybody in a role, each in their language."""

from collections.abc import Iterable

from bot.context import Services
from bot.say import say
from storage import staff
from storage.staff import Member, Role
from storage.transaction import Tx


def tell(
    tx: Tx,
    services: Services,
    role: Role,
    key: str,
    sentence: str,
    case_id: int | None = None,
    **values: object,
) -> None:
    """Write a sentence of the catalogue to each member; `values` are escaped already.

    What is about a case goes out of their chats with it.
    """
    tell_each(tx, services, staff.members(tx, role), key, sentence, case_id, **values)


def tell_each(
    tx: Tx,
    services: Services,
    members: Iterable[Member],
    key: str,
    sentence: str,
    case_id: int | None = None,
    **values: object,
) -> None:
    """Write it to some members only."""
    for member in members:
        text = services.texts_in(tx, member.telegram_id)(sentence, **values)
        say(tx, f"{key}:{member.telegram_id}", member.telegram_id, text, case_id=case_id)
