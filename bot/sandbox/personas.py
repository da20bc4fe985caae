"""Who a newcomer can be on the page; `run_bot.py try` gives them their roles."""

from dataclasses import asdict, dataclass

from bot.sandbox.errors import Json


@dataclass(frozen=True, slots=True)
class Persona:
    """One person to play; `role` is patient, doctor or admin."""

    id: int
    name: str
    role: str
    language: str

    def as_json(self) -> Json:
        """Return what the page shows."""
        return asdict(self)


PATIENT = Persona(1001, "Ann Miller", "patient", "en")
CHINESE_PATIENT = Persona(1002, "李伟", "patient", "zh-hans")
DOCTOR = Persona(2001, "Dr. Chen", "doctor", "en")
ADMIN = Persona(3001, "Sam Okoro", "admin", "en")
PERSONAS = (PATIENT, CHINESE_PATIENT, DOCTOR, ADMIN)
