"""The ends of a child's pipes, on the event loop."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Final

#: How long a process that has left its group, and keeps a pipe open, is waited for.
_CLOSED_WITHIN_S: Final = 1.0


class Outlet(asyncio.Protocol):
    """Takes what a child writes, and keeps the beginning or the end of it.

    Args:
        first: The most that is kept; what comes later is dropped.
        last: Instead: how much of the end is kept.
        on_too_much: Called, each time, when more than `first` has come.
    """

    def __init__(
        self,
        *,
        first: int | None = None,
        last: int | None = None,
        on_too_much: Callable[[], None] | None = None,
    ) -> None:
        self._first = first
        self._last = last
        self._on_too_much = on_too_much
        self._taken = bytearray()
        self._transport: asyncio.BaseTransport | None = None
        self._closed = asyncio.Event()

    async def connect(self, file: IO[bytes]) -> None:
        """Begin to read."""
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: self, file)

    @property
    def taken(self) -> bytes:
        """What is kept by now."""
        return bytes(self._taken)

    def data_received(self, data: bytes) -> None:
        self._taken += data
        if self._last is not None:
            del self._taken[: -self._last]
        elif self._first is not None and len(self._taken) > self._first:
            del self._taken[self._first :]
            if self._on_too_much:
                self._on_too_much()

    def connection_lost(self, _error: Exception | None) -> None:
        self._closed.set()

    async def close(self) -> None:
        """Read what is left, and no more, now that the child has ended."""
        if self._transport is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSED_WITHIN_S):
                await self._closed.wait()
        self._transport.close()
        await self._closed.wait()


class Inlet(asyncio.BaseProtocol):
    """Gives a child what it is to read, and the end of it."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._closed = asyncio.Event()

    async def connect(self, file: IO[bytes], data: bytes) -> None:
        """Begin to write. A child that stops reading is no error."""
        self._transport, _ = await asyncio.get_running_loop().connect_write_pipe(lambda: self, file)
        self._transport.write(data)
        self._transport.write_eof()

    def connection_lost(self, _error: Exception | None) -> None:
        self._closed.set()

    async def close(self) -> None:
        """Write no more, now that the child has ended."""
        if self._transport is None:
            return
        # A transport that closes must not be aborted, and it does so by itself once nobody can read any more.
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSED_WITHIN_S):
                await self._closed.wait()
        if not self._closed.is_set():
            self._transport.abort()
            await self._closed.wait()
