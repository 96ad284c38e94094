"""The wire server on an event loop in a thread, for tests that have none of their own, or another one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from powerloop.testing.wire.server import WireServer

_TIMEOUT_S = 30


@contextmanager
def serving(server: WireServer) -> Iterator[WireServer]:
    """Serve for the length of the block. Replies may be enqueued from the caller's thread at any time."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="powerloop-wire", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(_TIMEOUT_S)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(_TIMEOUT_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_TIMEOUT_S)
        loop.close()
