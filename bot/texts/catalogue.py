"""The gettext catalogues, one for each subject: a key and a language give a sentence."""

from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from classifier.report_texts import Language

FOLDER = Path(__file__).parent


def language_of(code: str | None, default: Language) -> Language:
    """Choose by Telegram's `language_code`, such as zh-hans or en-GB."""
    short = (code or "").lower().partition("-")[0]
    return Language(short) if short in tuple(Language) else default


class Texts:
    """The sentences of one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._sentences = _catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """Give the sentence of a key with its blanks filled; raises KeyError for an unknown key."""
        return self._sentences[key].format(**values)

    def known(self, key: str, code: str) -> str:
        """Give the words of a code; one of another version stays as it is."""
        return self._sentences.get(key, code)


@cache
def _catalogue(language: Language) -> dict[str, str]:
    files = sorted((FOLDER / language).glob("*.po"))
    return {str(m.id): str(m.string) for file in files for m in _messages(file) if m.id}


def _messages(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)
