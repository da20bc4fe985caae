"""What lies on the disk: pictures nobody else can read, and the tables of an earlier version."""

import io
import re
from pathlib import Path

from PIL import Image
from sqlite_utils import Database as Plain
from sqlite_utils import Migrations

from bot.patient import consent
from bot.sandbox.client import User
from storage import Storage
from storage.database import Database
from storage.images import ImageKind, of_case
from storage.migrations import MIGRATIONS
from storage.transaction import Tx

from .clinic import POLLING
from .pictures import ct_slice, is_answer, xray
from .stage import Stage

# Long enough that what is encrypted does not hold it by chance.
PICTURE = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff[\xe0\xe1]..(JFIF|Exif)|\0{16}DICM", re.DOTALL
)
FIRST = 2


def with_a_comment(picture: bytes) -> bytes:
    """Write words into a JPEG that nobody sees on it."""
    out = io.BytesIO()
    Image.open(io.BytesIO(picture)).save(out, "JPEG", comment=b"Somebody^Secret", exif=exif())
    return out.getvalue()


def exif() -> Image.Exif:
    described = Image.Exif()
    described[0x010E] = "Somebody^Secret"
    return described


def files(stage: Stage) -> list[Path]:
    return [path for path in stage.data_dir.rglob("*") if path.is_file()]


async def test_pictures_are_kept_re_encoded_and_encrypted(stage: Stage, ann: User) -> None:
    sent = {"jpg": with_a_comment(xray()), "dcm": ct_slice(1, "1.2.3")}
    for ending, picture in sent.items():
        assert PICTURE.search(picture) and b"Somebody" in picture
        await ann.sends_file(picture, f"Somebody-Secret.{ending}")
        await ann.hears_photo()
    await stage.stop()
    kept = [path for path in files(stage) if path.is_relative_to(stage.data_dir / "images")]
    assert len(kept) == 4
    for path in files(stage):
        assert path.stat().st_mode & 0o077 == 0 or path.name == "lock", path
        content = path.read_bytes()
        assert b"Somebody" not in content and "Somebody" not in path.name
        assert not PICTURE.search(content), path
    async with await Storage.open(stage.data_dir) as storage:
        for kind in (ImageKind.SCAN, ImageKind.REPORT):
            (image,) = await storage.read(of_case, 1, kind)
            picture = await storage.images.load(image.id)
            assert b"Somebody" not in picture
            assert is_answer(picture) == (kind is ImageKind.REPORT)
            assert not Image.open(io.BytesIO(picture)).getexif()


def earliest() -> Migrations:
    """The tables as they were when there were only patients."""
    steps = Migrations("storage")
    for step in MIGRATIONS.pending(Plain(memory=True))[:FIRST]:
        steps(name=step.name)(step.fn)
    return steps


def somebody_who_agreed(tx: Tx) -> None:
    person = tx.insert(
        "people", telegram_id=1, language_code="en", first_seen_at=tx.time, last_seen_at=tx.time
    )
    tx.insert("consents", person_id=person, version=consent.VERSION, given_at=tx.time)


@POLLING
async def test_a_database_of_an_earlier_version_is_backed_up_and_goes_on(off_stage: Stage) -> None:
    path = off_stage.data_dir / "bot.sqlite3"
    path.unlink()
    async with await Database.open(path, migrations=earliest()) as database:
        await database.write(somebody_who_agreed)
    await off_stage.start()
    ann = off_stage.sim.user(1, language="en")
    await ann.sends_photo(xray())
    await ann.hears_photo()
    (copy,) = (off_stage.data_dir / "backups").glob("before-*")
    with_people = Plain(str(copy))
    assert with_people["people"].count == 1
    assert "review_queue" not in with_people.table_names()
