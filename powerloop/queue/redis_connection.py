"""Redis connections that heed a cancellation, whenever it comes."""

import asyncio
from collections.abc import Iterable
from typing import Any

from redis.asyncio import Connection, SSLConnection


class _Heedful:
    """Raises a cancellation that came while a command was sent.

    redis-py sends under ``asyncio.wait_for``. On Python 3.11, where that is cancelled at the moment its work
    is done, it returns as if it had not been (gh-86296). What was cancelled would then run on: a beat that
    was told to stop, the send of a worker that lost its lease.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        cancelled_before = task.cancelling()
        connection: Any = super()
        await connection.send_packed_command(command, check_health)
        if task.cancelling() > cancelled_before:
            # The reply to this command is not to be taken for the next one's.
            await self.disconnect(nowait=True)  # type: ignore[attr-defined] # the connection's
            raise asyncio.CancelledError


class HeedfulConnection(_Heedful, Connection):
    """Over TCP."""


class HeedfulSSLConnection(_Heedful, SSLConnection):
    """Over TLS."""
