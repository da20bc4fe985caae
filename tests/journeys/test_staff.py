"""Who works here: invited, welcomed, revoked; and all of it written down."""

import asyncio
import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image, ImageChops

from bot.admin import audit as audit_room
from bot.admin import staff as staff_room
from bot.poster import draw_qr
from bot.sandbox.client import Heard, User
from bot.sandbox.person import PATIENCE
from storage import Storage, audit, staff
from storage.staff import Role
from storage.transaction import Tx

from .clinic import POLLING, Clinic, takes
from .pictures import BACTERIAL, xray
from .stage import ADMIN, Stage

UNKNOWN = "I do not know this command"


@pytest.fixture
async def boss(stage: Stage) -> User:
    """The admin of the settings, who has written to the bot."""
    return await known(stage, ADMIN)


async def known(stage: Stage, number: int, language: str = "en") -> User:
    """Somebody the bot has seen, whose language it therefore knows."""
    user = stage.sim.user(number, name=f"Telegram <{number}>", language=language)
    await user.says("/status")
    await user.hears()
    return user


async def invited(boss: User, name: str = "Dr. Li", role: str = "doctor") -> str:
    """Have an admin invite somebody; gives the token of the link."""
    await boss.says("/staff")
    await boss.taps("Invite a doctor" if role == "doctor" else "Invite an admin")
    await boss.sees(f"What is the {role} called?")
    await boss.says(name)
    return token_of(await boss.hears_photo())


def token_of(message: Heard) -> str:
    (token,) = re.findall(r"https://t\.me/\w+\?start=([\w-]+)", message.text)
    return str(token)


async def joined(stage: Stage, boss: User, number: int, role: str = "doctor") -> User:
    """Somebody who accepted an invitation."""
    user = stage.sim.user(number, name=f"Telegram <{number}>", language="en")
    await user.starts(await invited(boss, f"Member {number}", role))
    await user.sees("You are a doctor here" if role == "doctor" else "You are an admin here")
    return user


async def revoked(boss: User, name: str) -> None:
    """Have an admin end somebody's role."""
    await boss.says("/staff")
    await boss.taps(f"End: {name}")
    await boss.taps("Yes, end it")
    await boss.sees(f"{name} is no longer")


async def menu_until(user: User, stage: Stage, command: str, there: bool) -> None:
    """Wait until a command is in somebody's menu, or no more."""
    async with asyncio.timeout(PATIENCE):
        while (command in await user.menu()) != there:
            await stage.sim.quiet(0.1)


async def test_an_invited_doctor_joins_by_the_link_and_the_inviter_hears(
    stage: Stage, boss: User
) -> None:
    token = await invited(boss, "Dr. <Li> & Co")
    doctor = stage.sim.user(7, name="Telegram <7>", language="en")
    await doctor.starts(token)
    await doctor.sees("Welcome, Dr. <Li> & Co. You are a doctor here now")
    told = await boss.sees("Dr. <Li> & Co has accepted and is a doctor here now")
    assert "Telegram <7>" in told.text
    await doctor.says("/staff")
    await doctor.sees(UNKNOWN)
    await boss.says("/staff")
    await boss.sees("Dr. <Li> & Co · doctor · since 20")
    sql = "SELECT action FROM audit WHERE action LIKE 'staff%' ORDER BY id"
    acts = [row["action"] for row in stage.rows(sql)]
    assert acts == ["staff_seeded", "staff_invited", "staff_joined"]


@POLLING
async def test_an_invited_admin_gets_the_menu_and_a_revoked_one_loses_it(
    stage: Stage, boss: User
) -> None:
    second = await joined(stage, boss, 8, "admin")
    bystander = await known(stage, 9)
    await menu_until(second, stage, "staff", True)
    await second.says("/staff")
    await second.sees("that is you")
    await revoked(boss, "Member 8")
    await second.sees("Your role as an admin here has ended")
    await menu_until(second, stage, "staff", False)
    await second.says("/staff")
    await second.sees(UNKNOWN)
    assert list(await second.menu()) == list(await bystander.menu())
    assert "staff" in await boss.menu()


