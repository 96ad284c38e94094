"""A real Postgres on loopback, started and stopped by this process, with its data in one folder."""

import os
from datetime import timedelta
from signal import SIGINT, SIGQUIT, Signals
from typing import Final

from powerloop.embedded.accounts import powerless_account, require_reach
from powerloop.embedded.binaries import find_postgres
from powerloop.embedded.child import Command
from powerloop.embedded.cluster import (
    ENVIRONMENT,
    NewCluster,
    clear_stale_pid,
    create_cluster,
    is_ready,
    version_of,
)
from powerloop.embedded.server import EmbeddedServer

USER: Final = "powerloop"
DATABASE: Final = "powerloop"

_SETTINGS: Final = (
    "listen_addresses=127.0.0.1",
    # None: their paths have a length limit that a project's folder may exceed.
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=64MB",
    # In the data folder: /dev/shm is small in containers, and a killed server leaves litter in it.
    "dynamic_shared_memory_type=mmap",
    "max_parallel_workers_per_gather=0",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
)
_FORGETFUL: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=128MB")
_QUIT_WITHIN: Final = timedelta(seconds=6)


class PostgresServer(EmbeddedServer):
    """Postgres in a folder. Where we are root, it runs as the account `postgres` or `nobody`.

    `durable`, each commit outlives a crash of the machine. Otherwise it outlives a crash of the process only.

    Args:
        folder: Where its data, password and log are kept; made if need be. Where we are root, the folders
            above it must let others pass (``o+x``).
        durable: Whether commits wait for the disk.
        port: Where it listens; by default a free port, the same one as the last time if that is free.
    """

    name = "Postgres"

    @property
    def url(self) -> str:
        """The address of the database `powerloop`, with the password in it."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The address of another database of this server."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self._port}/{database}"

    def _folder_mode(self) -> int:
        # Root's folder is passed through by the account, which can read nothing in it but the data.
        return 0o711 if os.geteuid() == 0 else 0o700

    def _prepare(self) -> None:
        data = self._folder.data
        self._account = powerless_account(data)
        self._binaries = find_postgres(version_of(data))
        if self._account:
            require_reach(data, self._account)
            require_reach(self._binaries.postgres, self._account)
        if data.exists():
            self._folder.require_password()
            clear_stale_pid(data)
        else:
            self._folder.password()
            create_cluster(self._new_cluster())

    def _new_cluster(self) -> NewCluster:
        return NewCluster(
            data=self._folder.data,
            binaries=self._binaries,
            account=self._account,
            user=USER,
            database=DATABASE,
            durable=self._durable,
            lock=self._folder.data_lock,
        )

    def _command(self) -> Command:
        settings = (*_SETTINGS, f"port={self._port}", *(() if self._durable else _FORGETFUL))
        switches = [word for setting in settings for word in ("-c", setting)]
        return Command(
            argv=[str(self._binaries.postgres), "-D", str(self._folder.data), *switches],
            env=ENVIRONMENT,
            account=self._account,
            # Immediate shutdown: it ends for certain, and the next start replays the log.
            death_signal=SIGQUIT,
            keep_open=(self._folder.data_lock,),
        )

    def _answers(self, pid: int) -> bool:
        return is_ready(self._folder.data, pid)

    def _farewell(self, deadline: timedelta) -> tuple[tuple[Signals, timedelta], ...]:
        # First the fast shutdown, which disconnects everybody; then the immediate one.
        return ((SIGINT, deadline), (SIGQUIT, _QUIT_WITHIN))
