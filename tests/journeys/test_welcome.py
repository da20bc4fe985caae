"""From the QR code to the consent."""

import asyncio

import pytest

from bot.patient import consent
from storage import Storage, sources

from .clinic import POLLING
from .pictures import xray
from .stage import Stage

# What is said hangs on no way to fetch it; both are told of in delivery, failures and sending.
pytestmark = POLLING

SET_MENU = "setMyCommands"


async def clinic_token(stage: Stage, name: str) -> str:
    async with await Storage.open(stage.data_dir) as storage:
        return (await storage.write(sources.create, name)).token


async def test_a_known_deep_link_names_the_clinic_and_is_kept(off_stage: Stage) -> None:
    token = await clinic_token(off_stage, "Clinic <by> the River & Co")
    await off_stage.start()
    ann = off_stage.sim.user(1, language="en")
    await ann.starts(token)
    assert "Clinic <by> the River & Co" in (await ann.hears()).text
    sql = "SELECT name FROM people JOIN sources ON sources.id = source_id"
    assert off_stage.value(sql) == "Clinic <by> the River & Co"


@pytest.mark.parametrize("token", ["nobody-knows-this", "", "a" * 64, "&<b>", "x" * 300])
async def test_an_unknown_deep_link_is_welcome_too(stage: Stage, token: str) -> None:
    ann = stage.sim.user(1, language="en")
    await ann.starts(token)
    assert (await ann.hears()).text.startswith("Welcome.")
    assert stage.value("SELECT source_id FROM people") is None


@pytest.mark.parametrize(
    ("code", "welcome"),
    [("zh-hans", "欢迎"), ("zh", "欢迎"), ("en-GB", "Welcome"), ("fr", "Welcome"), ("", "Welcome")],
)
async def test_the_language_is_telegrams_or_the_default(
    stage: Stage, code: str, welcome: str
) -> None:
    ann = stage.sim.user(1, language=code)
    await ann.starts()
    assert (await ann.hears()).text.startswith(welcome)


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


async def test_after_language_everything_is_in_that_language(stage: Stage) -> None:
    li = stage.sim.user(1, language="zh-hans")
    await li.starts()
    await li.taps("我已阅读并同意")
    await li.sees("现在请发送图片")
    await li.says("/language")
    await li.taps("English")
    await li.sees("From now on in English.")
    await stage.sim.quiet()
    before = len(await li.messages())
    for command in ("/start", "/help", "/privacy", "/status", "/history", "/cancel", "/forget"):
        await li.says(command)
    await li.sends_photo(xray())
    await li.hears_photo()
    await stage.sim.quiet()
    heard = [message for message in (await li.messages())[before:] if message.from_bot]
    assert len(heard) >= 9
    for message in heard:
        buttons = [button.text for row in message.buttons for button in row]
        words = message.text.replace("中文 / English", "")
        assert not any(map(is_chinese, [words, *buttons])), message.text


async def test_a_chinese_patient_reads_no_english(stage: Stage) -> None:
    li = await stage.agreed(1, "zh-hans")
    for command in ("/start", "/privacy", "/status", "/history", "/cancel", "/forget"):
        await li.says(command)
    await li.sends_photo(xray())
    await li.hears_photo()
    await stage.sim.quiet()
    for message in [message for message in await li.messages() if message.from_bot]:
        assert is_chinese(message.text), message.text
        for row in message.buttons:
            assert all(is_chinese(button.text) for button in row)


async def test_agreement_is_asked_on_one_screen_whose_first_button_agrees(stage: Stage) -> None:
    ann = stage.sim.user(1, language="en")
    await ann.starts()
    asked = await ann.sees("Before your first picture")
    assert asked.buttons[0][0].text == "I have read this and agree"
    for point in ("90 days", "doctors", "not a diagnosis", "end-to-end", "guardian", "/forget"):
        assert point in asked.text
    await ann.taps("I have read this")
    await ann.sees("Now send the picture")
    assert not (await ann.sees("Before your first picture")).buttons
    (kept,) = stage.rows("SELECT version, given_at FROM consents")
    assert kept["version"] == consent.VERSION and kept["given_at"] > 0


