"""The bot beside a local Telegram and a chat in the browser: for trying, without a token."""

import asyncio
import io
import tempfile
from contextlib import ExitStack
from pathlib import Path

from telegram.helpers import create_deep_linked_url

from bot import app
from bot.logs import set_up_logs
from bot.poster import draw_qr
from bot.sandbox.server import Sandbox
from bot.settings import load_settings
from classifier.report_texts import Language

USERNAME = "lung_scan_bot"


async def try_out(data_dir: Path | None, port: int, language: Language) -> None:
    """Serve the page and run the bot until interrupted."""
    with ExitStack() as stack:
        folder = data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        async with Sandbox(port=port, username=USERNAME, qr=_qr) as sandbox:
            settings = load_settings(
                token=sandbox.token,
                api_url=sandbox.api_url,
                data_dir=folder,
                default_language=language,
                webhook_url="",
            )
            set_up_logs(settings.secrets)
            running = asyncio.create_task(app.run(settings))
            print(f"Open {sandbox.page_url} in a browser. Ctrl+C ends it.", flush=True)
            await running


def _qr() -> bytes:
    buffer = io.BytesIO()
    draw_qr(create_deep_linked_url(USERNAME), 480).save(buffer, "PNG")
    return buffer.getvalue()
