"""The sandbox in a process of its own: `python -m bot.sandbox`."""

import asyncio
import json
from typing import Annotated

import typer

from bot.sandbox.api import TOKEN
from bot.sandbox.server import Sandbox


def main(
    port: Annotated[int, typer.Option(help="0: any free one", min=0, max=65_535)] = 0,
    token: Annotated[str, typer.Option(help="empty: a new one")] = "",
) -> None:
    """Serve until interrupted; print addresses and token as one line of JSON."""
    if token and not TOKEN.fullmatch(token):
        raise typer.BadParameter("it looks like 123:letters", param_hint="--token")
    try:
        asyncio.run(_serve(port, token))
    except OSError as error:
        raise typer.BadParameter(str(error)) from None


async def _serve(port: int, token: str) -> None:
    async with Sandbox(port=port, token=token) as sandbox:
        told = {"api": sandbox.api_url, "page": sandbox.page_url, "token": sandbox.token}
        print(json.dumps(told), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    typer.run(main)
