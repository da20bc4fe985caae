"""Writing to many at once: composed, previewed, sent once to each, paused, killed, reported."""

import asyncio
import csv
import io
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot import broadcasting, outbox, pace
from bot.sandbox.client import Heard, Sim, User
from bot.sandbox.server import Sandbox
from classifier.reading.isolated import IsolatedReader
from storage import Storage, people, staff
from storage.staff import Role
from storage.transaction import Tx

from .clinic import POLLING
from .pictures import chest, xray
from .process import BotProcess
from .stage import ADMIN, Stage

WORDS = "Closed on Monday, <b>not</b> on Tuesday"
CROWD = range(100, 160)
OUTCOMES = "SELECT state, count(*) AS n FROM recipients GROUP BY state"


async def known(stage: Stage, number: int, language: str = "en", token: str = "") -> User:
    """Somebody who has written to the bot and heard its answer."""
    user = stage.sim.user(number, language=language)
    await (user.starts(token) if token else user.says("/status"))
    await user.hears()
    return user


@pytest.fixture
async def boss(stage: Stage) -> User:
    return await known(stage, ADMIN)


@pytest.fixture
async def crowd(stage: Stage) -> range:
    """Many people, none of whom needs to do anything."""
    await stage.sim.add_users(CROWD)
    for number in CROWD:
        stage.change(
            """INSERT INTO people (telegram_id, language_code, first_seen_at, last_seen_at)
               VALUES (?, 'en', 0, 0)""",
            number,
        )
    return CROWD


async def begin(boss: User) -> None:
    await boss.says("/broadcast")
    while "Send me the message now" not in (await boss.hears()).text:
        pass


async def composed(boss: User, to: str = "Patients", kind: str = "Announcement") -> Heard:
    """Choose audience and kind of what was just sent; gives the question under the preview."""
    await boss.taps(to)
    await boss.taps(kind)
    return await boss.sees("Above you see it")


async def sent(boss: User) -> None:
    """Tap twice."""
    await boss.taps("Send to")
    await boss.taps("Yes, send to")