async def test_a_picture_before_consent_is_not_downloaded_and_asked_for_again(
    stage: Stage,
) -> None:
    ann = stage.sim.user(1, language="en")
    await ann.sends_photo(xray())
    await ann.sees("I have not opened your picture")
    await ann.taps("I have read this")
    await ann.sees("Please send the picture again")
    await stage.sim.quiet()
    assert await stage.sim.calls("getFile") == []
    assert stage.value("SELECT count(*) FROM cases") == 0
    await ann.sends_photo(xray())
    await ann.hears_photo()


async def test_an_album_before_consent_is_asked_about_once(stage: Stage) -> None:
    ann = stage.sim.user(1, language="en")
    await ann.sends_album([xray(seed=seed) for seed in range(4)])
    await ann.sees("Before your first picture")
    await stage.sim.quiet()
    assert len([message for message in await ann.messages() if message.from_bot]) == 2


async def test_who_declines_gets_no_picture_opened(stage: Stage) -> None:
    ann = stage.sim.user(1, language="en")
    await ann.starts()
    await ann.taps("I do not agree")
    await ann.sees("Then I will not look")
    await ann.sends_photo(xray())
    await ann.sees("I have not opened your picture")
    assert await stage.sim.calls("getFile") == []


async def test_who_takes_the_agreement_back_gets_no_picture_opened(stage: Stage) -> None:
    ann = await stage.agreed(1)
    await stage.sim.fault("download", delay=30)
    await ann.sends_photo(xray())
    await stage.sim.until(bool, "getFile")
    await ann.says("/privacy")
    await ann.taps("Take my agreement back")
    await ann.sees("Then I will not look")
    await ann.sees("Stopped. Case")
    assert not (await ann.sees("What happens to your pictures")).buttons
    await ann.sends_photo(xray(seed=2))
    await ann.sees("I have not opened your picture")
    await stage.sim.release()
    await stage.sim.quiet(0.6)
    assert stage.value("SELECT count(*) FROM consents") == 0
    assert not any(message.photo for message in await ann.messages() if message.from_bot)


