from pathlib import Path

import pytest

from bot.settings import TELEGRAM, BadSettings, Results, Settings, load_settings
from classifier.report_texts import Language

TOKEN = "123456:AAbbCCddEEffGGhhIIjjKKll"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)


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


@pytest.mark.parametrize("ids", ["-5", "0", "1 99999999999999999999"])
def test_an_admins_number_is_one_that_telegram_gives(
    monkeypatch: pytest.MonkeyPatch, ids: str
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("BOT_ADMIN_IDS", ids)
    with pytest.raises(BadSettings, match="BOT_ADMIN_IDS"):
        load_settings()


def test_a_webhook_needs_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("WEBHOOK_URL", "https://clinic.example/hook")
    with pytest.raises(BadSettings, match="WEBHOOK_SECRET"):
        load_settings()


def test_a_webhook_without_its_secret_is_named_beside_all_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "RESULTS": "someday",
        "WEBHOOK_URL": "https://clinic.example",
        "IMAGE_KEY": "no key",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as error:
        load_settings()
    for name in ("RESULTS", "WEBHOOK_SECRET", "IMAGE_KEY"):
        assert f"  {name}: " in str(error.value)


@pytest.mark.parametrize(
    "name, value",
    [
        ("IMAGE_KEY", "dG9vIHNob3J0"),
        ("WEBHOOK_SECRET", "a b"),
        ("WEBHOOK_SECRET", "x" * 257),
        ("WEBHOOK_URL", "http://clinic.example"),
        ("WEBHOOK_URL", "clinic.example"),
    ],
)
def test_what_would_fail_later_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    good = {"WEBHOOK_URL": "https://clinic.example", "WEBHOOK_SECRET": "whisper"}
    for each, given in (good | {"TELEGRAM_BOT_TOKEN": TOKEN, name: value}).items():
        monkeypatch.setenv(each, given)
    with pytest.raises(BadSettings) as error:
        load_settings()
    assert f"  {name}: " in str(error.value)
    assert value not in str(error.value)


def test_a_local_server_may_call_a_plain_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": "http://127.0.0.1:8081",
        "WEBHOOK_URL": "http://127.0.0.1:8443",
        "WEBHOOK_SECRET": "whisper",
    }.items():
        monkeypatch.setenv(name, value)
    assert load_settings().webhook_url == "http://127.0.0.1:8443"


def test_secrets_never_show_in_a_printed_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    settings = load_settings()
    assert TOKEN not in repr(settings) + str(settings) + str(settings.model_dump())
    assert settings.secrets == (TOKEN,)