@POLLING
async def test_the_link_is_a_picture_too_and_its_token_is_kept_nowhere(
    stage: Stage, boss: User
) -> None:
    await invited(boss)
    sent = [message for message in await boss.messages() if message.photo][-1]
    (link,) = re.findall(r"https://\S+", sent.text)
    picture = Image.open(io.BytesIO(await boss.downloads(sent))).convert("L")
    # What Telegram makes of a photo is no longer black and white only.
    plain = picture.point(lambda value: 255 * (value > 127))
    assert ImageChops.difference(plain, draw_qr(link, plain.width)).getbbox() is None
    assert (await stage.sim.state())["bot"]["username"] in link
    assert "forward this link only to them" in sent.text
    assert re.search(r"once, until \d+ \w{3} 20\d\d, \d\d:\d\d", sent.text)
    await stage.sim.quiet()
    await stage.stop()
    for path in stage.data_dir.rglob("*"):
        if path.is_file():
            assert token_of(sent).encode() not in path.read_bytes(), path.name


@POLLING
async def test_an_invitation_works_once(stage: Stage, boss: User) -> None:
    token = await invited(boss)
    first, second = await known(stage, 7), await known(stage, 8)
    await first.starts(token)
    await first.sees("You are a doctor here now")
    await second.starts(token)
    await second.sees("used before, was withdrawn, or is too old")
    await first.starts(token)
    await first.sees("You are a doctor here already")
    assert stage.value("SELECT count(*) FROM staff WHERE role = 'doctor'") == 1


@POLLING
async def test_a_withdrawn_or_old_invitation_is_refused_kindly(stage: Stage, boss: User) -> None:
    withdrawn = await invited(boss, "Dr. Wang")
    await boss.says("/staff")
    await boss.sees("Dr. Wang · invited as doctor · open until")
    await boss.taps("Withdraw the invitation of Dr. Wang")
    await boss.sees("The invitation of Dr. Wang no longer works")
    old = await invited(boss, "Dr. Chen")
    long_ago = int((datetime.now(UTC) - timedelta(minutes=1)).timestamp() * 1e6)
    stage.change("UPDATE invitations SET expires_at = ?", long_ago)
    ann = await known(stage, 7)
    for token in (withdrawn, old):
        await ann.starts(token)
        assert "too old" in (await ann.hears()).text
    assert stage.value("SELECT count(*) FROM staff") == 1


@POLLING
async def test_an_invitation_that_was_accepted_cannot_be_withdrawn(
    stage: Stage, boss: User
) -> None:
    token = await invited(boss)
    await boss.says("/staff")
    listed = await boss.sees("Dr. Li · invited as doctor")
    doctor = await known(stage, 7)
    await doctor.starts(token)
    await doctor.sees("You are a doctor here now")
    await boss.taps("Withdraw the invitation", listed)
    await boss.sees("Dr. Li has accepted this invitation already")


@POLLING
async def test_an_invitation_lasts_as_long_as_the_settings_say(off_stage: Stage) -> None:
    await off_stage.start(invitation_hours=3)
    await invited(await known(off_stage, ADMIN))
    sql = "SELECT expires_at - made_at FROM invitations"
    assert off_stage.value(sql) == 3 * 3600 * 1_000_000


@POLLING
async def test_who_has_the_role_already_leaves_the_invitation_to_others(
    stage: Stage, boss: User
) -> None:
    token = await invited(boss, "Second", "admin")
    await boss.starts(token)
    await boss.sees("You are an admin here already")
    second = await known(stage, 8)
    await second.starts(token)
    await second.sees("You are an admin here now")


@POLLING
async def test_a_name_that_is_none_is_asked_for_again_and_cancel_ends_the_question(
    stage: Stage, boss: User
) -> None:
    await boss.says("/staff")
    await boss.taps("Invite a doctor")
    await boss.sees("What is the doctor called?")
    await boss.sends("sticker")
    await boss.sees("as a text of at most 80")
    await boss.says("x" * 81)
    await stage.sim.quiet()
    again = [m for m in await boss.messages() if "as a text of at most 80" in m.text]
    assert len(again) == 2
    await boss.says("/cancel")
    await boss.sees("I no longer wait for your answer")
    await boss.says("Dr. Li")
    await boss.sees("I can only read chest X-rays")
    assert stage.value("SELECT count(*) FROM invitations") == 0


