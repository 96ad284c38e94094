"""Bounded: one attempt at a model call ends by its deadline."""

import asyncio

from powerloop.kernel.errors import ModelDeadline
from powerloop.kernel.ports.model import Deltas, Model, ModelReply, ModelRequest


class Bounded:
    """Breaks a call off when `request.deadline` has run out."""

    def __init__(self, inner: Model) -> None:
        self._inner = inner

    async def respond(self, request: ModelRequest, deltas: Deltas | None = None) -> ModelReply:
        seconds = request.deadline.total_seconds()
        try:
            async with asyncio.timeout(seconds) as timeout:
                return await self._inner.respond(request, deltas)
        except TimeoutError as error:
            if not timeout.expired():
                raise
            raise ModelDeadline(f"{request.model} did not answer within {seconds:.3g} s.") from error

    async def close(self) -> None:
        await self._inner.close()
