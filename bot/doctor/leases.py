"""Cases that doctors held for too long, or that wait for a doctor who will not come."""

from bot import notices
from bot.context import Services
from bot.doctor import card
from storage import opinions, reviews, staff
from storage.cases import Case
from storage.staff import Role
from storage.transaction import Tx


async def expire_leases(services: Services) -> None:
    """Give cases back whose time is up, and tell those who held them."""
    await services.storage.write(expire, services)
    services.wake.outbox.set()


def expire(tx: Tx, services: Services) -> None:
    """Do so within a transaction."""
    for case in reviews.expire_leases(tx):
        assert case.lease_worker is not None
        doctor = staff.get(tx, int(case.lease_worker.partition(":")[2]))
        text = services.texts_in(tx, doctor.telegram_id)("review.expired", number=case.number)
        card.change(tx, doctor, case, f"overdue:{case.id}:{case.changed_at.timestamp()}", text)
    for case in opinions.strand(tx):
        tell_admins(tx, services, case)


def tell_admins(tx: Tx, services: Services, case: Case) -> None:
    """Tell the admins of a case that is theirs to decide; nobody decides their own."""
    admins = staff.members(tx, Role.ADMIN)
    able = [each for each in admins if not reviews.is_of(tx, case, each)]
    sentence = "dispute.told" if able else "dispute.own"
    key = f"disputed:{case.id}:{tx.time.timestamp()}"
    notices.tell_each(
        tx, services, able or admins, key, sentence, case_id=case.id, number=case.number
    )
