"""A newcomer in the browser: the page of `run_bot.py try`, with the bot behind it.

`SCREENSHOT=docs/chat.png pytest tests/journeys/test_browser.py` makes the README's picture anew.
"""

import base64
import io
import os
import runpy
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from classifier.labels import Modality
from classifier.model import Model

from .stage import Stage

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
DROP = """async ([content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], "chest.png", { type: "image/png" }));
  const event = (kind) => new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event("dragenter"));
  const zone = document.querySelector("#drop [data-as=photo]");
  zone.dispatchEvent(event("dragover"));
  zone.dispatchEvent(event("drop"));
}"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture
def mode() -> str:
    return "polling"


@pytest.fixture
def models(real_models: Mapping[Modality, Model]) -> Mapping[Modality, Model]:
    return real_models


def drawn_chest() -> str:
    """The README's phantom as base64 PNG."""
    chest = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "phantom.py"))["chest"]
    buffer = io.BytesIO()
    chest().save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


async def play(page: Any) -> None:
    """Start, agree, drop a picture, and wait for the answer."""
    expect = playwright.expect
    await page.wait_for_selector("body[data-ready]")
    await page.get_by_role("button", name="START", exact=True).click()
    await page.get_by_role("button", name="I have read this and agree").click()
    await expect(page.locator("#log")).to_contain_text("Now send the picture")
    await page.evaluate(DROP, [drawn_chest()])
    await expect(page.get_by_role("button", name="Ask a doctor")).to_be_visible(timeout=10_000)
    await expect(page.locator("#log")).to_contain_text("not a diagnosis")


async def test_a_newcomer_drops_a_picture_and_gets_the_answer_in_the_chat(
    stage: Stage, tmp_path: Path
) -> None:
    shot = Path(os.environ.get("SCREENSHOT", tmp_path / "chat.png"))
    async with playwright.async_playwright() as player:
        browser = await player.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1280, "height": 1500})
        page.set_default_timeout(10_000)
        await page.goto(stage.sandbox.page_url)
        await play(page)
        await page.wait_for_timeout(500)
        await page.screenshot(path=shot)
        await browser.close()
    assert Image.open(shot).size == (1280, 1500)
