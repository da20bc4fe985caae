import sqlite3
from datetime import timedelta
from typing import Any

import pytest

from storage import Storage, audit, cases, dialogs, outbox, staff
from storage.cases import CaseState
from storage.outbox import Outgoing, OutKind, OutState
from storage.staff import LastAdmin, Member, Role

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
async def boss(storage: Storage) -> Member:
    await storage.write(staff.seed_admins, [9001])
    (boss,) = await storage.read(staff.members)
    return boss


@pytest.fixture
async def doctor(storage: Storage, boss: Member) -> Member:
    return await storage.write(staff.add, 7, Role.DOCTOR, "Dr. Li", boss.id)


async def test_the_settings_name_the_first_admins_only(storage: Storage) -> None:
    await storage.write(staff.seed_admins, [])
    assert await storage.read(staff.members) == []
    await storage.write(staff.seed_admins, [1, 2])
    await storage.write(staff.seed_admins, [3])
    await storage.write(staff.seed_admins, [])
    admins = await storage.read(staff.members, Role.ADMIN)
    assert [(admin.telegram_id, admin.name) for admin in admins] == [(1, "Admin 1"), (2, "Admin 2")]
    await storage.write(staff.revoke, admins[0].id)
    await storage.write(staff.seed_admins, [1, 2, 3])
    assert await storage.read(staff.members) == [admins[1]]


async def test_somebody_may_hold_both_roles_and_each_once(
    storage: Storage, boss: Member, doctor: Member
) -> None:
    again = await storage.write(staff.add, 7, Role.DOCTOR, "Another name")
    also = await storage.write(staff.add, 7, Role.ADMIN, "Dr. Li")
    assert again == doctor
    assert await storage.read(staff.members) == [boss, doctor, also]
    assert {doctor.actor, also.actor} == {f"doctor:{doctor.id}", f"admin:{also.id}"}


async def test_an_invitation_is_accepted_once(storage: Storage, boss: Member) -> None:
    token = await storage.write(staff.invite, Role.DOCTOR, "Dr. Li", boss, DAY)
    assert [each.name for each in await storage.read(staff.open_invitations)] == ["Dr. Li"]
    new = await storage.write(staff.accept, token, 7)
    assert new is not None
    assert (new.name, new.role, new.invited_by) == ("Dr. Li", Role.DOCTOR, boss.id)
    assert await storage.write(staff.accept, token, 8) is None
    assert await storage.read(staff.open_invitations) == []
    assert await storage.read(staff.member, 8, Role.DOCTOR) is None


async def test_an_operators_invitation_needs_no_admin(storage: Storage) -> None:
    token = await storage.write(staff.invite, Role.ADMIN, "New Boss", None, DAY)
    new = await storage.write(staff.accept, token, 7)
    assert new is not None and (new.role, new.invited_by) == (Role.ADMIN, None)


async def test_an_invitation_is_too_old_after_its_time(
    hands: Any, storage: Storage, boss: Member
) -> None:
    token = await storage.write(staff.invite, Role.DOCTOR, "Dr. Li", boss, DAY)
    hands.wait(DAY)
    assert await storage.write(staff.accept, token, 7) is None
    assert await storage.read(staff.open_invitations) == []
    assert await storage.read(staff.invitation_of, token) is not None


async def test_a_withdrawn_invitation_opens_nothing(storage: Storage, boss: Member) -> None:
    token = await storage.write(staff.invite, Role.ADMIN, "Dr. Li", boss, DAY)
    (invitation,) = await storage.read(staff.open_invitations)
    assert await storage.write(staff.withdraw, invitation.id)
    assert not await storage.write(staff.withdraw, invitation.id)
    assert await storage.write(staff.accept, token, 7) is None


async def test_a_token_is_kept_nowhere(
    storage: Storage, boss: Member, traces: Any, folder: Any
) -> None:
    token = await storage.write(staff.invite, Role.DOCTOR, "Dr. Li", boss, DAY)
    assert len(token) <= 64 and token.isascii()
    assert traces(token.encode()) == []
    assert await storage.read(staff.invitation_of, "another") is None


async def test_the_last_admin_stays(storage: Storage, boss: Member, doctor: Member) -> None:
    with pytest.raises(LastAdmin):
        await storage.write(staff.revoke, boss.id)
    assert await storage.read(staff.is_last_admin, boss)
    second = await storage.write(staff.add, 8, Role.ADMIN, "Second")
    assert not await storage.read(staff.is_last_admin, boss)
    assert await storage.write(staff.revoke, boss.id)
    assert not await storage.write(staff.revoke, boss.id)
    with pytest.raises(LastAdmin):
        await storage.write(staff.revoke, second.id)
    everybody = await storage.read(staff.everybody)
    assert [member.id for member in everybody] == [boss.id, doctor.id, second.id]


