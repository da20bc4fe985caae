"""What an operator sets, from the environment or `.env`; every missing or bad value at once."""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from classifier.report_texts import Language
from storage.errors import ImageKeyWrong
from storage.keys import decode

TELEGRAM = "https://api.telegram.org"
TOKEN = re.compile(r"\d+:[\w-]+", re.ASCII)
# Whoever stands in for Telegram may give others; they are part of a path.
TOKEN_ELSEWHERE = re.compile(r"[\w:-]+", re.ASCII)
# What Telegram takes as a webhook's secret.
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
# To list them takes a while.
ZONES = available_timezones()

# What pydantic finds, in an operator's words; all else it says well enough.
PLAINLY = {
    "missing": "must be set",
    "string_unicode": "must be text in UTF-8",
    "string_too_long": "must have at most {max_length} letters",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "bool_parsing": "must be true or false",
    "enum": "must be {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
}

# Telegram promises at most 52 bits.
TelegramId = Annotated[int, Field(gt=0, lt=2**52)]


class Results(StrEnum):
    """When a patient gets the answer."""

    IMMEDIATE = "immediate"
    AFTER_REVIEW = "after_review"


class LogFormat(StrEnum):
    """How a line of the log looks."""

    TEXT = "text"
    JSON = "json"


class BadSettings(Exception):
    """Settings that cannot be used; the text names each and what is wrong with it."""


