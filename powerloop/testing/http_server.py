"""What the test servers have in common: HTTP on 127.0.0.1 for the length of a block, or until a signal."""

import asyncio
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from aiohttp import web

_MAX_BODY = 256 * 1024 * 1024


class HttpServer(ABC):
    """An async context manager: it serves from the first line of the block to the last.

    Args:
        port: 0: any free one.
    """

    def __init__(self, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]:
        """What it serves. A handler whose client goes away is cancelled."""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_BODY)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, backlog=2048)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner:
            await self._runner.cleanup()


async def serve_until_stopped(server: HttpServer) -> None:
    """Be the process of a server: print its address, and serve until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await stopped.wait()