@POLLING
async def test_the_question_for_a_name_outlives_a_restart(stage: Stage, boss: User) -> None:
    await boss.says("/staff")
    await boss.taps("Invite a doctor")
    await boss.sees("What is the doctor called?")
    await stage.restart()
    await boss.says("Dr. Li")
    doctor = await known(stage, 7)
    await doctor.starts(token_of(await boss.hears_photo()))
    await doctor.sees("You are a doctor here now")


@POLLING
async def test_no_ends_no_role(stage: Stage, boss: User) -> None:
    await joined(stage, boss, 7)
    await boss.says("/staff")
    await boss.taps("End: Member 7")
    await boss.taps("No")
    await boss.sees("Nothing was changed")
    assert stage.value("SELECT count(*) FROM staff WHERE revoked_at IS NULL") == 2


@POLLING
async def test_two_taps_end_a_role_once(stage: Stage, boss: User) -> None:
    doctor = await joined(stage, boss, 7)
    await boss.says("/staff")
    await boss.taps("End: Member 7")
    asked = await boss.sees("End the role of")
    for _ in range(2):
        await boss.taps("Yes, end it", asked)
    await boss.sees("Member 7 is no longer a doctor here")
    await stage.sim.quiet()
    told = [message for message in await doctor.messages() if "has ended" in message.text]
    assert len(told) == 1
    assert stage.value("SELECT count(*) FROM audit WHERE action = 'staff_revoked'") == 1
    await boss.taps("End: Member 7")
    await boss.sees("This person no longer has that role")


@POLLING
async def test_the_last_admin_stays(stage: Stage, boss: User) -> None:
    await boss.says("/staff")
    await boss.taps("End: Admin 1")
    await boss.sees("Admin 1 is the only admin")
    second = await joined(stage, boss, 8, "admin")
    await second.says("/staff")
    await second.taps("End: Admin 1")
    asked = await second.sees("End the role of Admin 1 as an admin?")
    await boss.says("/staff")
    await boss.taps("End: Member 8")
    await boss.taps("Yes, end it")
    await boss.sees("Member 8 is no longer an admin")
    await second.taps("Yes, end it", asked)
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM staff WHERE revoked_at IS NULL") == 1


@POLLING
async def test_ones_own_role_ends_only_after_a_warning(stage: Stage, boss: User) -> None:
    await joined(stage, boss, 8, "admin")
    await boss.says("/staff")
    await boss.taps("End: Admin 1")
    await boss.sees("this is your own role")
    await boss.taps("Yes, end my own role")
    await boss.sees("Admin 1 is no longer an admin here")
    await boss.says("/staff")
    await boss.sees(UNKNOWN)


@POLLING
async def test_a_revoked_admins_open_question_takes_no_answer(stage: Stage, boss: User) -> None:
    second = await joined(stage, boss, 8, "admin")
    await second.says("/staff")
    await second.taps("Invite an admin")
    await second.sees("What is the admin called?")
    await revoked(boss, "Member 8")
    await second.says("Spare key")
    await second.sees("I can only read chest X-rays")
    assert stage.value("SELECT count(*) FROM invitations WHERE name = 'Spare key'") == 0


@POLLING
async def test_who_stays_a_doctor_can_still_comment(clinic: Clinic) -> None:
    [doctor] = await clinic.opens()
    boss = clinic.stage.sim.user(ADMIN, language="en")
    await joined(clinic.stage, boss, 71, "admin")
    await clinic.case(await clinic.stage.agreed(1))
    await takes(doctor)
    await doctor.taps("Normal")
    await doctor.sees("Your verdict")
    await boss.says("/staff")
    await boss.taps("End: Member 71")
    await boss.taps("Yes, end it")
    await doctor.sees("Your role as an admin here has ended")
    await doctor.says("Please drink a lot")
    await doctor.sees("Noted for case")


@POLLING
async def test_a_revoked_admins_buttons_do_nothing(stage: Stage, boss: User) -> None:
    second = await joined(stage, boss, 8, "admin")
    await second.says("/staff")
    await second.sees("that is you")
    await revoked(boss, "Member 8")
    await second.sees("has ended")
    await second.says("/language")
    await second.taps("中文")
    await stage.sim.quiet()
    await second.taps("Invite an admin")
    while (await second.sees_toast()).text != "这个按钮已经失效。":
        pass
    assert stage.value("SELECT count(*) FROM dialogs") == 0