async def test_declining_an_old_text_is_declining(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = stage.sim.user(1, language="en")
    await ann.starts()
    old = await ann.sees("Before your first picture")
    monkeypatch.setattr(consent, "VERSION", "2031-01")
    await ann.taps("I do not agree", old)
    await ann.sees("Then I will not look")


async def test_pictures_in_a_row_before_consent_are_asked_about_once(stage: Stage) -> None:
    ann = stage.sim.user(1, language="en")
    for seed in range(3):
        await ann.sends_photo(xray(seed=seed))
    asked = await ann.sees("Before your first picture")
    await stage.sim.quiet()
    assert len([message for message in await ann.messages() if message.from_bot]) == 2
    await ann.taps("I do not agree", asked)
    await ann.sees("Then I will not look")
    await ann.sends_photo(xray(seed=9))
    await stage.sim.quiet()
    heard = [message for message in await ann.messages() if message.from_bot]
    assert "Before your first picture" in heard[-1].text


async def test_a_new_version_asks_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await stage.agreed(1)
    monkeypatch.setattr(consent, "VERSION", "2031-01")
    await ann.sends_photo(xray())
    await ann.sees("I have not opened your picture")
    await ann.taps("I have read this")
    await ann.sees("Please send the picture again")
    versions = [row["version"] for row in stage.rows("SELECT version FROM consents ORDER BY id")]
    assert versions[1:] == ["2031-01"] and len(versions) == 2


async def test_agreeing_to_an_old_text_is_no_agreement_to_the_new_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = stage.sim.user(1, language="en")
    await ann.starts()
    old = await ann.sees("Before your first picture")
    monkeypatch.setattr(consent, "VERSION", "2031-01")
    await ann.taps("I have read this", old)
    await stage.sim.quiet()
    assert stage.value("SELECT count(*) FROM consents") == 0
    asked = [message for message in await ann.messages() if message.buttons]
    await ann.taps("I have read this", asked[-1])
    await ann.sees("Now send the picture")
    assert stage.value("SELECT version FROM consents") == "2031-01"


async def test_menus_and_descriptions_are_set_in_both_languages(stage: Stage) -> None:
    ann, li = stage.sim.user(1, language="en"), stage.sim.user(2, language="zh-hans")
    jean = stage.sim.user(3, language="fr")
    await stage.sim.until(lambda calls: len(calls) == 3, "setMyShortDescription")
    assert list(await ann.menu()) == list(await li.menu()) == list(await jean.menu())
    assert (await ann.menu())["forget"] == "erase all my data" == (await jean.menu())["forget"]
    assert is_chinese((await li.menu())["forget"])
    assert "privacy" in await ann.menu()
    for method in ("setMyDescription", "setMyShortDescription"):
        texts = {
            call.params.get("language_code"): call.params for call in await stage.sim.calls(method)
        }
        assert set(texts) == {"zh", "en", None}


async def test_the_menu_follows_the_language_chosen(stage: Stage) -> None:
    li = await stage.agreed(1, "zh-hans")
    await li.says("/language")
    await li.taps("English")
    await li.sees("From now on in English")
    await stage.sim.until(lambda calls: any("chat_id" in str(c.params) for c in calls), SET_MENU)
    await stage.sim.quiet()
    assert (await li.menu())["forget"] == "erase all my data"
    assert is_chinese((await stage.sim.user(2, language="zh").menu())["forget"])


async def test_menus_that_could_not_be_set_are_set_as_soon_as_they_can_be(
    off_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.receive.FIRST_WAIT", 0.05)
    for method in (SET_MENU, "setMyDescription"):
        await off_stage.sim.fault(method, code=500, times=2)
    await off_stage.start()
    ann = await off_stage.agreed(1)
    await off_stage.sim.until(lambda calls: len(calls) == 3, "setMyShortDescription")
    assert (await ann.menu())["forget"] == "erase all my data"


async def test_a_group_is_refused_once_and_nothing_of_it_processed(stage: Stage) -> None:
    ann = await stage.agreed(1)
    await stage.sim.add_group(-100, [1, 2])
    for _ in range(2):
        await ann.says("/start", chat=-100)
        await ann.sends_photo(xray(), chat=-100)
    await ann.sees("I only work in a private chat", chat=-100)
    await stage.sim.quiet()
    said = [message for message in await ann.messages(chat=-100) if message.from_bot]
    assert len(said) == 1
    assert stage.value("SELECT count(*) FROM cases") == 0
    assert await stage.sim.calls("getFile") == []


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("sticker", "nice sticker"),
        ("voice", "cannot listen"),
        ("audio", "cannot listen"),
        ("video", "cannot read videos"),
        ("video_note", "cannot read videos"),
        ("animation", "cannot read videos"),
        ("location", "where you are"),
        ("contact", "only read chest X-rays"),
        ("dice", "only read chest X-rays"),
        ("poll", "only read chest X-rays"),
    ],
)
async def test_what_is_no_picture_is_answered_kindly(stage: Stage, kind: str, answer: str) -> None:
    ann = stage.sim.user(1, language="en")
    await ann.sends(kind)
    told = (await ann.hears()).text
    assert answer in told
    # Who films how a child breathes, or tells where they are, may be in need.
    assert kind in ("sticker", "dice") or "call your emergency number now" in told


async def test_words_and_unknown_commands_are_answered_kindly(stage: Stage) -> None:
    ann = stage.sim.user(1, language="en")
    await ann.says("Hello <b>doctor")
    assert "only read chest X-rays" in (await ann.hears()).text
    await ann.says("/operate")
    assert "do not know this command" in (await ann.hears()).text
    await asyncio.sleep(0)