class Settings(BaseSettings):
    """All settings; each is named in the environment as its alias says."""

    model_config = SettingsConfigDict(
        env_file=".env",
        # Some editors begin a file with a mark.
        env_file_encoding="utf-8-sig",
        extra="ignore",
        hide_input_in_errors=True,
    )

    api_url: str = Field(TELEGRAM, alias="TELEGRAM_API_URL")
    token: SecretStr = Field(alias="TELEGRAM_BOT_TOKEN")
    local_mode: bool = Field(False, alias="TELEGRAM_LOCAL_MODE")
    data_dir: Path = Field(Path("data"), alias="BOT_DATA_DIR")
    admin_ids: Annotated[tuple[TelegramId, ...], NoDecode] = Field((), alias="BOT_ADMIN_IDS")
    default_language: Language = Field(Language.CHINESE, alias="BOT_DEFAULT_LANGUAGE")
    clinic: str = Field("", alias="BOT_CLINIC_NAME", max_length=80)
    classifier_url: str = Field("", alias="CLASSIFIER_URL")
    results: Results = Field(Results.IMMEDIATE, alias="RESULTS")
    retention_days: int = Field(90, alias="RETENTION_DAYS", ge=1, le=3650)
    image_key: SecretStr | None = Field(None, alias="IMAGE_KEY")
    webhook_url: str = Field("", alias="WEBHOOK_URL")
    webhook_secret: SecretStr | None = Field(None, alias="WEBHOOK_SECRET", validate_default=True)
    webhook_port: int = Field(8443, alias="WEBHOOK_PORT", ge=1, le=65535)
    scans_per_hour: int = Field(10, alias="SCANS_PER_HOUR", ge=1)
    scans_per_day: int = Field(30, alias="SCANS_PER_DAY", ge=1)
    queue_limit: int = Field(1000, alias="QUEUE_LIMIT", ge=1)
    export_dir: Path | None = Field(None, alias="EXPORT_DIR")
    backups_kept: int = Field(7, alias="BACKUPS_KEPT", ge=1, le=365)
    disk_free_mb: int = Field(500, alias="DISK_FREE_MB", ge=0)
    metrics_port: int = Field(0, alias="METRICS_PORT", ge=0, le=65535)
    log_format: LogFormat = Field(LogFormat.TEXT, alias="LOG_FORMAT")
    review_minutes: int = Field(15, alias="REVIEW_MINUTES", ge=1, le=1440)
    undo_seconds: int = Field(60, alias="UNDO_SECONDS", ge=0, le=3600)
    service_level_hours: int = Field(24, alias="SERVICE_LEVEL_HOURS", ge=1, le=720)
    time_zone: str = Field("Asia/Shanghai", alias="TIME_ZONE")
    invitation_hours: int = Field(48, alias="INVITATION_HOURS", ge=1, le=720)

    @field_validator("token")
    @classmethod
    def _is_a_token(cls, token: SecretStr, info: ValidationInfo) -> SecretStr:
        form = TOKEN if info.data.get("api_url") == TELEGRAM else TOKEN_ELSEWHERE
        if not form.fullmatch(token.get_secret_value()):
            raise ValueError("must be a number, a colon, and letters, digits, _ or -")
        return token

    @field_validator("data_dir", "export_dir", mode="before")
    @classmethod
    def _is_a_folder(cls, folder: Any, field: ValidationInfo) -> Any:
        """Take an empty name for none: it would be the working folder."""
        if not isinstance(folder, str) or folder.strip():
            return folder
        if field.field_name == "data_dir":
            raise ValueError("must name a folder")
        return None

    @field_validator("api_url", "classifier_url", "webhook_url")
    @classmethod
    def _is_a_url(cls, url: str, field: ValidationInfo) -> str:
        if (url or field.field_name == "api_url") and not _can_be_called(url):
            raise ValueError("must be http:// or https://, a host, and a port if any, up to 65535")
        return url

    @field_validator("admin_ids", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take `1,2 3` from the environment."""
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        if name not in ZONES:
            raise ValueError("no time zone of the IANA list, such as Europe/Berlin")
        return name

    @field_validator("image_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        try:
            if key:
                decode(key.get_secret_value())
        except ImageKeyWrong as error:
            raise ValueError(str(error)) from None
        return key

    @field_validator("webhook_url")
    @classmethod
    def _is_https(cls, url: str, others: ValidationInfo) -> str:
        """Telegram itself calls no plain address; a local server does."""
        if url.startswith("http:") and others.data.get("api_url") == TELEGRAM:
            raise ValueError("Telegram calls https addresses only")
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _is_a_secret(cls, secret: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        """Look at it whether it is given or not: a webhook, well named or not, needs one."""
        wanted = bool(secret) or others.data.get("webhook_url", "?") != ""
        if wanted and not SECRET.fullmatch(secret.get_secret_value() if secret else ""):
            raise ValueError("with a webhook 1 to 256 of A-Z, a-z, 0-9, _ and - are needed")
        return secret

    @property
    def retention(self) -> timedelta:
        """How long pictures and texts are kept."""
        return timedelta(days=self.retention_days)

    @property
    def lease(self) -> timedelta:
        """How long a doctor holds a case without a word."""
        return timedelta(minutes=self.review_minutes)

    @property
    def undo(self) -> timedelta:
        """How long a verdict can be taken back."""
        return timedelta(seconds=self.undo_seconds)

    @property
    def service_level(self) -> timedelta:
        """How long a case may wait for a doctor."""
        return timedelta(hours=self.service_level_hours)

    @property
    def incoming(self) -> Path:
        """Where a file lies while it is read; emptied at each start."""
        return self.data_dir / "incoming"

    @property
    def models(self) -> Path:
        """Where model folders are put that do not come with the program."""
        return self.data_dir / "models"

    @property
    def pictures_key(self) -> str | None:
        """The key that was set for the pictures, if there is one."""
        return self.image_key.get_secret_value() if self.image_key else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never stand in a log."""
        known = (self.token, self.image_key, self.webhook_secret)
        return tuple(secret.get_secret_value() for secret in known if secret)


def load_settings(**changes: Any) -> Settings:
    """Read the settings, and give fields other values by name.

    Raises BadSettings naming every missing or bad one, without its value.
    """
    try:
        return Settings(**by_alias(changes))
    except UnicodeDecodeError:
        # Nothing in it can be read, and its text has a part of the file.
        raise BadSettings("The file .env must be text in UTF-8; save it as such") from None
    except ValidationError as error:
        lines = {f"  {_line(each)}" for each in error.errors()}
        raise BadSettings("\n".join(["These settings need mending:", *sorted(lines)])) from None


def by_alias(values: Mapping[str, Any]) -> dict[str, Any]:
    """Name fields as the environment does: it is not heard under their own names."""
    return {str(Settings.model_fields[name].alias): value for name, value in values.items()}


def _can_be_called(url: str) -> bool:
    try:
        host, port = urlsplit(url).hostname, urlsplit(url).port
    except ValueError:
        return False
    begins = url.startswith(("http://", "https://"))
    return begins and bool(host) and port != 0 and not re.search(r"\s", url)


def _line(error: ErrorDetails) -> str:
    # A default that is not enough is told under the field's own name.
    field = Settings.model_fields.get(str(error["loc"][0]))
    name = field.alias if field else error["loc"][0]
    if error["type"] in PLAINLY:
        return f"{name}: {PLAINLY[error['type']].format(**error.get('ctx', {}))}"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"
