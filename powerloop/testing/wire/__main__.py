"""``python -m powerloop.testing.wire``: the wire server as a process of its own."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from powerloop.testing.http_server import serve_until_stopped
from powerloop.testing.wire.server import WireServer


def main(
    port: Annotated[int, typer.Option(help="0: any free one.")] = 0,
    latency_ms: Annotated[float, typer.Option(help="Before the first byte of each reply.")] = 0,
    keep: Annotated[int, typer.Option(help="How many requests it remembers.")] = 10_000,
) -> None:
    """Serve OpenAI's and Anthropic's HTTP on 127.0.0.1. The first line of output is the address."""
    server = WireServer(port=port, latency=timedelta(milliseconds=latency_ms), keep=keep)
    asyncio.run(serve_until_stopped(server))


if __name__ == "__main__":
    typer.run(main)
