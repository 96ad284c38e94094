"""``python -m powerloop.testing.world``: the world as a process of its own."""

import asyncio
from typing import Annotated

import typer

from powerloop.testing.http_server import serve_until_stopped
from powerloop.testing.world.server import WorldServer


def main(port: Annotated[int, typer.Option(help="0: any free one.")] = 0) -> None:
    """Count effects on 127.0.0.1. The first line of output is the address."""
    asyncio.run(serve_until_stopped(WorldServer(port=port)))


if __name__ == "__main__":
    typer.run(main)
