"""What `run_bot.py try` is beside its page, which test_browser.py plays."""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from bot.poster import qr_png
from bot.sandbox.client import User
from bot.sandbox.personas import ADMIN, DOCTOR, PATIENT
from bot.tryout import CLINIC, CODE_SIDE, UNDO_SECONDS
from storage import Storage, staff

from .pictures import is_answer
from .process import ROOT
from .stage import WELCOMED
from .tryout import trying

PHANTOM = ROOT / "docs" / "phantom.jpg"
# What an operator may have set in the same folder; none of it could be used for trying.
REAL = {
    "TELEGRAM_BOT_TOKEN": "123456:AAbbCCddEEffGGhhIIjjKKll",
    "TELEGRAM_LOCAL_MODE": "true",
    "CLASSIFIER_URL": "http://127.0.0.1:9",
    "RESULTS": "after_review",
    "IMAGE_KEY": "not a key",
    "WEBHOOK_URL": "https://clinic.example",
    "BOT_DATA_DIR": "/proc/nowhere",
}


async def agree(person: User) -> None:
    await person.starts()
    await person.taps("I have read this and agree")
    while (await person.hears()).text not in WELCOMED:
        pass


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_an_operators_own_settings_do_not_reach_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in REAL.items()))
    async with trying(tmp_path, environment=REAL) as tryout:
        ann = tryout.sim.user(PATIENT.id)
        await agree(ann)
        await ann.sends_file(PHANTOM.read_bytes(), "chest.jpg")
        answer = await ann.hears_photo(within=15)
        assert is_answer(await ann.downloads(answer))
    assert names_in(tmp_path) == {".env", "try.log"}


async def test_a_kept_data_dir_is_heard_the_second_time_too(tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path / "data"))
    async with trying(tmp_path, *options) as tryout:
        await agree(tryout.sim.user(PATIENT.id))
    async with trying(tmp_path, *options) as tryout:
        ann = tryout.sim.user(PATIENT.id)
        await ann.says("/help")
        assert (await ann.hears()).text


async def test_a_data_dir_that_is_no_trials_is_left_alone(tmp_path: Path) -> None:
    async with await Storage.open(tmp_path) as storage:
        before = await storage.read(staff.everybody)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "run_bot.py"), "try", "--data-dir", str(tmp_path)),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert "no trial's data dir" in said.decode()
    async with await Storage.open(tmp_path) as storage:
        assert await storage.read(staff.everybody) == before


async def test_doctor_and_admin_have_their_menus_and_patients_have_neither(tmp_path: Path) -> None:
    async with trying(tmp_path) as tryout:
        await tryout.sim.quiet()
        patients, doctor, admin = [
            set(await tryout.sim.user(persona.id).menu()) for persona in (PATIENT, DOCTOR, ADMIN)
        ]
        assert doctor > patients and "review" in doctor and "staff" not in doctor
        assert admin > patients and "staff" in admin and "review" not in admin


@pytest.fixture
def phantom() -> bytes:
    """The drawing that the README offers to who has no X-ray."""
    return (ROOT / "docs" / "phantom.jpg").read_bytes()


async def test_the_tour_of_the_readme_can_be_walked(tmp_path: Path, phantom: bytes) -> None:
    async with trying(tmp_path) as tryout:
        ann, doctor, admin = [tryout.sim.user(each.id) for each in (PATIENT, DOCTOR, ADMIN)]
        await agree(ann)
        await ann.sends_photo(phantom)
        await ann.taps("Ask a doctor", within=15)
        await ann.sees("in front of the doctors")

        await doctor.starts()
        await doctor.says("/review")
        await doctor.taps("Normal")
        await doctor.sees("You can add a comment")
        await doctor.says("Drawn by a program")
        await doctor.taps("Send")
        await ann.sees("Drawn by a program", within=UNDO_SECONDS + 15)

        await admin.starts()
        for command in ("stats", "health", "audit", "broadcast", "staff", "qr", "model"):
            asked = (await admin.says(f"/{command}"))["message_id"]
            while (heard := await admin.hears(within=15)).id < asked:
                pass
            assert "do not know" not in heard.text, command


async def test_the_qr_code_opens_the_page_as_a_patient_of_a_clinic(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    async with trying(tmp_path, "--data-dir", str(data_dir)) as tryout:
        with closing(sqlite3.connect(data_dir / "bot.sqlite3")) as database:
            ((token,),) = database.execute("SELECT token FROM sources")
        async with httpx.AsyncClient(base_url=tryout.url) as client:
            shown = await client.get("/sim/qr")
        assert shown.content == qr_png(f"{tryout.url}/?start={token}", CODE_SIDE)
        ann = tryout.sim.user(PATIENT.id)
        await ann.starts(token)
        await ann.sees(CLINIC)


async def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    async with trying(tmp_path) as tryout:
        port = tryout.url.rpartition(":")[2]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "run_bot.py"), "try", "--port", port),
            cwd=tmp_path,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
    assert process.returncode == 2
    assert said.decode() == f"OSError: port {port}: Address already in use\n"
