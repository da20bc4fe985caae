"""What an operator can mend, each in one line: neither a traceback nor a token is in it."""

from telegram.error import InvalidToken, TelegramError

from bot.lock import AlreadyRunning
from bot.models import NotInstalled
from bot.settings import BadSettings
from classifier.card import BrokenModel
from classifier.engines import EngineDown
from storage.errors import (
    ImageKeyWrong,
    StorageBroken,
    StorageError,
    StorageFull,
    StorageTooNew,
)

MAKE_ROOM = "make room, as “The disk is full” in docs/operating.md tells"

MENDABLE = (
    AlreadyRunning,
    BadSettings,
    BrokenModel,
    EngineDown,
    NotInstalled,
    StorageError,
    TelegramError,
    OSError,
)


def mend(error: BaseException) -> str:
    """Say what is wrong, and what mends it where that is known."""
    match error:
        case BadSettings():
            return str(error)
        case BrokenModel():
            return f"The model cannot be used: {error}; check the repository out again"
        case EngineDown():
            return f"The classifier's server gives no answer of use ({error}); check CLASSIFIER_URL"
        case NotInstalled():
            return (
                "The model chosen with /model is no longer there, or its folder has changed; put"
                " it back, or choose another: after the next start the program's own answers"
            )
        case InvalidToken():
            # Its text names the token.
            return "TELEGRAM_BOT_TOKEN is not one that Telegram knows; ask @BotFather"
        case TelegramError():
            kind = type(error).__name__
            return f"Telegram cannot be reached ({kind}); check TELEGRAM_API_URL and the network"
        case ImageKeyWrong():
            return (
                f"The pictures cannot be opened: {error}; put the key they were kept under into"
                " IMAGE_KEY or image.key, or see “The key of the pictures is lost” in"
                " docs/operating.md"
            )
        case StorageTooNew():
            return (
                f"The database was written by a newer version of this program ({error}); install"
                " that version, or go back as “Upgrade, and back” in docs/operating.md tells"
            )
        case StorageFull():
            return f"There is no room for the data dir's files ({error}); {MAKE_ROOM}"
        case StorageBroken():
            return (
                f"The data dir's files cannot be used ({error}); check its rights, its disk and the"
                " room there, or restore a copy as “Restore” in docs/operating.md tells"
            )
        case OSError(filename=str(file)):
            return f"{file} cannot be used ({error.strerror}); check its name, rights and disk"
    return f"{type(error).__name__}: {error}"
