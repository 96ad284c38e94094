"""The folder of one server: who may use it, its password, its port and its log."""

import fcntl
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from powerloop.kernel.errors import EmbeddedBusy, EmbeddedUnavailable

_PREDECESSOR_GONE_WITHIN_S = 15.0
_LOG_KEPT_BYTES = 4_000_000
_TAIL_LINES = 12


class ServerFolder:
    """One server's place on the disk.

    Two locks guard it. The first is held by the process that starts the server, so that a second start is
    refused at once. The second is inherited by the server itself and its children, so that nobody touches the
    data before the last process of a killed predecessor is gone.
    """

    def __init__(self, path: Path, server: str) -> None:
        """
        Args:
            path: The folder; made when it is claimed.
            server: What runs there, for messages: ``Postgres``.
        """
        self.path = path.absolute()
        self.server = server
        self._locks: list[int] = []

    @property
    def data(self) -> Path:
        """Where the server's own files are."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.path / "log"

    @property
    def password_file(self) -> Path:
        """What keeps the password."""
        return self.path / "password"

    @property
    def data_lock(self) -> int:
        """The file descriptor that the server is to inherit."""
        return self._locks[1]

    def claim(self, mode: int) -> None:
        """Take the folder, making it with permissions `mode` if need be.

        Raises:
            EmbeddedBusy: a server runs there already.
            EmbeddedUnavailable: the folder cannot be used.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(mode)
            self._claim()
        except OSError as error:
            self.release()
            raise EmbeddedUnavailable(
                f"{self.server} cannot use {self.path}: {error.strerror}.",
                hint="The folder may belong to another user: choose another, or remove it.",
            ) from error
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the folder back."""
        while self._locks:
            os.close(self._locks.pop())

    def password(self) -> str:
        """The server's password, made at the first call and kept in a file that nobody else may read."""
        if not self.password_file.exists():
            write_private(self.password_file, secrets.token_urlsafe(24))
        return self.password_file.read_text().strip()

    def require_password(self) -> None:
        """Refuse to go on without the file, where the data know the password.

        Raises:
            EmbeddedUnavailable: it is gone.
        """
        if not self.password_file.exists():
            raise EmbeddedUnavailable(
                f"the password of the data is lost: {self.password_file} is gone.",
                hint=f"Bring it back, or remove {self.path} to begin anew.",
            )

    def choose_port(self, wanted: int | None = None) -> int:
        """A free port: `wanted`, or the one of the last time, or any other. It is remembered."""
        file = self.path / "port"
        last = int(file.read_text()) if file.exists() else 0
        port = wanted or (last if last and port_is_free(last) else _any_free_port())
        write_private(file, str(port))
        return port

    @contextmanager
    def open_log(self) -> Iterator[int]:
        """The log, opened for appending, as a file descriptor; begun anew when it has grown long."""
        anew = os.O_TRUNC if self.log.exists() and self.log.stat().st_size > _LOG_KEPT_BYTES else 0
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | anew, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def log_tail(self) -> str:
        """The last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_TAIL_LINES:])

    def _claim(self) -> None:
        if not self._take("owner.lock"):
            raise EmbeddedBusy(
                f"{self.server} already runs in {self.path}.",
                hint="Stop the process that started it, or choose another folder.",
            )
        deadline = time.monotonic() + _PREDECESSOR_GONE_WITHIN_S
        while not self._take("data.lock"):
            if time.monotonic() > deadline:
                raise EmbeddedBusy(
                    f"a {self.server} that a killed process left behind still uses {self.data}.",
                    hint=f"Stop it; {self.log} may tell why it lingers.",
                )
            time.sleep(0.02)

    def _take(self, name: str) -> bool:
        descriptor = take_lock(self.path / name)
        if descriptor is None:
            return False
        self._locks.append(descriptor)
        return True


def take_lock(path: Path) -> int | None:
    """Lock a file, making it if need be; `None` if another holds it.

    Returns:
        The file descriptor that holds the lock, until it is closed by all who have inherited it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def port_is_free(port: int) -> bool:
    """Whether a server could bind 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
