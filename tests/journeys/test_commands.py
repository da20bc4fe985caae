"""The operator's commands as programs, against a local Telegram."""

import asyncio
import base64
import os
import socket
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.sandbox.server import Sandbox
from storage import Storage
from storage.store import DATABASE

from .pictures import xray
from .process import ROOT
from .stage import ADMIN, Stage

WRONG = "123456:AAbbCCddEEffGGhhIIjjKKll"
OTHER_KEY = base64.b64encode(bytes(32)).decode()
FUTURE = """INSERT INTO _sqlite_migrations (migration_set, name, applied_at)
            VALUES ('storage', 'm999_future', '2099-01-01')"""


@dataclass(frozen=True)
class Ended:
    """How a program ended and what it said."""

    code: int
    out: str
    errors: str


@pytest.fixture
def mode() -> str:
    return "polling"


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return {
        "TELEGRAM_BOT_TOKEN": sandbox.token,
        "TELEGRAM_API_URL": sandbox.api_url,
        "BOT_DATA_DIR": str(tmp_path / "data"),
    }


async def run(settings: dict[str, str], *arguments: str | Path) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "run_bot.py"), *map(str, arguments)),
        cwd=Path(settings["BOT_DATA_DIR"]).parent,
        env=os.environ | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    assert "Traceback" not in errors.decode()
    return Ended(process.returncode, out.decode(), errors.decode())


def lines(ended: Ended) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in ended.out.splitlines())


