"""Clients per event loop: connections belong to the loop that opened them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

ClientT = TypeVar("ClientT")


class PerLoop(Generic[ClientT]):
    """One client for each event loop, made at its first use there.

    A loop that has ended takes its client with it: a process that runs one loop after another, or that was
    forked, never meets the sockets of another loop.
    """

    def __init__(
        self, connect: Callable[[], ClientT], disconnect: Callable[[ClientT], Awaitable[None]]
    ) -> None:
        self._connect = connect
        self._disconnect = disconnect
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, ClientT] = WeakKeyDictionary()

    def get(self) -> ClientT:
        """The running loop's client."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._connect()
        return client

    async def close(self) -> None:
        """Let go of the running loop's connections."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await self._disconnect(client)