async def reported(boss: User, within: float = 10) -> Heard:
    """Wait for the report, which alone has the list as a file."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        for message in reversed(await boss.messages()):
            if message.button("List as a file"):
                return message
        assert asyncio.get_running_loop().time() < deadline, await boss.messages()
        await asyncio.sleep(0.05)


async def copies(user: User, words: str) -> int:
    return len([m for m in await user.messages() if m.from_bot and m.text == words])


def microseconds() -> int:
    return time.time_ns() // 1000


def outcomes(stage: Stage) -> dict[str, int]:
    return {row["state"]: row["n"] for row in stage.rows(OUTCOMES)}


async def test_a_message_is_previewed_counted_confirmed_sent_and_reported(
    stage: Stage, boss: User
) -> None:
    ann, bob = await known(stage, 1), await known(stage, 2, "zh")
    await begin(boss)
    await boss.says(WORDS)
    question = await composed(boss)
    assert "Recipients: 2" in question.text and "to: patients" in question.text
    (preview,) = [m for m in await boss.messages() if m.from_bot and m.text == WORDS]
    assert not preview.buttons and preview.id < question.id
    await boss.taps("Send to 2")
    assert await copies(ann, WORDS) == 0
    await boss.sees("What is sent cannot be taken back")
    await boss.taps("Yes, send to 2")
    report = await reported(boss)
    assert "Done." in report.text and "recipients: 2" in report.text and "sent: 2" in report.text
    await boss.sees("Done: 2 of 2 (100%)")
    for person in (ann, bob):
        assert await copies(person, WORDS) == 1
    assert await copies(boss, WORDS) == 1
    await boss.taps("List as a file")
    await boss.sees("name nobody")
    (file,) = [m for m in await boss.messages() if m.document]
    assert file.file_name == "announcement-1.csv"
    table = list(csv.DictReader(io.StringIO((await boss.downloads(file)).decode("utf-8-sig"))))
    assert [(row["recipient"], row["state"]) for row in table] == [("1", "sent"), ("2", "sent")]
    assert set(table[0]) == {"recipient", "state", "reason", "time"}
    done = [row["action"] for row in stage.rows("SELECT action FROM audit WHERE actor <> 'system'")]
    assert done == ["broadcast_confirmed", "broadcast_exported"]


@POLLING
async def test_a_picture_and_a_file_look_exactly_as_composed(stage: Stage, boss: User) -> None:
    ann = await known(stage, 1)
    await begin(boss)
    await boss.sends_photo(chest(), "Our new house")
    await composed(boss)
    await sent(boss)
    picture = await ann.hears_photo()
    assert picture.text == "Our new house" and not picture.buttons
    await begin(boss)
    await boss.sends_file(b"1,2\n", "opening hours.csv")
    await composed(boss)
    await sent(boss)
    file = await ann.hears()
    assert file.file_name == "opening hours.csv" and await ann.downloads(file) == b"1,2\n"
    # What an admin composes is no scan of theirs.
    assert stage.value("SELECT count(*) FROM cases") == 0


@POLLING
async def test_what_is_sent_is_the_preview_whatever_becomes_of_the_admins_message(
    stage: Stage, boss: User
) -> None:
    ann = await known(stage, 1)
    await begin(boss)
    own = await boss.says(WORDS)
    await composed(boss)
    await boss.edits(own["message_id"], "Something nobody looked at")
    await sent(boss)
    assert (await ann.hears()).text == WORDS


@POLLING
async def test_each_audience_gets_what_is_meant_for_it(stage: Stage, boss: User) -> None:
    stage.change("INSERT INTO sources (token, name, created_at) VALUES ('river', 'River & Co', 0)")
    ann, bob = await known(stage, 1, token="river"), await known(stage, 2, "zh-hans")
    doctor = await known(stage, 3)
    stage.change(
        "INSERT INTO staff (telegram_id, role, name, since_at) VALUES (3, 'doctor', 'Dr. Li', 0)"
    )
    audiences = {
        "Doctors": ("", "doctors", {doctor}),
        "Everyone": ("", "everyone", {ann, bob, doctor, boss}),
        "Patients of one clinic": ("River & Co", "those who came by “River & Co”", {ann}),
        "Those who read one language": ("中文", "those who read 中文", {bob}),
    }
    for number, (name, (choice, told, expected)) in enumerate(audiences.items()):
        await begin(boss)
        await boss.says(f"Words {number}")
        await boss.taps(name)
        if choice:
            await boss.taps(choice)
        await boss.taps("Announcement")
        question = await boss.sees(f"Recipients: {len(expected)}")
        assert f"to: {told}" in question.text
        await sent(boss)
        for person in expected - {boss}:
            await person.sees(f"Words {number}")
    await stage.sim.quiet()
    for person in (ann, bob, doctor):
        heard = {m.text for m in await person.messages() if m.text.startswith("Words")}
        wanted = {
            f"Words {n}" for n, (_, _, whom) in enumerate(audiences.values()) if person in whom
        }
        assert heard == wanted


@POLLING
async def test_opted_out_and_blocked_people_are_left_out_but_a_safety_notice_reaches_all(
    stage: Stage, boss: User
) -> None:
    ann, bob, eve = [await known(stage, number) for number in (1, 2, 3)]
    await ann.says("/announcements")
    await ann.taps("Turn announcements off")
    await ann.sees("You get no announcements")
    await eve.blocks()
    await stage.sim.quiet()
    await begin(boss)
    await boss.says("News")
    question = await composed(boss)
    assert "Recipients: 1" in question.text
    assert "1 who turned announcements off, 1 who blocked the bot" in question.text
    await sent(boss)
    report = await reported(boss)
    assert "sent: 1" in report.text and "blocked the bot: 1" in report.text
    assert "turned announcements off: 1" in report.text
    assert await copies(bob, "News") == 1 and await copies(ann, "News") == 0
    await begin(boss)
    await boss.says("Do not trust answers of last night")
    assert "Recipients: 2" in (await composed(boss, kind="Safety notice")).text
    await sent(boss)
    await ann.sees("Do not trust answers of last night")


@POLLING
async def test_the_model_update_speaks_to_each_in_their_language(stage: Stage, boss: User) -> None:
    ann, bob = await known(stage, 1), await known(stage, 2, "zh")
    await begin(boss)
    await boss.taps("Model update")
    await boss.taps("Add nothing", await boss.sees("This is the Chinese text"))
    await boss.sees("This is the English text")
    await boss.says("Thank you for <your> patience.")
    question = await composed(boss)
    shown = [m.text for m in await boss.messages() if m.id < question.id and m.from_bot]
    chinese, english = shown[-2:]
    assert (
        chinese.startswith("更新")
        and "胸片模型" in chinese
        and english.startswith("News: the chest X-ray model")
    )
    await sent(boss)
    assert (await ann.hears()).text == english
    assert (await bob.hears()).text == chinese
    assert english.endswith("Thank you for <your> patience.")
    assert "stand-in-xray" in english and "stand-in-xray" in chinese


@POLLING
async def test_one_can_be_sent_later(stage: Stage, boss: User) -> None:
    ann = await known(stage, 1)
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    await boss.taps("Send later")
    asked = await boss.sees("Without “UTC…” it is the time of Asia/Shanghai")
    assert "CST" not in asked.text
    await boss.says("some day")
    await boss.sees("I could not read this time")
    await boss.says("2020-01-01 09:00")
    await boss.sees("This time is over")
    await boss.says("in 3 days")
    await boss.sees("Recipients as of now: 1")
    await boss.taps("Yes, send it then")
    await boss.sees("Goes out on")
    await begin(boss)
    listed = [m for m in await boss.messages() if "Goes out on" in m.text and m.id > asked.id]
    assert len(listed) == 2 and listed[1].button("Throw away")
    bob = await known(stage, 2)
    await ann.hears_nothing(0.2)
    stage.change("UPDATE broadcasts SET due_at = ?", microseconds())
    # A word of the staff lets the clock be looked at, which a story cannot wait for.
    await boss.says("/staff")
    await ann.sees(WORDS)
    await bob.sees(WORDS)
    assert "sent: 2" in (await reported(boss)).text
    actions = [row["action"] for row in stage.rows("SELECT action FROM audit")]
    assert actions[-2:] == ["broadcast_scheduled", "broadcast_started"]


@POLLING
@pytest.mark.parametrize("button", ["Send to", "Throw away"])
async def test_what_is_decided_asks_for_no_time_any_more(
    stage: Stage, boss: User, button: str
) -> None:
    await known(stage, 1)
    await begin(boss)
    await boss.says(WORDS)
    question = await composed(boss)
    await boss.taps("Send later", question)
    await boss.sees("When?")
    await boss.taps(button, question)
    if button == "Send to":
        await boss.taps("Yes")
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM dialogs") == 0


@POLLING
async def test_a_scheduled_one_can_be_thrown_away(stage: Stage, boss: User) -> None:
    ann = await known(stage, 1)
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    await boss.taps("Send later")
    await boss.sees("When?")
    await boss.says("tomorrow 9:00")
    await boss.taps("Yes, send it then")
    await boss.taps("Throw away", await boss.sees("Goes out on"))
    await boss.sees("Nobody gets it")
    stage.change("UPDATE broadcasts SET due_at = 1")
    await boss.says("/status")
    await ann.hears_nothing()
    assert stage.value("SELECT action FROM audit ORDER BY id DESC") == "broadcast_cancelled"


@POLLING
async def test_it_can_be_paused_resumed_and_stopped_within_a_moment(
    stage: Stage, boss: User, crowd: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "A_SECOND", 10)
    monkeypatch.setattr(broadcasting, "TOLD_EVERY", broadcasting.timedelta(seconds=0.3))
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    await sent(boss)
    progress = await boss.sees("Being sent:")
    await boss.sees("• sent:")
    await boss.taps("Pause", progress)
    await boss.sees("Paused:")
    await stage.sim.quiet(1)
    so_far = outcomes(stage)
    assert 0 < so_far["sent"] < len(crowd) and set(so_far) == {"sent", "pending"}
    await boss.taps("Go on")
    await boss.sees("Being sent:")
    await stage.sim.until(lambda calls: len(calls) > so_far["sent"] + 5, "copyMessage")
    await boss.taps("Stop for good")
    await boss.taps("Yes, stop for good", await boss.sees("Stop for good?"))
    report = await reported(boss)
    final = outcomes(stage)
    assert set(final) == {"sent", "skipped"} and sum(final.values()) == len(crowd)
    assert f"sent: {final['sent']}" in report.text and "Stopped." in report.text
    assert f"because it was stopped: {final['skipped']}" in report.text
    copied = [call for call in await stage.sim.calls("copyMessage") if call.outcome == "ok"]
    assert len(copied) == final["sent"] + 1
    acts = [
        row["action"].removeprefix("broadcast_")
        for row in stage.rows("SELECT action FROM audit WHERE action LIKE 'broadcast%'")
    ]
    assert acts == ["confirmed", "paused", "resumed", "cancelled"]


@POLLING
async def test_an_answer_goes_before_announcements(
    stage: Stage, boss: User, crowd: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await stage.agreed(1)
    monkeypatch.setattr(pace, "A_SECOND", 10)
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    await sent(boss)
    await stage.sim.until(lambda calls: len(calls) > 3, "copyMessage")
    await ann.sends_photo(xray())
    await ann.hears_photo()
    assert outcomes(stage)["sent"] < len(crowd) / 2
    # Her progress message was not left out because many were waiting.
    await ann.sees("Done. Case")


@POLLING
async def test_a_restart_in_the_middle_goes_on_by_itself(
    stage: Stage, boss: User, crowd: range
) -> None:
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    await sent(boss)
    await stage.sim.until(lambda calls: len(calls) > 10, "copyMessage")
    await stage.restart()
    await reported(boss)
    assert outcomes(stage) == {"sent": len(crowd)}
    assert {await copies(stage.sim.user(number), WORDS) for number in crowd} == {1}


@POLLING
async def test_each_outcome_is_reported_as_what_it_was(
    stage: Stage, boss: User, crowd: range
) -> None:
    for fault, number in ({"code": 403}, 101), ({"drop": True}, 102), ({"code": 400}, 103):
        await stage.sim.fault("copyMessage", chat_id=number, **fault)  # type: ignore[arg-type] # a table
    await stage.sim.fault("copyMessage", chat_id=104, code=502, times=2)
    await stage.sim.fault("copyMessage", chat_id=105, retry_after=1)
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    await sent(boss)
    report = await reported(boss)
    expected = {"sent": len(crowd) - 3, "blocked": 1, "failed": 1, "unknown": 1}
    assert outcomes(stage) == expected
    assert "blocked the bot: 1" in report.text and "refused by Telegram: 1" in report.text
    assert "in doubt, not sent again: 1" in report.text
    assert stage.value("SELECT blocked_at FROM people WHERE telegram_id = 101") is not None
    # A doubt about an announcement is nothing an admin hears of one by one.
    assert not any("may or may not" in message.text for message in await boss.messages())


@POLLING
async def test_a_chat_that_telegram_never_takes_does_not_keep_it_from_ending(
    stage: Stage, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_ATTEMPTS", 2)
    await known(stage, 101)
    await stage.sim.fault("copyMessage", chat_id=101, code=502, times=100)
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    await sent(boss)
    assert "refused by Telegram: 1" in (await reported(boss)).text
    assert len([c for c in await stage.sim.calls("copyMessage") if c.outcome == "502"]) == 2


@POLLING
async def test_who_is_forgotten_meanwhile_is_counted_and_nothing_else(
    stage: Stage, boss: User, crowd: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await known(stage, 1)
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    monkeypatch.setattr(pace, "A_SECOND", 10)
    await sent(boss)
    progress = await boss.sees("Being sent:")
    await boss.taps("Pause", progress)
    await boss.sees("Paused:")
    await ann.says("/forget")
    await ann.taps("Yes, erase everything")
    await ann.sees("Everything is erased")
    monkeypatch.setattr(pace, "A_SECOND", 30)
    await boss.taps("Go on")
    await reported(boss)
    gone = stage.rows("SELECT state FROM recipients WHERE person_id IS NULL")
    assert [row["state"] for row in gone] in (["skipped"], ["sent"])
    assert sum(outcomes(stage).values()) == len(crowd) + 1


@POLLING
async def test_taps_and_words_that_do_not_fit_harm_nothing(stage: Stage, boss: User) -> None:
    ann = await known(stage, 1)
    await begin(boss)
    await boss.sends("sticker")
    await boss.sees("This kind of message cannot be sent to many")
    await boss.sends_album([xray(), xray(seed=2)])
    await boss.sees("An album cannot be sent to many")
    await boss.says(WORDS)
    question = await composed(boss)
    chat = stage.sandbox.world.chats[boss.id]
    # Both taps are under way before the first is answered.
    for data in ("cast_sure:1", "cast_sure:1", "cast_weight:1:safety", "cast_to:1:everyone"):
        stage.sandbox.world.tap(chat.user, chat.messages[question.id], data)
    await reported(boss)
    await boss.sees("This was decided already")
    assert await copies(ann, WORDS) == 1
    assert outcomes(stage) == {"sent": 1}
    albums = [m for m in await boss.messages() if m.text.startswith("An album")]
    assert len(albums) == 1
    assert stage.value("SELECT count(*) FROM cases") == 0


@POLLING
async def test_a_sentence_that_is_no_longer_asked_for_is_said_to_be_over(
    stage: Stage, boss: User
) -> None:
    await begin(boss)
    await boss.taps("Model update")
    asked = await boss.sees("This is the Chinese text")
    await boss.says("/cancel")
    await boss.taps("Add nothing", asked)
    over = await boss.sees("This was decided already")
    assert over.id == asked.id and not over.buttons


@POLLING
async def test_a_retired_clinic_is_told_from_its_successor(stage: Stage, boss: User) -> None:
    for retired_at in (1, None):
        stage.change(
            "INSERT INTO sources (token, name, created_at, retired_at) VALUES (?, 'River', 0, ?)",
            f"t{retired_at}",
            retired_at,
        )
    await begin(boss)
    await boss.says(WORDS)
    await boss.taps("Patients of one clinic")
    asked = await boss.sees("Those who came by the link")
    assert [row[0].text for row in asked.buttons[:2]] == ["River · retired", "River"]
    await boss.taps("River · retired", asked)
    await boss.sees("those who came by “River · retired”")


@POLLING
async def test_a_draft_can_be_thrown_away_and_the_question_taken_back(
    stage: Stage, boss: User
) -> None:
    ann = await known(stage, 1)
    await begin(boss)
    await boss.says("/cancel")
    await boss.says("just talking")
    await boss.sees("I can only read chest X-rays")
    await begin(boss)
    await boss.says(WORDS)
    question = await composed(boss)
    await boss.taps("Send to 1")
    await boss.taps("Back")
    await boss.taps("Throw away", await boss.sees("Above you see it"))
    await boss.sees("Nobody gets it")
    chat = stage.sandbox.world.chats[boss.id]
    stage.sandbox.world.tap(chat.user, chat.messages[question.id], "cast_sure:1")
    await boss.sees("This was decided already")
    await ann.hears_nothing()


@POLLING
async def test_a_message_that_cannot_be_shown_is_not_sent(stage: Stage, boss: User) -> None:
    ann = await known(stage, 1)
    await stage.sim.fault(
        "copyMessage", code=400, description="Bad Request: message can't be copied"
    )
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    await sent(boss)
    await boss.sees("could not be shown above")
    await ann.hears_nothing()


@POLLING
async def test_a_preview_deleted_from_the_chat_stops_it_with_words(
    stage: Stage, boss: User, crowd: range
) -> None:
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    (preview,) = [m for m in await boss.messages() if m.from_bot and m.text == WORDS]
    stage.sandbox.world.delete(stage.sandbox.world.chats[boss.id].messages[preview.id])
    await sent(boss)
    await boss.sees("there is nothing left to copy")
    await reported(boss)
    assert set(outcomes(stage)) == {"failed", "skipped"}


@POLLING
async def test_who_is_no_admin_any_more_neither_steers_nor_hears_of_it(
    stage: Stage, boss: User, crowd: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = await known(stage, 9002)
    stage.change(
        "INSERT INTO staff (telegram_id, role, name, since_at) VALUES (9002, 'admin', 'Two', 0)"
    )
    monkeypatch.setattr(pace, "A_SECOND", 20)
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    await sent(boss)
    progress = await boss.sees("Being sent:")
    stage.change("UPDATE staff SET revoked_at = 1 WHERE telegram_id = ?", ADMIN)
    await boss.taps("Pause", progress)
    report = await reported(second)
    assert f"sent: {len(crowd)}" in report.text
    assert not any(m.button("List as a file") for m in await boss.messages())


@pytest.fixture
async def process(sandbox: Sandbox, sim: Sim, tmp_path: Path) -> AsyncIterator[BotProcess]:
    def fill(tx: Tx) -> None:
        for number in (ADMIN, *CROWD):
            people.seen(tx, number, "en")
        staff.add(tx, ADMIN, Role.ADMIN, "Admin")

    data_dir = tmp_path / "data"
    async with await Storage.open(data_dir) as storage:
        await storage.write(fill)
    await sim.add_users([ADMIN, *CROWD])
    async with BotProcess(sandbox, sim, data_dir, "polling") as process:
        yield process


async def test_killed_twice_everybody_gets_it_at_most_once_and_the_report_is_exact(
    sandbox: Sandbox, sim: Sim, process: BotProcess, tmp_path: Path, reader: IsolatedReader
) -> None:
    chance, boss = random.Random(1), sim.user(ADMIN, language="en")
    blocked = chance.sample(CROWD, 3)
    for number in blocked:
        sandbox.world.user(number, blocked=True)
    await sim.fault("copyMessage", code=502, times=10, share=0.2)
    await sim.fault("copyMessage", retry_after=1, times=2, share=0.05)
    await process.start()
    await begin(boss)
    await boss.says(WORDS)
    await composed(boss)
    await sent(boss)
    for reached in (15, 35):
        await sim.until(lambda calls, least=reached: len(calls) > least, "copyMessage", 20)
        await process.end(signal.SIGKILL)
        await process.start()
    report = await reported(boss, within=60)
    stage = Stage(sandbox, sim, "polling", tmp_path / "data", reader)
    rows = stage.rows(
        """SELECT telegram_id, state FROM recipients JOIN people ON people.id = person_id"""
    )
    assert sorted(row["telegram_id"] for row in rows) == list(CROWD)
    for row in rows:
        got = await copies(sim.user(row["telegram_id"]), WORDS)
        assert got <= 1
        if row["state"] == "sent":
            assert got == 1
        elif row["state"] == "blocked":
            assert got == 0 and row["telegram_id"] in blocked
        else:
            assert row["state"] == "unknown"
    counted = Counter(row["state"] for row in rows)
    words = {"sent": "sent", "blocked": "blocked the bot", "unknown": "in doubt, not sent again"}
    told = [f"• {words[state]}: {count}" for state, count in counted.items()]
    assert set(told) < set(report.text.splitlines())
    assert counted["sent"] >= len(CROWD) - len(blocked) - 2 * 20
    assert "Traceback" not in process.log.read_text()
