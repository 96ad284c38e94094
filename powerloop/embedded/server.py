"""The life of an embedded server: claim its folder, find a port, launch, await its answer, stop."""

import time
from abc import ABC, abstractmethod
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL, Signals
from types import TracebackType
from typing import ClassVar, Final, Self

from powerloop.embedded.child import Child, Command
from powerloop.embedded.folder import ServerFolder, port_is_free
from powerloop.kernel.errors import EmbeddedUnavailable

_READY_WITHIN_S: Final = 60.0
_PORT_TRIES: Final = 3


class EmbeddedServer(ABC):
    """A server with its data in one folder. Usable as a context manager.

    It listens on 127.0.0.1 alone, asks for a password that only its folder knows, and dies with this process.
    """

    #: What it is called in messages.
    name: ClassVar[str]

    def __init__(self, folder: Path | str, *, durable: bool = True, port: int | None = None) -> None:
        self._folder = ServerFolder(Path(folder), self.name)
        self._durable = durable
        self._wanted_port = port
        self._port = 0
        self._password = ""
        self._child: Child | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Its address, with the password in it."""

    @property
    def port(self) -> int:
        """Where it listens, since it was first started."""
        return self._port

    @property
    def pid(self) -> int | None:
        """The id of its main process; `None` when it does not run."""
        return self._child.pid if self._child and self.running else None

    @property
    def running(self) -> bool:
        """Whether its main process lives."""
        return self._child is not None and self._child.exit_code is None

    def start(self) -> Self:
        """Start it, on new or existing data, and return when it answers.

        Raises:
            EmbeddedBusy: a server runs in the folder already.
            EmbeddedUnavailable: the server is not installed, or cannot start there.
        """
        self._folder.claim(self._folder_mode())
        try:
            self._prepare()
            self._password = self._folder.password()
            self._launch()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, deadline: timedelta = timedelta(seconds=10)) -> None:
        """Let it write everything down and end; end it by force when `deadline` has passed."""
        self._end(*self._farewell(deadline))

    def kill(self) -> None:
        """End it as a crash would: kill -9, no clean-up. `start` recovers."""
        self._end((SIGKILL, timedelta(seconds=10)))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _folder_mode(self) -> int:
        """Who may enter its folder: we alone."""
        return 0o700

    @abstractmethod
    def _prepare(self) -> None:
        """Make everything that is made once."""

    @abstractmethod
    def _command(self) -> Command:
        """What to run, to listen on `port`."""

    @abstractmethod
    def _answers(self, pid: int) -> bool:
        """Whether the process `pid` is ready to serve."""

    @abstractmethod
    def _farewell(self, deadline: timedelta) -> tuple[tuple[Signals, timedelta], ...]:
        """The signals that end it, each with its patience."""

    def _launch(self) -> None:
        # Between finding a free port and binding it, somebody else may take it.
        for _ in range(_PORT_TRIES):
            self._port = self._folder.choose_port(self._wanted_port or self._port or None)
            if self._becomes_ready():
                return
            if self._wanted_port or port_is_free(self._port):
                break
            self._port = 0
        raise EmbeddedUnavailable(f"{self.name} did not start; its log ends with:\n{self._folder.log_tail()}")

    def _becomes_ready(self) -> bool:
        with self._folder.open_log() as log:
            child = Child(self._command(), output=log)
            child.start()
        self._child = child
        deadline = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < deadline:
            if child.wait(timedelta(milliseconds=5)):
                return False
            if self._answers(child.pid):
                return True
        return False

    def _end(self, *steps: tuple[Signals, timedelta]) -> None:
        if self._child:
            self._child.stop(*steps)
            self._child = None
        self._folder.release()
