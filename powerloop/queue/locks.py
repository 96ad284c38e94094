"""Session locks in Redis: a key per session with its holder's token, renewed by the process's heartbeat."""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from powerloop.kernel.ids import SessionId
from powerloop.queue.lua_scripts import script_text
from powerloop.queue.outage import Outage
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress

logger = logging.getLogger("powerloop.locks")

KEY: Final = "powerloop:lock:{}"

_CONNECTIONS: Final = 8
_TIMEOUT_S: Final = 2.0

#: The heartbeat renews the lease too, and must be back before that runs out.
_HEARTBEAT_TIMEOUT_S: Final = 1.0


class RedisLock:
    """The `HeldLock` of `RedisSessionLocks`."""

    def __init__(
        self, locks: "RedisSessionLocks", session_id: SessionId, token: str, on_lost: Callable[[], None]
    ) -> None:
        self.session_id = session_id
        self.token = token
        #: Whether it was handed out, so that it is to be renewed.
        self.taken = False
        self._locks = locks
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._over = False

    @property
    def key(self) -> str:
        return KEY.format(self.session_id)

    async def release(self) -> None:
        if not self._over:
            self._over = True
            await self._locks.give_back(self)

    def lose(self) -> None:
        """Tell the holder. Safe from any thread."""
        # A loop that is closed has no holder any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if not self._over:
            self._over = True
            self._on_lost()


class RedisSessionLocks:
    """The `SessionLocks` port over Redis, and what the process's heartbeat renews.

    One per process, used on one event loop; `renew` alone is called from another thread.

    Args:
        redis_url: Where the locks are.
        ttl: How long a lock outlives a process that has gone silent. Renew it several times in that span.

    Raises:
        SettingsInvalid: the URL is malformed.
    """

    def __init__(self, redis_url: str, *, ttl: timedelta = timedelta(seconds=10)) -> None:
        address = RedisAddress.parse(redis_url)
        self._ttl_ms = int(ttl / timedelta(milliseconds=1))
        # Whoever looks into Redis sees who holds a session.
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._client = address.client(connections=_CONNECTIONS, timeout=_TIMEOUT_S)
        self._release: Any = self._client.register_script(script_text("release_lock"))
        self._heartbeat = address.blocking_client(timeout=_HEARTBEAT_TIMEOUT_S)
        self._renew_all: Any = self._heartbeat.register_script(script_text("renew_locks"))
        self._release_now: Any = self._heartbeat.register_script(script_text("release_lock"))
        self._mutex = threading.Lock()
        self._locks: dict[SessionId, RedisLock] = {}
        self._outage = Outage(logger, f"Redis at {address}", "session locks exclude nobody")

    async def acquire(self, session_id: SessionId, on_lost: Callable[[], None]) -> RedisLock | None:
        lock = RedisLock(self, session_id, f"{self._holder}:{uuid4().hex}", on_lost)
        with self._mutex:
            # This process excludes itself even while Redis is away.
            if session_id in self._locks:
                return None
            self._locks[session_id] = lock
        try:
            lock.taken = await self._take(lock)
        except BaseException:
            # The command may have reached Redis all the same.
            await lock.release()
            raise
        if not lock.taken:
            self._forget(lock)
        return lock if lock.taken else None

    async def give_back(self, lock: RedisLock) -> None:
        """Release a lock of ours. Never raises."""
        self._forget(lock)
        if self._outage.resting:
            return
        try:
            await self._release(keys=[lock.key], args=[lock.token])
        except REDIS_TROUBLE as error:
            self._outage.failed(error)

    def renew(self) -> None:
        """Renew every lock held, in one call; take again those that have vanished.

        Blocking; called by the process's heartbeat, from its thread. Never raises: while Redis is away the
        locks run out, and the epoch alone guards the sessions.
        """
        with self._mutex:
            locks = [lock for lock in self._locks.values() if lock.taken]
        if not locks:
            return
        try:
            ours = self._renew_all(
                keys=[lock.key for lock in locks], args=[self._ttl_ms, *(lock.token for lock in locks)]
            )
            self._settle(locks, ours)
        except REDIS_TROUBLE as error:
            self._outage.failed(error)
        else:
            self._outage.answered()

    async def close(self) -> None:
        """Let go of every connection. Locks that are still held run out."""
        await self._client.aclose()
        self._heartbeat.close()

    async def _take(self, lock: RedisLock) -> bool:
        """Whether the session is ours now; it is, too, while Redis is away."""
        if self._outage.resting:
            return True
        try:
            taken = await self._client.set(lock.key, lock.token, nx=True, px=self._ttl_ms)
            # A command that is tried again after a broken connection may find its own work.
            taken = taken or await self._client.get(lock.key) == lock.token
        except REDIS_TROUBLE as error:
            self._outage.failed(error)
            return True
        self._outage.answered()
        return bool(taken)

    def _settle(self, locks: list[RedisLock], ours: list[int]) -> None:
        for lock, is_ours in zip(locks, ours, strict=True):
            if not is_ours:
                self._lose(lock)
            elif not self._holds(lock):
                # It was released while the script was on its way, which may have taken it again.
                self._release_now(keys=[lock.key], args=[lock.token])

    def _lose(self, lock: RedisLock) -> None:
        if self._forget(lock):
            logger.warning("session lock lost", extra={"session_id": lock.session_id})
            lock.lose()

    def _holds(self, lock: RedisLock) -> bool:
        with self._mutex:
            return self._locks.get(lock.session_id) is lock

    def _forget(self, lock: RedisLock) -> bool:
        """Hold it no longer; whether it was held."""
        with self._mutex:
            held = self._locks.get(lock.session_id) is lock
            if held:
                del self._locks[lock.session_id]
            return held
