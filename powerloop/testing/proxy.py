"""A network that fails without a word: a proxy before a server, whose connections can be made to freeze."""

import selectors
import socket
import socketserver
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

_HOST: Final = "127.0.0.1"
_BUFFER_BYTES: Final = 65_536
#: How long an idle connection takes to notice that it is frozen. Bytes that come are judged as they come.
_LOOK_EVERY_S: Final = 0.2


class FreezingProxy:
    """Passes bytes between clients and a server, until it freezes. A context manager.

    A frozen connection is what a failover behind a load balancer leaves behind: it stays open, and nothing
    comes through, in either direction. The proxy lives in threads of its own, so a test may block.

    Args:
        port: Where the server is, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._listener = _Listener(port)

    @property
    def port(self) -> int:
        """Where clients connect to, on 127.0.0.1."""
        return int(self._listener.server_address[1])

    def freeze(self, *, new_ones: bool = False) -> None:
        """Freeze the connections there are, for good.

        Args:
            new_ones: Whether those that are made later are frozen from the beginning, until `thaw`.
        """
        self._listener.frozen.set()
        if not new_ones:
            self.thaw()

    def thaw(self) -> None:
        """Let new connections work again. Frozen ones stay as they are."""
        if self._listener.frozen.is_set():
            self._listener.frozen = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._listener.serve_forever, name="powerloop-proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown()
        self._listener.server_close()


class _Listener(socketserver.ThreadingTCPServer):
    """Accepts connections, each of which is passed on in a thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream_port: int) -> None:
        super().__init__((_HOST, 0), _Passage)
        self.upstream = (_HOST, upstream_port)
        self.closed = threading.Event()
        #: Tells the connections that are made from now on that they are frozen.
        self.frozen = threading.Event()

    def server_close(self) -> None:
        self.closed.set()
        super().server_close()


class _Passage(socketserver.BaseRequestHandler):
    """One connection."""

    server: _Listener
    request: socket.socket

    def handle(self) -> None:
        frozen = self.server.frozen
        # Where one end has gone, or was never there, so goes the other.
        with suppress(OSError), socket.create_connection(self.server.upstream) as upstream:
            self._pass(upstream, frozen)
            if frozen.is_set():
                # Both ends stay open.
                self.server.closed.wait()

    def _pass(self, upstream: socket.socket, frozen: threading.Event) -> None:
        """Pass bytes both ways until one end closes, the connection is frozen, or the proxy is closed."""
        with selectors.DefaultSelector() as selector:
            for source, target in ((self.request, upstream), (upstream, self.request)):
                selector.register(source, selectors.EVENT_READ, (source, target))
            while not (frozen.is_set() or self.server.closed.is_set()):
                for key, _ in selector.select(_LOOK_EVERY_S):
                    source, target = key.data
                    data = source.recv(_BUFFER_BYTES)
                    if frozen.is_set() or not data:
                        return
                    target.sendall(data)
