"""The links of clinics: `/qr`."""

import io

import pytest
from PIL import Image

from bot.sandbox.client import Heard, User

from .pictures import xray
from .stage import ADMIN, Stage


@pytest.fixture
async def admin(stage: Stage) -> User:
    return await stage.agreed(ADMIN)


async def make(admin: User, name: str) -> Heard:
    await admin.says("/qr")
    await admin.taps("New link")
    await admin.sees("What is the clinic called?")
    await admin.says(name)
    return await admin.sees("The link: https://t.me/")


def token(shown: Heard) -> str:
    return shown.text.partition("start=")[2].split()[0]


async def test_a_clinic_gets_a_link_a_poster_and_its_pictures_counted(
    stage: Stage, admin: User
) -> None:
    shown = await make(admin, "  Clinic\u202e <1>\n\u200b & sons ")
    assert "Clinic <1> & sons · people: 0 · pictures: 0" in shown.text
    ann = stage.sim.user(1, language="en")
    await ann.starts(token(shown))
    await ann.sees("This is the bot of Clinic <1> & sons.")
    await ann.taps("I have read this and agree")
    await ann.sends_photo(xray())
    await ann.hears_photo()
    await admin.taps("Poster as picture", shown)
    sent = await admin.sees("The poster, in A4")
    assert sent.file_name == "poster-1.png"
    assert Image.open(io.BytesIO(await admin.downloads(sent))).size == (1240, 1754)
    await admin.taps("Poster as PDF", shown)
    while not (sent := await admin.sees("The poster, in A4")).file_name.endswith(".pdf"):
        await stage.sim.quiet(0.05)
    assert (await admin.downloads(sent)).startswith(b"%PDF")
    await admin.says("/qr")
    listed = await admin.sees("Clinic <1> & sons · people: 1 · pictures: 1")
    assert listed.button("Clinic <1> & sons")


class TestDetails:
    @pytest.fixture
    def mode(self) -> str:
        return "polling"

    async def test_a_retired_link_counts_nobody_and_gives_no_poster(
        self, stage: Stage, admin: User
    ) -> None:
        shown = await make(admin, "Old Clinic")
        await admin.taps("Retire this link", shown)
        kept = await admin.sees("Retire the link of Old Clinic?")
        await admin.taps("No", kept)
        assert (await admin.sees("Nothing was changed")).id == kept.id
        assert stage.value("SELECT retired_at FROM sources") is None
        await admin.taps("Retire this link", shown)
        sure = await admin.sees("Retire the link of Old Clinic?")
        for _ in range(2):
            await admin.taps("Yes, retire it", sure)
        await admin.sees("The link is retired")
        await stage.sim.quiet()
        actions = [row[0] for row in stage.rows("SELECT action FROM audit ORDER BY id")]
        assert actions[-2:] == ["source_made", "source_retired"]
        await admin.says("/audit")
        assert "retired a link · Old Clinic\n" in (await admin.sees("Who did what")).text
        ann = stage.sim.user(1, language="en")
        await ann.starts(token(shown))
        assert "Old Clinic" not in (await ann.sees("Welcome")).text
        assert stage.value("SELECT source_id FROM people WHERE telegram_id = 1") is None
        for button in ("Poster as picture", "Retire this link"):
            await admin.taps(button, shown)
            await admin.sees("This link is retired. /qr shows those in use.")
        await admin.says("/qr")
        listed = await admin.sees("Old Clinic · retired")
        assert listed.button("Old Clinic") is None

    async def test_a_poster_whose_link_is_retired_meanwhile_is_not_sent(
        self, stage: Stage, admin: User
    ) -> None:
        shown = await make(admin, "Old Clinic")
        await stage.sim.fault("sendDocument", code=502)
        await admin.taps("Poster as picture", shown)
        await stage.sim.until(bool, "sendDocument")
        stage.change("UPDATE sources SET retired_at = 1")
        await stage.sim.quiet(1.5)
        assert len(await stage.sim.calls("sendDocument")) == 1
        await admin.says("/qr")
        await admin.sees("Old Clinic · retired")

    async def test_a_clinic_gets_no_second_link(self, stage: Stage, admin: User) -> None:
        first = token(await make(admin, "Clinic"))
        await admin.says("/qr")
        await admin.taps("New link")
        await admin.says("Clinic")
        await stage.sim.quiet()
        assert stage.value("SELECT count(*) FROM sources") == 1
        assert first in (await admin.messages())[-1].text

    @pytest.mark.parametrize("wrong", ["x" * 81, ""])
    async def test_a_name_that_is_none_is_asked_for_again(
        self, stage: Stage, admin: User, wrong: str
    ) -> None:
        await admin.says("/qr")
        await admin.taps("New link")
        await (admin.says(wrong) if wrong else admin.sends("sticker"))
        await admin.sees("Please send the name as a text of at most 80 characters")
        await admin.says("Clinic")
        await admin.sees("The link: ")

    async def test_many_links_come_in_pages(self, stage: Stage, admin: User) -> None:
        for number in range(12):
            stage.change(
                "INSERT INTO sources (token, name, created_at) VALUES (?, ?, 1)",
                f"t{number}",
                f"Clinic {number}",
            )
        await admin.says("/qr")
        first = await admin.sees("Clinic 11")
        assert "Clinic 1 " not in first.text
        await admin.taps("Further", first)
        assert "Clinic 0 " in (await admin.sees("Clinic 1 ·")).text
