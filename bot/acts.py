"""What was done, by whom and why, in words: the codes of the audit and of a case's history."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.texts.catalogue import Texts
from storage import audit, sources, staff
from storage.cases import CaseState
from storage.transaction import Tx

# A clinic, a whole word, or a member of staff; a part of a model's name is none of them.
CODE = re.compile(r"(?<!\S)(source \d+|[a-z_]+(:\d+)?)(?!\S)")


@dataclass(frozen=True, slots=True)
class Words:
    """Puts the codes of the audit into words."""

    texts: Texts
    names: Mapping[str, str]

    @classmethod
    def of(cls, tx: Tx, texts: Texts) -> "Words":
        """Take the names of all who ever held a role, and of all clinics."""
        members = {member.actor: member.name for member in staff.everybody(tx)}
        clinics = {f"source {source.id}": source.name for source in sources.listing(tx)}
        return cls(texts, members | clinics)

    def who(self, actor: str) -> str:
        """Name who acted."""
        if actor in (audit.SYSTEM, audit.PATIENT, audit.OPERATOR):
            return self.texts(f"audit.who.{actor}")
        return self.names.get(actor, actor)

    def what(self, action: str) -> str:
        """Tell what was done."""
        return self.texts.known(f"audit.did.{action}", action)

    def detail(self, detail: str | None) -> str:
        """Tell what the codes of a detail mean, and name the staff and clinics it points to."""
        return CODE.sub(lambda found: self._code(found[0]), detail or "")

    def why(self, step: str, reason: str) -> str:
        """Tell why a case took a step."""
        refused = step == CaseState.REFUSED
        key = f"refused.{reason}" if refused else f"event.{step}.{reason}"
        # What is not in the catalogue is an error's name, for the log.
        return self.texts.known(key, self.texts("event.fault"))

    def _code(self, code: str) -> str:
        return self.names.get(code) or self.texts.known(f"audit.code.{code}", code)
