"""A clinic with doctors, and what a doctor does in one breath."""

import pytest

from bot.sandbox.client import Heard, User
from storage import Storage, staff
from storage.staff import Role

from .pictures import BACTERIAL, xray
from .stage import ADMIN, Stage

DOCTORS = (71, 72, 73)
POLLING = pytest.mark.parametrize("mode", ["polling"], indirect=True)


class Clinic:
    """A stage with doctors."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def opens(self, doctors: int = 1, language: str = "en", **settings: object) -> list[User]:
        """Start with so many doctors, whose verdicts count at once unless said otherwise."""
        async with await Storage.open(self.stage.data_dir) as storage:
            for number in DOCTORS[:doctors]:
                await storage.write(staff.add, number, Role.DOCTOR, f"Dr. <{number}>")
        await self.stage.start(**({"undo_seconds": 0} | settings))
        found = [self.stage.sim.user(number, language=language) for number in DOCTORS[:doctors]]
        for doctor in (*found, self.stage.sim.user(ADMIN, language="en")):
            await doctor.says("/status")
            await doctor.hears()
        return found

    async def case(self, patient: User, brightness: float = BACTERIAL, note: str = "") -> str:
        """Have a patient send a picture and get the answer; gives the case's number."""
        seed = self.stage.value("SELECT count(*) FROM cases")
        await patient.sends_file(xray(brightness, seed), "scan.jpg", note)
        await patient.hears_photo()
        await self.stage.sim.quiet()
        return str(self.stage.value("SELECT number FROM cases ORDER BY id DESC"))

    def state(self, number: str) -> str:
        return str(self.stage.value("SELECT state FROM cases WHERE number = ?", number))


async def takes(doctor: User, number: str = "") -> Heard:
    """Ask for a case and look at its card."""
    await doctor.says(f"/review {number}".strip())
    return await doctor.hears_photo()


async def says(doctor: User, verdict: str, comment: str = "", button: str = "Send") -> None:
    """Give a verdict on the case in hand."""
    await doctor.taps(verdict)
    await doctor.sees("Your verdict:")
    if comment:
        await doctor.says(comment)
        await doctor.sees("Noted for case")
    await doctor.taps(button)