@POLLING
async def test_a_revoked_doctors_case_goes_to_the_next_one(stage: Stage, boss: User) -> None:
    first, second = await joined(stage, boss, 7), await joined(stage, boss, 8)
    ann = await stage.agreed(1)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await first.says("/review")
    await first.hears_photo()
    await second.says("/review")
    await second.sees("Nothing is waiting for you")
    await revoked(boss, "Member 7")
    await first.sees("Your role as a doctor here has ended")
    await second.says("/review")
    await second.hears_photo()
    await first.taps("Skip")
    assert (await first.sees_toast()).text == "This button no longer works."
    await first.says("/review")
    await first.sees(UNKNOWN)
    assert stage.value("SELECT lease_worker FROM cases") == "doctor:3"


@POLLING
async def test_who_blocked_the_bot_can_be_revoked(stage: Stage, boss: User) -> None:
    doctor = await joined(stage, boss, 7)
    await doctor.blocks()
    await revoked(boss, "Member 7")
    assert stage.value("SELECT count(*) FROM staff WHERE revoked_at IS NULL") == 1


@POLLING
async def test_later_changes_of_the_setting_neither_add_nor_remove_admins(
    stage: Stage, boss: User
) -> None:
    await stage.restart(admin_ids=(5,))
    await boss.says("/staff")
    await boss.sees("Who works here")
    five = await known(stage, 5)
    await five.says("/staff")
    await five.sees(UNKNOWN)
    await stage.restart(admin_ids=())
    await boss.says("/staff")
    await stage.sim.quiet()
    assert len([m for m in await boss.messages() if "Who works here" in m.text]) == 2


@POLLING
async def test_a_menu_left_behind_is_mended_at_the_next_start(stage: Stage, boss: User) -> None:
    second = await joined(stage, boss, 8, "admin")
    await menu_until(second, stage, "staff", True)
    await stage.stop()
    async with await Storage.open(stage.data_dir) as storage:
        member = await storage.read(staff.member, 8, Role.ADMIN)
        assert member is not None
        await storage.write(staff.revoke, member.id)
    await stage.start()
    await menu_until(second, stage, "staff", False)


@POLLING
async def test_many_members_are_listed_in_pages(
    stage: Stage, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff_room, "LINES", 2)
    await joined(stage, boss, 7)
    await joined(stage, boss, 8)
    await boss.says("/staff")
    await boss.taps("Further")
    second = await boss.sees("Member 8 · doctor")
    assert "Member 7" not in second.text
    await boss.taps("Back", second)
    await stage.sim.quiet()
    (first,) = [message for message in await boss.messages() if message.id == second.id]
    assert "Member 7 · doctor" in first.text and "Member 8" not in first.text


@POLLING
async def test_an_admin_reads_the_list_in_chinese(stage: Stage) -> None:
    boss = await known(stage, ADMIN, "zh-hans")
    await boss.says("/staff")
    await boss.sees("工作人员")
    await boss.taps("邀请医生")
    await boss.sees("这位医生怎么称呼")
    await boss.says("李医生")
    sent = await boss.hears_photo()
    assert "邀请 李医生 担任医生" in sent.text
    li = await known(stage, 7, "zh-hans")
    await li.starts(token_of(sent))
    await li.sees("李医生。您现在是这里的医生")
    await boss.sees("李医生 已接受邀请")
    await boss.says("/audit")
    assert "李医生 · 接受邀请 · Admin 1" in (await boss.sees("操作记录")).text


@POLLING
async def test_a_doctor_who_is_a_patient_sees_only_their_own_pictures(
    stage: Stage, boss: User
) -> None:
    ann, doctor = await stage.agreed(1), await stage.agreed(7)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await doctor.starts(await invited(boss, "Member 7"))
    await doctor.sees("You are a doctor here now")
    await doctor.says("/history")
    await doctor.sees("You have no pictures here")
    await doctor.sends_photo(xray(BACTERIAL))
    await doctor.hears_photo()
    await doctor.says("/history")
    lines = (await doctor.sees("Your last pictures")).text.splitlines()
    assert len(lines) == 2 and "acterial" in lines[1]


