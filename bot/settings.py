"""What an operator sets, from the environment or `.env`; every missing or bad value at once."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from classifier.report_texts import Language

TELEGRAM = "https://api.telegram.org"


class Results(StrEnum):
    """When a patient gets the answer."""

    IMMEDIATE = "immediate"
    AFTER_REVIEW = "after_review"


class BadSettings(Exception):
    """Settings that cannot be used; the text names each and what is wrong with it."""


class Settings(BaseSettings):
    """All settings; each is named in the environment as its alias says."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    token: SecretStr = Field(alias="TELEGRAM_BOT_TOKEN", min_length=1)
    api_url: str = Field(TELEGRAM, alias="TELEGRAM_API_URL", pattern=r"^https?://[^\s]+$")
    local_mode: bool = Field(False, alias="TELEGRAM_LOCAL_MODE")
    data_dir: Path = Field(Path("data"), alias="BOT_DATA_DIR")
    admin_ids: Annotated[tuple[int, ...], NoDecode] = Field((), alias="BOT_ADMIN_IDS")
    default_language: Language = Field(Language.CHINESE, alias="BOT_DEFAULT_LANGUAGE")
    clinic: str = Field("", alias="BOT_CLINIC_NAME", max_length=80)
    classifier_url: str = Field("", alias="CLASSIFIER_URL", pattern=r"^(https?://[^\s]+)?$")
    results: Results = Field(Results.IMMEDIATE, alias="RESULTS")
    retention_days: int = Field(90, alias="RETENTION_DAYS", ge=1, le=3650)
    image_key: SecretStr | None = Field(None, alias="IMAGE_KEY")
    webhook_url: str = Field("", alias="WEBHOOK_URL", pattern=r"^(https?://[^\s]+)?$")
    webhook_secret: SecretStr | None = Field(None, alias="WEBHOOK_SECRET")
    webhook_port: int = Field(8443, alias="WEBHOOK_PORT", ge=1, le=65535)
    scans_per_hour: int = Field(10, alias="SCANS_PER_HOUR", ge=1)
    scans_per_day: int = Field(30, alias="SCANS_PER_DAY", ge=1)
    queue_limit: int = Field(1000, alias="QUEUE_LIMIT", ge=1)

    @field_validator("admin_ids", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take `1,2 3` from the environment."""
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _webhook_is_whole(self) -> "Settings":
        if self.webhook_url and not self.webhook_secret:
            raise ValueError("WEBHOOK_URL needs WEBHOOK_SECRET")
        return self

    @property
    def retention(self) -> timedelta:
        """How long pictures and texts are kept."""
        return timedelta(days=self.retention_days)

    @property
    def incoming(self) -> Path:
        """Where a file lies while it is read; emptied at each start."""
        return self.data_dir / "incoming"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never stand in a log."""
        known = (self.token, self.image_key, self.webhook_secret)
        return tuple(secret.get_secret_value() for secret in known if secret)


def load_settings(**changes: Any) -> Settings:
    """Read the settings; raises BadSettings naming every missing or bad one, without its value."""
    try:
        return Settings(**changes)
    except ValidationError as error:
        lines = [f"  {_name(each['loc'])}: {each['msg']}" for each in error.errors()]
        raise BadSettings("\n".join(["These settings need mending:", *sorted(lines)])) from None


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0]) if location else "WEBHOOK"
