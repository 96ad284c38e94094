"""Publishing what a producer made ready: with patience, and not for ever."""

import asyncio
from typing import Final

from powerloop.kernel.dispatch import Ready, activation_of
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.queues import SEND_QUEUES

#: The longest that a producer waits for a broker that is silent. A beat publishes what it could not.
PATIENCE_S: Final = 2.0


async def published(dispatcher: Dispatcher, ready: Ready) -> bool:
    """Publish it; whether it went out within two seconds."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await dispatcher.publish([activation_of(ready)])
    except TimeoutError:
        return False


async def answers(dispatcher: Dispatcher) -> bool:
    """Whether the broker answers within two seconds."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await dispatcher.backlog(SEND_QUEUES) is not None
    except TimeoutError:
        return False
