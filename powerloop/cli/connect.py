"""How commands reach the system."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from powerloop.client.loop import AsyncPowerLoop
from powerloop.settings import Settings, read_settings

R = TypeVar("R")


def with_loop(work: Callable[[AsyncPowerLoop], Awaitable[R]], settings: Settings | None = None) -> R:
    """Connect to the system that the environment or the folder names, do the work, and let go."""

    async def connected() -> R:
        async with AsyncPowerLoop.from_env(settings or read_settings()) as loop:
            return await work(loop)

    return asyncio.run(connected())
