"""Looking at session locks in Redis from outside: who holds one, and for how long."""

from datetime import timedelta
from typing import Any, Final

from powerloop.kernel.explain.facts import LockFacts
from powerloop.kernel.ids import SessionId
from powerloop.queue.locks import KEY
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress

_CONNECTIONS: Final = 1
_TIMEOUT_S: Final = 2.0

#: What Redis says of a key that never runs out, and of one that is not there.
_FOR_EVER: Final = -1
_GONE: Final = -2


class RedisLockReader:
    """The `LockReader` port over the locks of `RedisSessionLocks`. It connects when it is first used.

    Args:
        redis_url: Where the locks are.

    Raises:
        SettingsInvalid: the URL is malformed.
    """

    def __init__(self, redis_url: str) -> None:
        self._address = RedisAddress.parse(redis_url)
        self._client: Any = self._address.client(connections=_CONNECTIONS, timeout=_TIMEOUT_S)

    async def find(self, session_id: SessionId) -> LockFacts | None:
        key = KEY.format(session_id)
        pipeline = self._client.pipeline(transaction=True)
        pipeline.get(key)
        pipeline.pttl(key)
        try:
            token, left_ms = await pipeline.execute()
        except REDIS_TROUBLE as error:
            raise self._address.unavailable(error) from error
        if token is None or left_ms == _GONE:
            return None
        return LockFacts(
            key=key,
            process=token.rpartition(":")[0] or token,
            lasts=None if left_ms == _FOR_EVER else timedelta(milliseconds=left_ms),
        )

    async def close(self) -> None:
        await self._client.aclose()
