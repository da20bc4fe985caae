"""Files: ids, downloads and their limit."""

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image
from telegram import Bot
from telegram.error import BadRequest, InvalidToken

from bot.sandbox.client import Sim, User
from bot.sandbox.server import Sandbox

from .conftest import picture

MEGABYTE = 1 << 20


async def test_a_document_comes_down_byte_for_byte(bot: Bot, ann: User) -> None:
    content = bytes(range(256)) * 100
    sent = await ann.sends_file(content, "IM-0001.dcm")
    assert sent["document"]["mime_type"] == "application/dicom"
    file = await bot.get_file(sent["document"]["file_id"])
    assert file.file_path and file.file_path.endswith(".dcm") and file.file_size == len(content)
    assert bytes(await file.download_as_bytearray()) == content


async def test_a_photo_comes_down_as_a_jpeg_of_at_most_1280(bot: Bot, ann: User) -> None:
    sent = await ann.sends_photo(picture(1500, 3000))
    sizes = [(size["width"], size["height"]) for size in sent["photo"]]
    assert sizes == [(45, 90), (160, 320), (400, 800), (640, 1280)]
    file = await bot.get_file(sent["photo"][-1]["file_id"])
    image = Image.open(io.BytesIO(bytes(await file.download_as_bytearray())))
    assert (image.format, image.size, image.mode) == ("JPEG", (640, 1280), "RGB")


async def test_a_small_photo_is_not_made_larger(ann: User) -> None:
    sent = await ann.sends_photo(picture(200, 100))
    assert [size["width"] for size in sent["photo"]] == [90, 200]


async def test_a_photo_of_a_person_has_no_limit_for_their_app_makes_it_small(
    bot: Bot, ann: User
) -> None:
    heavy = picture(2600, 2600) + bytes(10 * MEGABYTE)
    for content, size in (heavy, (1280, 1280)), (picture(9000, 3000), (1280, 427)):
        sent = await ann.sends_photo(content)
        assert (sent["photo"][-1]["width"], sent["photo"][-1]["height"]) == size
        file = await bot.get_file(sent["photo"][-1]["file_id"])
        assert len(await file.download_as_bytearray()) < MEGABYTE


async def test_a_turned_photo_is_set_upright(bot: Bot, ann: User) -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (300, 100)).save(out, "JPEG", exif=exif)
    sent = await ann.sends_photo(out.getvalue())
    assert (sent["photo"][-1]["width"], sent["photo"][-1]["height"]) == (100, 300)


async def test_the_same_content_has_the_same_unique_id(ann: User) -> None:
    one, two = [await ann.sends_file(b"same", name) for name in ("a.txt", "b.txt")]
    other = await ann.sends_file(b"other", "a.txt")
    assert one["document"]["file_unique_id"] == two["document"]["file_unique_id"]
    assert one["document"]["file_id"] != two["document"]["file_id"]
    assert one["document"]["file_unique_id"] != other["document"]["file_unique_id"]


async def test_more_than_20_megabytes_do_not_come_down(bot: Bot, ann: User) -> None:
    fits = await ann.sends_file(b"x" * (20 * MEGABYTE), "fits.zip")
    large = await ann.sends_file(b"x" * (20 * MEGABYTE + 1), "large.zip")
    assert await bot.get_file(fits["document"]["file_id"])
    with pytest.raises(BadRequest, match="File is too big"):
        await bot.get_file(large["document"]["file_id"])


async def test_unknown_files_are_refused(bot: Bot, sandbox: Sandbox) -> None:
    with pytest.raises(BadRequest, match="Wrong file_id"):
        await bot.get_file("nonsense")
    with pytest.raises(InvalidToken, match="Not Found"):
        url = f"{sandbox.file_url}/file/bot{sandbox.token}/documents/file_99"
        await bot.request.retrieve(url)


async def test_a_file_name_is_never_a_path(bot: Bot, ann: User) -> None:
    sent = await ann.sends_file(b"x", "../../etc/passwd.d/../x y.zip")
    assert sent["document"]["file_name"] == "x y.zip"
    file = await bot.get_file(sent["document"]["file_id"])
    assert file.file_path and ".." not in file.file_path


async def test_what_the_bot_sent_can_be_fetched_again(bot: Bot, ann: User, sim: Sim) -> None:
    sent = await bot.send_document(1, b"report", filename="r.pdf")
    assert sent.document and await sim.file(sent.document.file_id) == b"report"
    file = await bot.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == b"report"


async def test_a_local_server_lays_files_down_and_has_no_limit(tmp_path: Path) -> None:
    content = b"x" * (21 * MEGABYTE)
    async with Sandbox(local_files=tmp_path) as sandbox, Sim(sandbox.url) as sim:
        sent = await sim.user(1).sends_file(content, "large.zip")
        async with Bot(sandbox.token, base_url=f"{sandbox.api_url}/bot", local_mode=True) as bot:
            file = await bot.get_file(sent["document"]["file_id"])
            path = await file.download_to_drive()
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(content).digest()
