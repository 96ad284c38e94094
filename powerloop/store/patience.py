"""How long a thread waits for an answer: a server that is frozen keeps its connections, and libpq waits for
good."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from os import dup
from threading import Event, Thread


@contextmanager
def answered_within(seconds: float, descriptor: int) -> Iterator[None]:
    """Hang up on the server at the other end of the socket if the block takes longer; `TimeoutError` then.

    No option of libpq bounds this: `tcp_user_timeout` counts from bytes that the other machine's kernel has
    not acknowledged, and a frozen server's kernel acknowledges. A socket that was shut down reads as ended,
    so the driver gives up as it does when the server dies.
    """
    # A duplicate, so that the number cannot be another connection's by the time we hang up.
    with socket.socket(fileno=dup(descriptor)) as line:
        done, hung_up = Event(), Event()

        def watch() -> None:
            if not done.wait(seconds):
                hung_up.set()
                line.shutdown(socket.SHUT_RDWR)

        watcher = Thread(target=watch, name="powerloop-patience", daemon=True)
        watcher.start()
        try:
            yield
        except Exception as error:
            if hung_up.is_set():
                raise TimeoutError from error
            raise
        finally:
            done.set()
            watcher.join()