def put(path: Path, content: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def files_in(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize(
    "command", ["run", "qr", "backup", "check", "invite --role admin --name Ann"]
)
async def test_bad_settings_are_all_named_and_end_it(
    settings: dict[str, str], command: str
) -> None:
    bad = {"TELEGRAM_BOT_TOKEN": "", "RESULTS": "someday", "WEBHOOK_URL": "https://a.example"}
    ended = await run(settings | bad, *command.split())
    assert ended.code == 2
    for name in ("TELEGRAM_BOT_TOKEN", "RESULTS", "WEBHOOK_SECRET"):
        assert f"  {name}: " in ended.errors


@pytest.mark.parametrize("command", ["run", "check"])
async def test_a_file_of_settings_that_is_no_text_is_told_without_what_is_in_it(
    settings: dict[str, str], command: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_bytes(f"TELEGRAM_BOT_TOKEN={WRONG}\n".encode("utf-16"))
    ended = await run(settings, command)
    assert ended.code == 2
    assert ended.errors == "The file .env must be text in UTF-8; save it as such\n"


@pytest.mark.parametrize("command", ["run", "qr"])
async def test_a_wrong_token_is_told_and_never_shown(
    settings: dict[str, str], command: str
) -> None:
    ended = await run(settings | {"TELEGRAM_BOT_TOKEN": WRONG}, command)
    assert ended.code == 2
    assert "TELEGRAM_BOT_TOKEN is not one that Telegram knows" in ended.errors
    assert WRONG not in ended.out + ended.errors


async def test_a_telegram_that_cannot_be_reached_is_told_in_one_line(
    settings: dict[str, str],
) -> None:
    ended = await run(settings | {"TELEGRAM_API_URL": "http://127.0.0.1:9"}, "qr")
    assert ended.code == 2
    assert ended.errors.count("\n") == 1 and "Telegram cannot be reached" in ended.errors


@pytest.mark.parametrize("command", ["run", "check"])
async def test_a_data_dir_that_cannot_be_used_is_named(
    settings: dict[str, str], command: str
) -> None:
    put(Path(settings["BOT_DATA_DIR"]))
    ended = await run(settings, command)
    assert ended.code == (2 if command == "run" else 1)
    assert settings["BOT_DATA_DIR"] in ended.out + ended.errors


async def test_a_webhooks_port_that_another_program_has_is_named(
    settings: dict[str, str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        hook = {"WEBHOOK_URL": "http://127.0.0.1", "WEBHOOK_SECRET": "s", "WEBHOOK_PORT": port}
        ended = await run(settings | hook, "run")
    assert ended.code == 2 and port in ended.errors.splitlines()[-1]


async def test_a_webhook_that_telegram_refuses_is_logged_with_its_reason(
    off_stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    off_stage.mode = "webhook"
    await off_stage.sim.fault("setWebhook", code=400, description="Bad Request: bad webhook: port")
    await off_stage.start()
    await off_stage.sim.until(lambda calls: len(calls) > 1, "setWebhook")
    assert "bad webhook: port" in caplog.text.lower()


class TestWhatEndsTheStart:
    @pytest.fixture
    async def ended(self, off_stage: Stage) -> Stage:
        """A bot that has kept a picture and was stopped."""
        await off_stage.start()
        ann = await off_stage.agreed(1)
        await ann.sends_photo(xray())
        await ann.hears_photo()
        await off_stage.stop()
        return off_stage

    async def refused(self, settings: dict[str, str]) -> str:
        """Start it, and give the one line that it ends with."""
        ended = await run(settings, "run")
        assert ended.code == 2 and "ready" not in ended.errors
        return ended.errors.splitlines()[-1]

    async def test_a_wrong_key_is_refused_and_what_mends_it_is_said(
        self, ended: Stage, settings: dict[str, str]
    ) -> None:
        said = await self.refused(settings | {"IMAGE_KEY": OTHER_KEY})
        assert "encrypted under another key" in said and "IMAGE_KEY or image.key" in said

    async def test_a_database_of_a_newer_version_is_refused_and_what_mends_it_is_said(
        self, ended: Stage, settings: dict[str, str]
    ) -> None:
        ended.change(FUTURE)
        said = await self.refused(settings)
        assert "newer version" in said and "install that version" in said

    async def test_a_broken_database_is_refused_and_what_mends_it_is_said(
        self, ended: Stage, settings: dict[str, str]
    ) -> None:
        put(ended.data_dir / DATABASE, b"nothing of ours" * 1000)
        assert "restore a copy" in await self.refused(settings)


class TestQr:
    async def test_a_poster_names_the_clinic_and_its_link_is_kept(
        self, settings: dict[str, str], tmp_path: Path
    ) -> None:
        nowhere = await run(settings, "qr", "--source", "Clinic")
        assert nowhere.code == 2 and "the bot has not run here" in nowhere.errors
        async with await Storage.open(Path(settings["BOT_DATA_DIR"])):
            pass
        first, again = [
            await run(settings, "qr", "--source", "  The\u202e\u200b Clinic ", "--out", f"{n}.svg")
            for n in range(2)
        ]
        assert first.code == again.code == 0
        link = lines(first)["0.svg"]
        assert link == lines(again)["1.svg"]
        assert link.startswith("https://t.me/lung_scan_bot?start=")
        assert "The Clinic" in (tmp_path / "0.svg").read_text()
        async with await Storage.open(Path(settings["BOT_DATA_DIR"])) as storage:
            noted = await storage.read(lambda tx: tx.rows("SELECT actor, action FROM audit"))
        assert noted == [{"actor": "operator", "action": "source_made"}]

    async def test_a_name_that_is_too_long_and_a_file_of_another_kind_are_refused(
        self, settings: dict[str, str]
    ) -> None:
        assert (await run(settings, "qr", "--source", "x" * 81)).code == 2
        assert (await run(settings, "qr", "--out", "poster.gif")).code == 2


class TestInvite:
    async def test_whoever_has_the_machine_can_make_an_admin_where_none_is_left(
        self, stage: Stage, settings: dict[str, str]
    ) -> None:
        await stage.agreed(ADMIN)
        ended = await run(settings, "invite", "--role", "admin", "--name", " New  Boss ")
        assert ended.code == 0 and "Works once, until " in ended.out
        link = ended.out.splitlines()[0]
        assert link.startswith("https://t.me/lung_scan_bot?start=")
        token = link.partition("start=")[2]
        boss, late = await stage.agreed(8), await stage.agreed(9)
        await boss.starts(token)
        await boss.sees("New Boss. You are an admin here now")
        await late.starts(token)
        await late.sees("This invitation was used before")
        await boss.says("/staff")
        await boss.taps("End: Admin 1")
        await boss.taps("Yes, end")
        await boss.sees("Admin 1 is no longer an admin here")
        await boss.says("/audit")
        told = await boss.sees("Who did what")
        assert "the operator · made an invitation · admin" in told.text
        assert "New Boss · accepted an invitation · the operator" in told.text

    async def test_a_name_that_is_none_and_a_place_where_no_bot_ran_are_refused(
        self, settings: dict[str, str], tmp_path: Path
    ) -> None:
        for name in ("x" * 81, " "):
            assert (await run(settings, "invite", "--role", "admin", "--name", name)).code == 2
        assert (await run(settings, "invite", "--role", "patient", "--name", "Ann")).code == 2
        ended = await run(settings, "invite", "--role", "admin", "--name", "Ann")
        assert ended.code == 2 and "There is no database in" in ended.errors
        assert not files_in(tmp_path)


class TestBackup:
    async def test_a_copy_lies_where_retention_reaches_it_unless_another_place_is_named(
        self, stage: Stage, settings: dict[str, str], tmp_path: Path
    ) -> None:
        await stage.agreed(ADMIN)
        ended = await run(settings, "backup")
        assert ended.code == 0
        (kept,) = (stage.data_dir / "backups").glob("by-hand-*.sqlite3")
        assert lines(ended)[str(kept)] == "written and checked"
        with closing(sqlite3.connect(kept)) as database:
            assert database.execute("SELECT count(*) FROM people").fetchone() == (1,)
        assert (await run(settings, "backup", tmp_path / "mine.sqlite3")).code == 0
        taken = await run(settings, "backup", tmp_path / "mine.sqlite3")
        assert taken.code == 2 and "the target exists" in taken.errors

    async def test_without_a_database_it_says_where_it_looked(
        self, settings: dict[str, str], tmp_path: Path
    ) -> None:
        ended = await run(settings, "backup")
        assert ended.code == 2
        assert f"There is no database in {settings['BOT_DATA_DIR']}" in ended.errors
        assert not files_in(tmp_path)


class TestCheck:
    async def test_before_the_first_start_all_is_ok_and_nothing_is_made(
        self, settings: dict[str, str], tmp_path: Path
    ) -> None:
        ended = await run(settings, "check")
        assert set(lines(ended).values()) == {"ok"}, ended.out
        assert ended.code == 0
        assert not files_in(tmp_path)

    async def test_a_database_of_an_older_version_may_still_be_upgraded(
        self, off_stage: Stage, settings: dict[str, str]
    ) -> None:
        await off_stage.start()
        await off_stage.sim.until(bool, "setMyCommands")
        await off_stage.stop()
        off_stage.change("DROP TABLE model_choices")
        ended = await run(settings, "check")
        assert lines(ended)["model"] == "ok", ended.errors

    async def test_a_bot_that_runs_is_looked_at_and_left_as_it_is(
        self, stage: Stage, settings: dict[str, str]
    ) -> None:
        await stage.agreed(ADMIN)
        before = files_in(stage.data_dir)
        assert (await run(settings, "check")).code == 0
        assert files_in(stage.data_dir) == before

    async def test_a_database_of_a_newer_version_is_named(
        self, off_stage: Stage, settings: dict[str, str]
    ) -> None:
        await off_stage.start()
        await off_stage.agreed(ADMIN)
        await off_stage.stop()
        off_stage.change(FUTURE)
        before = files_in(off_stage.data_dir)
        ended = await run(settings, "check")
        assert ended.code == 1
        assert "newer version of this program (m999_future)" in lines(ended)["database"]
        assert files_in(off_stage.data_dir) == before

    async def test_a_database_that_is_none_is_named(self, settings: dict[str, str]) -> None:
        put(Path(settings["BOT_DATA_DIR"]) / DATABASE, b"nothing of ours" * 1000)
        ended = await run(settings, "check")
        assert ended.code == 1
        assert "restore a copy" in lines(ended)["database"]

    async def test_a_lost_image_key_is_named(self, settings: dict[str, str]) -> None:
        put(Path(settings["BOT_DATA_DIR"]) / "images" / "ab" / "abcdef")
        ended = await run(settings, "check")
        assert "image.key is missing beside existing images" in lines(ended)["image key"]

    async def test_a_key_that_does_not_open_the_pictures_is_named(
        self, stage: Stage, settings: dict[str, str]
    ) -> None:
        ann = await stage.agreed(1)
        await ann.sends_photo(xray())
        await ann.hears_photo()
        assert lines(await run(settings, "check"))["image key"] == "ok"
        ended = await run(settings | {"IMAGE_KEY": OTHER_KEY}, "check")
        assert ended.code == 1
        assert "encrypted under another key; put the key" in lines(ended)["image key"]
        assert OTHER_KEY not in ended.out + ended.errors

    async def test_a_model_that_was_chosen_and_is_gone_is_named(
        self, off_stage: Stage, settings: dict[str, str]
    ) -> None:
        await off_stage.start()
        await off_stage.agreed(ADMIN)
        await off_stage.stop()
        # What the program chose by itself gives way without a word: here the stand-in.
        assert lines(await run(settings, "check"))["model"] == "ok"
        off_stage.change(
            """INSERT INTO model_choices (at, by_id, part, modality, name, digest)
               SELECT at, (SELECT min(id) FROM staff), part, modality, name, digest
               FROM model_choices"""
        )
        ended = await run(settings, "check")
        assert ended.code == 1
        assert "chosen with /model is no longer there" in lines(ended)["model"]

    async def test_a_classifier_that_is_down_is_named(self, settings: dict[str, str]) -> None:
        ended = await run(settings | {"CLASSIFIER_URL": "http://127.0.0.1:9"}, "check")
        assert ended.code == 1
        assert "check CLASSIFIER_URL" in lines(ended)["model"]

    async def test_telegram_that_does_not_know_the_token_is_named(
        self, settings: dict[str, str]
    ) -> None:
        ended = await run(settings | {"TELEGRAM_BOT_TOKEN": WRONG}, "check")
        assert ended.code == 1
        assert "TELEGRAM_BOT_TOKEN is not one" in lines(ended)["Telegram"]
        assert WRONG not in ended.out + ended.errors
