"""Where a Redis is: its URL checked, clients with timeouts made from it, and its silence in words."""

from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlsplit

import redis
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, OutOfMemoryError
from redis.retry import Retry

from powerloop.kernel.errors import BrokerUnavailable, SettingsInvalid
from powerloop.queue.redis_connection import HeedfulConnection, HeedfulSSLConnection

#: What a command raises when the server is away, refuses, or cannot do it now.
REDIS_TROUBLE: Final = (redis.RedisError, OSError)

SCHEMES: Final = ("redis", "rediss")

_DEFAULT_PORT: Final = 6379
_EXAMPLE: Final = "Write it as redis://:password@host:6379/0, or rediss:// for TLS."


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """One database of one Redis server."""

    #: The whole URL; it may hold a password, and is never shown.
    url: str = field(repr=False)
    host: str
    port: int
    database: int

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address that the URL names.

        Raises:
            SettingsInvalid: it is no ``redis://[[user]:password@]host[:port][/database]``, nor ``rediss://…``.
        """
        if not url:
            raise SettingsInvalid("the address of Redis is missing.", hint=_EXAMPLE)
        try:
            parts = urlsplit(url)
            port = parts.port or _DEFAULT_PORT
        except ValueError as error:
            hint = "Characters such as '#' and '/' in a password are written as %23 and %2F."
            raise SettingsInvalid(f"the address of Redis cannot be read: {error}.", hint=hint) from error
        if parts.scheme not in SCHEMES:
            raise SettingsInvalid(f"the address of Redis begins with {parts.scheme!r}.", hint=_EXAMPLE)
        if not parts.hostname:
            raise SettingsInvalid("the address of Redis names no host.", hint=_EXAMPLE)
        return cls(url=url, host=parts.hostname, port=port, database=_database(parts.path))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def client(self, *, connections: int, timeout: float, retries: int = 1) -> "aioredis.Redis":
        """A client for one event loop; it connects when it is first used.

        Args:
            connections: The most that are open. Further commands wait for one.
            timeout: Seconds for each answer, and for each connection. Without it, a server that vanished
            without closing its connections would hang the caller for ever.
            retries: How often a command whose connection broke off is tried again; it may then run twice.
        """
        pool: Any = aioredis.BlockingConnectionPool.from_url(
            self.url,
            max_connections=connections,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            socket_keepalive=True,
            retry=AsyncRetry(NoBackoff(), retries),
            decode_responses=True,
            encoding_errors="replace",
            # One shape of replies, with every server since 5.
            protocol=2,
        )
        # `from_url` takes none for TLS.
        pool.connection_class = HeedfulSSLConnection if self._is_tls else HeedfulConnection
        client: aioredis.Redis = aioredis.Redis.from_pool(pool)
        return client

    def blocking_client(self, *, timeout: float) -> "redis.Redis":
        """A client for one thread, which tries each command once.

        Args:
            timeout: Seconds for each answer, and for each connection.
        """
        return redis.Redis.from_url(
            self.url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            protocol=2,
        )

    @property
    def _is_tls(self) -> bool:
        return urlsplit(self.url).scheme == "rediss"

    def unavailable(self, error: Exception) -> BrokerUnavailable:
        """What to raise when a command failed with one of `REDIS_TROUBLE`."""
        return BrokerUnavailable(f"Redis at {self} does not answer: {error}.", hint=_hint(error))


def _database(path: str) -> int:
    name = path.strip("/")
    if not name:
        return 0
    if not name.isdecimal():
        raise SettingsInvalid(
            f"the address of Redis ends with {path!r}, and not with a number.", hint=_EXAMPLE
        )
    return int(name)


def _hint(error: Exception) -> str:
    if isinstance(error, redis.AuthenticationError | NoPermissionError):
        return "Is the password in the address right?"
    if isinstance(error, OutOfMemoryError):
        return "Give it more memory (maxmemory)."
    return "Is it running, and is the address right?"
