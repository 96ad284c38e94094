"""Postgres and Redis for one project folder: started together, found by others, stopped together."""

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, NoReturn, Self

from powerloop.embedded.folder import take_lock, write_private
from powerloop.embedded.postgres import PostgresServer
from powerloop.embedded.redis import RedisServer
from powerloop.embedded.server import EmbeddedServer
from powerloop.kernel.errors import EmbeddedBusy, EmbeddedUnavailable
from powerloop.settings import PREFIX, Settings

HOME: Final = ".powerloop"

_FILE: Final = "stack.json"
_ANSWER_WITHIN_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StackInfo:
    """A stack that runs."""

    #: The folder of its data, absolute.
    home: Path
    #: Where its database is. The password in it keeps both addresses out of `repr`.
    database_url: str = field(repr=False)
    #: Where its Redis is.
    redis_url: str = field(repr=False)
    #: The process that started it and will stop it.
    pid: int
    #: The servers that it started itself: name to process id.
    servers: Mapping[str, int]
    #: Where those servers listen: name to port.
    ports: Mapping[str, int]

    def environment(self) -> dict[str, str]:
        """The variables that lead a process of powerloop to this stack."""
        return {f"{PREFIX}DATABASE_URL": self.database_url, f"{PREFIX}REDIS_URL": self.redis_url}


class EmbeddedStack:
    """The servers of one folder. Usable as a context manager.

    A server whose address is given is not started. All that it starts is bound to 127.0.0.1, asks for a
    password and is stopped at the end: when the block is left, be it by Ctrl-C or SIGTERM, or when this
    process dies.
    """

    def __init__(self, home: Path | str = HOME, *, database_url: str = "", redis_url: str = "") -> None:
        """
        Args:
            home: Where the data are kept; made if need be, and ignored by git.
            database_url: A database that runs elsewhere; empty: start Postgres.
            redis_url: A Redis that runs elsewhere; empty: start Redis.
        """
        self.home = Path(home).absolute()
        self._urls = {"postgres": database_url, "redis": redis_url}
        self._running: ExitStack | None = None
        self._info: StackInfo | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The stack that fills in what the settings leave open."""
        return cls(settings.home, database_url=settings.database_url, redis_url=settings.redis_url)

    @property
    def info(self) -> StackInfo:
        """What runs, while it runs."""
        assert self._info is not None, "start() comes first"
        return self._info

    def start(self) -> StackInfo:
        """Start what has no address, and return when all of it answers.

        Raises:
            EmbeddedBusy: a stack runs in the folder already; `find_stack` finds it.
            EmbeddedUnavailable: a server is not installed, or cannot start there.
        """
        with ExitStack() as undo:
            _make_home(self.home)
            undo.enter_context(_only_stack_in(self.home))
            undo.enter_context(_sigterm_unwinds())
            servers: dict[str, EmbeddedServer] = {}
            if not self._urls["postgres"]:
                servers["postgres"] = undo.enter_context(PostgresServer(self.home / "postgres"))
            if not self._urls["redis"]:
                servers["redis"] = undo.enter_context(RedisServer(self.home / "redis"))
            self._info = self._describe(servers)
            undo.enter_context(_published(self._info))
            self._running = undo.pop_all()
        return self.info

    def stop(self) -> None:
        """Stop what was started, in the opposite order."""
        running, self._running, self._info = self._running, None, None
        if running:
            running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _describe(self, servers: Mapping[str, EmbeddedServer]) -> StackInfo:
        urls = {**self._urls, **{name: server.url for name, server in servers.items()}}
        return StackInfo(
            home=self.home,
            database_url=urls["postgres"],
            redis_url=urls["redis"],
            pid=os.getpid(),
            servers={name: server.pid for name, server in servers.items() if server.pid},
            ports={name: server.port for name, server in servers.items()},
        )


def find_stack(home: Path | str = HOME) -> StackInfo | None:
    """The stack that runs in `home`, or `None`. A file left behind by one that was killed is passed over.

    Args:
        home: An absolute path, or one that is looked for in the current folder and in each folder above it.

    Raises:
        EmbeddedUnavailable: the stack belongs to another user.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        info = _read(folder / home)
        if info and _is_alive(info):
            return info
    return None


def _read(home: Path) -> StackInfo | None:
    try:
        record = json.loads((home / _FILE).read_text())
        return StackInfo(home=home, **record)
    except PermissionError as error:
        raise EmbeddedUnavailable(
            f"the stack in {home} belongs to another user.", hint="Run as that user, or start one elsewhere."
        ) from error
    except (OSError, ValueError, TypeError):
        # Absent, or written by another version: nothing that could be used.
        return None


def _is_alive(info: StackInfo) -> bool:
    return all(map(_process_exists, (info.pid, *info.servers.values()))) and all(
        map(_port_answers, info.ports.values())
    )


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _port_answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_WITHIN_S).close()
    except OSError:
        return False
    return True


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        # Root's Postgres runs as another account, which passes through.
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        (home / ".gitignore").write_text("*\n")
    except OSError as error:
        raise EmbeddedUnavailable(
            f"{home} cannot be used: {error.strerror}.", hint="It may belong to another user: choose another."
        ) from error


@contextmanager
def _only_stack_in(home: Path) -> Iterator[None]:
    lock = take_lock(home / "stack.lock")
    if lock is None:
        raise EmbeddedBusy(
            f"a stack already runs in {home}.", hint="Use that one, or stop the process that started it."
        )
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def _published(info: StackInfo) -> Iterator[None]:
    file = info.home / _FILE
    record = {
        "database_url": info.database_url,
        "redis_url": info.redis_url,
        "pid": info.pid,
        "servers": dict(info.servers),
        "ports": dict(info.ports),
    }
    write_private(file, json.dumps(record, indent=2))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    # Python's own SIGTERM ends the process on the spot. Where the program has a handler, that one stays.
    takes = threading.current_thread() is threading.main_thread()
    if not takes or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
