"""Patience with a store that is away: what was begun goes on when it is back."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from powerloop.kernel.clock import Clock
from powerloop.kernel.errors import StoreUnavailable

logger = logging.getLogger("powerloop.executor")

#: Seconds to wait between tries.
_PATIENCE_S: Final = (0.1, 0.2, 0.5, 1.0)

T = TypeVar("T")


async def once_stored(
    work: Callable[[], Awaitable[T]], clock: Clock, *, give_up: Callable[[], bool], log_fields: dict[str, Any]
) -> T:
    """Try the work until the store answers.

    Args:
        work: What may be done again, once the store has gone away in the middle of it.
        clock: To wait by.
        give_up: Whether it is not worth another try.
        log_fields: Extra fields of what is logged.

    Raises:
        StoreUnavailable: the store is away, and it is not worth another try.
    """
    tries = 0
    while True:
        try:
            return await work()
        except StoreUnavailable as error:
            if give_up():
                raise
            logger.warning("store unavailable", extra={**log_fields, "error": str(error)})
            await clock.sleep(_PATIENCE_S[min(tries, len(_PATIENCE_S) - 1)])
            tries += 1