@POLLING
async def test_forget_erases_the_patient_and_keeps_the_role(stage: Stage, boss: User) -> None:
    doctor = await joined(stage, boss, 7, "admin")
    await doctor.starts()
    await doctor.taps("I have read this and agree")
    await doctor.sees("Now send the picture")
    await doctor.sends_photo(xray())
    await doctor.hears_photo()
    await doctor.says("/forget")
    await doctor.taps("Yes, erase everything")
    assert "Your role here stays" in (await doctor.sees("Everything is erased")).text
    await doctor.says("/staff")
    await doctor.sees("that is you")
    assert stage.value("SELECT count(*) FROM cases WHERE person_id IS NOT NULL") == 0
    await doctor.sends_photo(xray(seed=2))
    await doctor.sees("I have not opened your picture")


def many(tx: Tx) -> None:
    audit.record(tx, "admin:1", "delete_case", 1, "=1+1")
    for number in range(12):
        audit.record(tx, audit.SYSTEM, "of_another_version", detail=f"n{number}")


@POLLING
async def test_the_audit_is_read_in_words_and_pages(stage: Stage, boss: User) -> None:
    await joined(stage, boss, 7)
    ann = await stage.agreed(1)
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await ann.taps("Delete this")
    await ann.taps("Yes, delete")
    await ann.sees("Deleted")
    number = stage.value("SELECT number FROM cases")
    await revoked(boss, "Member 7")
    await boss.says("/audit")
    page = await boss.sees("Who did what")
    lines = page.text.splitlines()[2:]
    told = [line.split(" · ")[1:] for line in lines]
    assert [each for each in told if each[1] != "a model answers"] == [
        ["Admin 1", "ended a role", "Member 7"],
        ["a patient", "deleted a case of their own", f"case {number}"],
        ["Member 7", "accepted an invitation", "Admin 1"],
        ["Admin 1", "made an invitation", "doctor"],
        ["the bot itself", "made first admin by the settings", "Admin 1"],
    ]
    assert all(re.match(r"\d+ \w{3} 20\d\d, \d\d:\d\d.* · ", line) for line in lines)


@POLLING
async def test_the_audit_turns_its_pages_and_goes_out_as_a_harmless_table(
    off_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = off_stage
    await stage.start()
    await stage.stop()
    async with await Storage.open(stage.data_dir) as storage:
        await storage.write(many)
    monkeypatch.setattr(audit_room, "AT_ONCE", 4)
    await stage.start()
    boss = await known(stage, ADMIN)
    await boss.says("/audit")
    first = await boss.sees("of_another_version · n11")
    assert "n1\n" not in f"{first.text}\n"
    await boss.taps("Older", first)
    second = await boss.sees("of_another_version · n1\n")
    assert second.id == first.id and "made first admin" in second.text
    await boss.taps("Newest", second)
    await boss.sees("of_another_version · n11")
    await boss.taps("All as a CSV file")
    sent = await boss.sees("please keep it to yourself")
    assert sent.file_name == "audit.csv"
    content = (await boss.downloads(sent)).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert len(rows) == stage.value("SELECT count(*) FROM audit") > 14
    assert rows[0]["action"] == "audit_exported" and rows[0]["name"] == "Admin 1"
    assert rows[0]["time_utc"].startswith(f"{datetime.now(UTC):%Y-%m-%d}")
    (deleted,) = [row for row in rows if row["action"] == "delete_case"]
    assert deleted["detail"] == "'=1+1" and deleted["what"] == "deleted a case of their own"
    assert [int(row["id"]) for row in rows] == sorted(map(int, [r["id"] for r in rows]))[::-1]


@POLLING
async def test_a_file_asked_for_by_an_admin_who_was_revoked_meanwhile_is_not_made(
    stage: Stage, boss: User
) -> None:
    second = await joined(stage, boss, 8, "admin")
    await second.says("/audit")
    await second.sees("Who did what")
    await stage.sim.fault("sendDocument", code=500, description="later", times=2)
    await second.taps("All as a CSV file")
    await stage.sim.until(bool, "sendDocument")
    await revoked(boss, "Member 8")
    await second.sees("has ended", within=10)
    assert not any(message.document for message in await second.messages())
