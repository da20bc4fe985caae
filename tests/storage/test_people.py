import sqlite3
from datetime import timedelta
from typing import Any

import pytest

from storage import Storage, audit, people, sources, updates
from storage.transaction import Tx


async def test_who_writes_again_is_the_same_person(hands: Any, storage: Storage) -> None:
    first = await hands.person(1, "zh-hans")
    hands.wait(timedelta(hours=1))
    again = await hands.person(1, "en")
    assert again.id == first.id
    assert (again.language_code, again.first_seen_at) == ("en", first.first_seen_at)
    assert again.last_seen_at == hands.time
    assert await storage.read(people.by_telegram_id, 1) == again


async def test_a_language_chosen_outlives_what_telegram_says(hands: Any, storage: Storage) -> None:
    person = await hands.person(1, "zh")
    await storage.write(people.set_language, person.id, "en")
    assert (await hands.person(1, "zh")).language == "en"
    await storage.write(people.set_language, person.id, None)
    assert (await hands.person(1, "zh")).language is None


async def test_a_new_version_of_the_text_asks_again(hands: Any, storage: Storage) -> None:
    person = await hands.person()
    assert not await storage.read(people.has_consent, person.id, "1")
    assert await storage.write(people.consent, person.id, "1")
    assert not await storage.write(people.consent, person.id, "1")
    assert await storage.read(people.has_consent, person.id, "1")
    assert not await storage.read(people.has_consent, person.id, "2")
    [given] = await storage.read(people.consents, person.id)
    assert given == people.Consent("1", hands.time)


async def test_a_link_names_the_clinic_and_an_unknown_one_is_still_welcome(
    storage: Storage,
) -> None:
    clinic = await storage.write(sources.create, "Clinic")
    assert clinic.token.isascii() and 8 <= len(clinic.token) <= 64
    assert "clinic" not in clinic.token.lower()
    person = await storage.write(people.seen, 1, "en", "unknown")
    assert person.source_id is None
    assert (await storage.write(people.seen, 1, "en", clinic.token)).source_id == clinic.id
    assert (await storage.write(people.seen, 1, "en")).source_id == clinic.id


async def test_a_retired_link_counts_no_more(storage: Storage) -> None:
    clinic = await storage.write(sources.create, "Clinic")
    assert await storage.read(sources.by_name, "Clinic") == clinic
    assert await storage.write(sources.retire, clinic.id)
    assert not await storage.write(sources.retire, clinic.id)
    assert await storage.read(sources.by_token, clinic.token) is None
    assert (await storage.write(people.seen, 1, "en", clinic.token)).source_id is None
    [listed] = await storage.read(sources.listing)
    assert listed.retired_at is not None


@pytest.mark.parametrize("token", ["", "x" * 65, "a b", "a.b", "ä"])
async def test_a_token_telegram_would_not_carry_is_refused(storage: Storage, token: str) -> None:
    def add(tx: Tx) -> None:
        tx.insert("sources", token=token, name="n", created_at=tx.time)

    with pytest.raises(sqlite3.IntegrityError):
        await storage.write(add)


async def test_a_repeated_update_is_known_until_it_is_old(hands: Any, storage: Storage) -> None:
    assert await storage.write(updates.first_time, 5)
    assert not await storage.write(updates.first_time, 5)
    hands.wait(timedelta(days=3))
    assert await storage.write(updates.first_time, 6)
    assert await storage.write(updates.prune, hands.time - timedelta(days=2)) == 1
    assert not await storage.write(updates.first_time, 6)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit (id, at, actor, action) VALUES (1, 1, 'nobody', 'x')",
    ],
)
async def test_the_audit_cannot_be_changed(storage: Storage, sql: str) -> None:
    await storage.write(audit.record, "admin:1", "qr_made", detail="source 3")
    with pytest.raises(sqlite3.IntegrityError, match="audit"):
        await storage.write(lambda tx: tx.run(sql))
    [line] = await storage.read(audit.lines)
    assert (line.actor, line.action, line.detail) == ("admin:1", "qr_made", "source 3")


async def test_the_audit_comes_in_pages_newest_first(storage: Storage) -> None:
    for n in range(5):
        await storage.write(audit.record, audit.SYSTEM, f"act{n}", case_id=n)
    page = await storage.read(audit.lines, 2)
    assert [line.action for line in page] == ["act4", "act3"]
    rest = await storage.read(audit.lines, 10, page[-1].id)
    assert [line.action for line in rest] == ["act2", "act1", "act0"]
