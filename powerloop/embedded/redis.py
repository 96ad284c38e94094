"""A real Redis on loopback, started and stopped by this process, with its data in one folder."""

from datetime import timedelta
from signal import SIGTERM, Signals
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from powerloop.embedded.binaries import find_redis_server
from powerloop.embedded.child import Command
from powerloop.embedded.folder import write_private
from powerloop.embedded.server import EmbeddedServer

_SETTINGS: Final = (
    "bind 127.0.0.1",
    "protected-mode yes",
    "daemonize no",
    # What it says goes to its standard output, and so to the log.
    'logfile ""',
    "dir ./",
    'save ""',
    # A queue must refuse what it cannot hold, and never drop what it has.
    "maxmemory-policy noeviction",
)
_DURABLE: Final = ("appendonly yes", "appendfsync everysec", "aof-load-truncated yes")
_FORGETFUL: Final = ("appendonly no",)


class RedisServer(EmbeddedServer):
    """Redis in a folder. It evicts nothing.

    `durable`, it keeps an append-only file, flushed to the disk once a second: what was written outlives a
    crash of the process. Otherwise it begins empty at each start.

    Args:
        folder: Where its data, password and log are kept; made if need be.
        durable: Whether data outlive it.
        port: Where it listens; by default a free port, the same one as the last time if that is free.
    """

    name = "Redis"

    @property
    def url(self) -> str:
        """The address of database 0, with the password in it."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def _prepare(self) -> None:
        self._program = find_redis_server()
        self._folder.data.mkdir(mode=0o700, exist_ok=True)

    def _command(self) -> Command:
        config = self._folder.path / "redis.conf"
        settings = (*_SETTINGS, *(_DURABLE if self._durable else _FORGETFUL))
        lines = (*settings, f"port {self._port}", f"requirepass {self._password}", "")
        # A file, since other users of the machine can read command lines.
        write_private(config, "\n".join(lines))
        return Command(
            argv=[self._program, str(config)],
            cwd=self._folder.data,
            # A clean shutdown: it writes down what it has.
            death_signal=SIGTERM,
            keep_open=(self._folder.data_lock,),
        )

    def _answers(self, pid: int) -> bool:
        once = Retry(NoBackoff(), 0)
        with redis.Redis(port=self._port, password=self._password, socket_timeout=1, retry=once) as probe:
            try:
                facts = probe.info()
                # It answers questions about itself while it loads its data, and no others.
                return int(facts["process_id"]) == pid and not int(facts["loading"])
            except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
                # Not listening yet, or another server than ours.
                return False

    def _farewell(self, deadline: timedelta) -> tuple[tuple[Signals, timedelta], ...]:
        return ((SIGTERM, deadline),)