async def test_who_was_revoked_may_be_invited_again(
    storage: Storage, boss: Member, doctor: Member
) -> None:
    await storage.write(staff.revoke, doctor.id)
    token = await storage.write(staff.invite, Role.DOCTOR, "Dr. Li", boss, DAY)
    again = await storage.write(staff.accept, token, doctor.telegram_id)
    assert again is not None and again.id != doctor.id


async def test_the_invitations_of_a_revoked_admin_open_nothing(
    storage: Storage, boss: Member
) -> None:
    other = await storage.write(staff.add, 8, Role.ADMIN, "Other")
    theirs = await storage.write(staff.invite, Role.ADMIN, "Spare key", other, DAY)
    ours = await storage.write(staff.invite, Role.DOCTOR, "Dr. Li", boss, DAY)
    await storage.write(staff.revoke, other.id)
    assert await storage.write(staff.accept, theirs, 8) is None
    assert await storage.write(staff.accept, ours, 7) is not None


async def test_a_revoked_doctor_holds_no_case_and_is_asked_nothing(
    hands: Any, storage: Storage, doctor: Member
) -> None:
    case = await hands.answered(await hands.person())
    await storage.write(cases.advance, case.id, CaseState.UNDER_REVIEW)
    await storage.write(
        lambda tx: tx.run(
            "UPDATE cases SET lease_worker = :who, lease_until_at = :until WHERE id = :id",
            who=doctor.actor,
            until=tx.time + HOUR,
            id=case.id,
        )
    )
    await storage.write(dialogs.begin, doctor.telegram_id, "doctor:comment", {}, HOUR)
    await storage.write(staff.revoke, doctor.id)
    free = await storage.read(cases.get, case.id)
    assert (free.state, free.lease_worker) == (CaseState.ANSWERED, None)
    assert await storage.read(dialogs.current, doctor.telegram_id) is None


async def test_cases_on_their_way_to_a_revoked_doctor_do_not_arrive_but_their_own_do(
    hands: Any, storage: Storage, doctor: Member
) -> None:
    theirs = await hands.send(await hands.person(1))
    own = await hands.send(await hands.person(doctor.telegram_id))
    for key, case_id in (("theirs", theirs.id), ("own", own.id), ("words", None)):
        out = Outgoing(key=key, chat_id=7, kind=OutKind.MESSAGE, case_id=case_id)
        await storage.write(outbox.enqueue, out)
    await storage.write(staff.revoke, doctor.id)
    states = {}
    for key in ("theirs", "own", "words"):
        row = await storage.read(outbox.by_key, key)
        assert row is not None
        states[key] = row.state
    assert states == {
        "theirs": OutState.DROPPED,
        "own": OutState.PENDING,
        "words": OutState.PENDING,
    }


async def test_a_revoked_doctor_who_is_an_admin_too_still_gets_what_admins_are_told(
    hands: Any, storage: Storage, doctor: Member
) -> None:
    await storage.write(staff.add, doctor.telegram_id, Role.ADMIN, "Both")
    case = await hands.send(await hands.person(1))
    kinds = {"failed": OutKind.MESSAGE, "card:1": OutKind.MESSAGE, "picture": OutKind.PHOTO}
    for key, kind in kinds.items():
        await storage.write(
            outbox.enqueue, Outgoing(key=key, chat_id=7, kind=kind, case_id=case.id)
        )
    await storage.write(staff.revoke, doctor.id)
    rows = [await storage.read(outbox.by_key, key) for key in kinds]
    states = [row.state for row in rows if row]
    assert states == [OutState.PENDING, OutState.DROPPED, OutState.DROPPED]


async def test_a_case_in_flight_to_a_revoked_doctor_is_not_known_when_it_arrives(
    hands: Any, storage: Storage, doctor: Member
) -> None:
    case = await hands.send(await hands.person(1))
    out = Outgoing(key="card", chat_id=7, kind=OutKind.PHOTO, case_id=case.id)
    await storage.write(outbox.enqueue, out)
    [row] = await storage.write(outbox.lease_due)
    await storage.write(staff.revoke, doctor.id)
    assert not await storage.write(outbox.sent, row.id, 5)


@pytest.mark.parametrize("name", ["", "x" * 81])
async def test_a_name_is_of_a_length_one_can_read(
    storage: Storage, boss: Member, name: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        await storage.write(staff.invite, Role.DOCTOR, name, boss, DAY)


async def test_the_audit_gives_the_number_of_a_case(hands: Any, storage: Storage) -> None:
    case = await hands.send(await hands.person())
    await storage.write(audit.record, "doctor:1", "case_opened", case.id)
    await storage.write(audit.record, "doctor:1", "digest_off")
    lines = await storage.read(audit.lines)
    assert [line.case_number for line in lines] == [None, case.number]
