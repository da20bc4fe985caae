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


@pytest.mark.parametrize("name", ["API_URL", "api_url", "ADMIN_IDS", "TOKEN", "DATA_DIR"])
def test_only_the_names_in_the_documents_are_heard(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    plain = load_settings()
    monkeypatch.setenv(name, "7")
    assert load_settings() == plain
    assert load_settings(clinic="A clinic").clinic == "A clinic"


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


def test_a_stand_in_for_telegram_may_give_tokens_of_another_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", "http://127.0.0.1:8081")
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "test-token")
    assert load_settings().secrets == ("test-token",)


@pytest.mark.parametrize(
    "name, value",
    [
        ("IMAGE_KEY", "dG9vIHNob3J0"),
        ("WEBHOOK_SECRET", "a b"),
        ("WEBHOOK_SECRET", "x" * 257),
        ("WEBHOOK_URL", "http://clinic.example"),
        ("WEBHOOK_URL", "clinic.example"),
        ("WEBHOOK_URL", "https://clinic.example:99999"),
        ("TELEGRAM_API_URL", "http://127.0.0.1:65536"),
        ("TELEGRAM_API_URL", "http://:8081"),
        ("CLASSIFIER_URL", "http://[half"),
        ("CLASSIFIER_URL", "http://two words"),
        ("CLASSIFIER_URL", "http://host:port"),
        ("TELEGRAM_BOT_TOKEN", "AAbbCCddEEffGGhhIIjjKKll"),
        ("TELEGRAM_BOT_TOKEN", "123456:AAbb CCdd"),
        ("TELEGRAM_BOT_TOKEN", f"{TOKEN}\n"),
        ("TELEGRAM_BOT_TOKEN", "bot123456:AAbb"),
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


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TELEGRAM_BOT_TOKEN", "", "must be a number, a colon, and letters, digits, _ or -"),
        ("BOT_DATA_DIR", " ", "must name a folder"),
        ("CLASSIFIER_URL", "somewhere", "must be http:// or https://, a host, and a port"),
        ("BOT_CLINIC_NAME", "x" * 81, "must have at most 80 letters"),
        ("RESULTS", "someday", "must be 'immediate' or 'after_review'"),
        ("RETENTION_DAYS", "", "must be a whole number"),
        ("RETENTION_DAYS", "0", "must be at least 1"),
        ("BACKUPS_KEPT", "366", "must be at most 365"),
        ("BOT_ADMIN_IDS", "0 0", "must be more than 0"),
        ("TELEGRAM_LOCAL_MODE", "maybe", "must be true or false"),
    ],
)
def test_what_is_wrong_is_said_plainly_and_once(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    for each, given in {"TELEGRAM_BOT_TOKEN": TOKEN, name: value}.items():
        monkeypatch.setenv(each, given)
    with pytest.raises(BadSettings) as error:
        load_settings()
    _, line = str(error.value).split("\n")
    assert line.startswith(f"  {name}: {said}")


def test_the_token_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="  TELEGRAM_BOT_TOKEN: must be set"):
        load_settings()


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030"])
def test_a_file_that_is_no_utf_8_is_told_without_what_is_in_it(
    tmp_path: Path, encoding: str
) -> None:
    (tmp_path / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN} # 诊所\n", encoding=encoding)
    with pytest.raises(BadSettings, match=r"\.env must be text in UTF-8") as error:
        load_settings()
    assert TOKEN not in str(error.value) and error.value.__cause__ is None


def test_a_file_may_begin_with_the_mark_of_utf_8(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\n", encoding="utf-8-sig")
    assert load_settings().secrets == (TOKEN,)


def test_an_empty_folder_for_exports_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("EXPORT_DIR", "")
    assert load_settings().export_dir is None


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
