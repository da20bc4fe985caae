from pathlib import Path

import pytest

from bot.settings import TELEGRAM, BadSettings, Results, load_settings
from classifier.report_texts import Language

TOKEN = "123456:AAbbCCddEEffGGhhIIjjKKll"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_API_URL", "BOT_ADMIN_IDS", "RESULTS"):
        monkeypatch.delenv(name, raising=False)


def test_the_token_is_all_that_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    settings = load_settings()
    assert settings.api_url == TELEGRAM
    assert settings.default_language is Language.CHINESE
    assert settings.results is Results.IMMEDIATE
    assert settings.admin_ids == ()


def test_a_file_called_env_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\nBOT_ADMIN_IDS=1, 2 3\n")
    assert load_settings().admin_ids == (1, 2, 3)


def test_everything_missing_or_bad_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RESULTS": "someday",
        "BOT_ADMIN_IDS": "me",
        "TELEGRAM_API_URL": "ftp://secret.example",
        "WEBHOOK_PORT": "99999",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as error:
        load_settings()
    for name in (
        "TELEGRAM_BOT_TOKEN",
        "RESULTS",
        "BOT_ADMIN_IDS",
        "TELEGRAM_API_URL",
        "WEBHOOK_PORT",
    ):
        assert name in str(error.value)
    assert "secret.example" not in str(error.value)


def test_a_webhook_needs_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("WEBHOOK_URL", "https://clinic.example/hook")
    with pytest.raises(BadSettings, match="WEBHOOK_SECRET"):
        load_settings()


def test_secrets_never_show_in_a_printed_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    settings = load_settings()
    assert TOKEN not in repr(settings) + str(settings) + str(settings.model_dump())
    assert settings.secrets == (TOKEN,)
