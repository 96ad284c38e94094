"""What a client stands on: a store, a dispatcher, an event feed and nudges, opened and closed together."""

from typing import Protocol

from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.events import EventFeed
from powerloop.kernel.ports.explain import LockReader
from powerloop.kernel.ports.nudges import Nudges
from powerloop.kernel.ports.store import Store


class Backend(Protocol):
    """The ports of a client. One implementation reaches servers, another drives sends in this process."""

    @property
    def store(self) -> Store: ...

    @property
    def dispatcher(self) -> Dispatcher: ...

    @property
    def feed(self) -> EventFeed: ...

    @property
    def nudges(self) -> Nudges: ...

    @property
    def lock_reader(self) -> LockReader | None:
        """Looks at session locks; `None`: they are in no service that can be looked at."""
        ...

    @property
    def max_attempts(self) -> int:
        """Claims without a commit in between, after which a send fails as poison."""
        ...

    async def open(self) -> None:
        """Connect. Called once, on the event loop that uses it."""
        ...

    async def close(self) -> None:
        """Let go of everything; twice is once."""
        ...
