"""The world in a process of its own, which outlives the workers that act on it."""

from collections.abc import Sequence
from datetime import timedelta

from powerloop.testing.server_process import ServerProcess
from powerloop.testing.world.client import WorldClient
from powerloop.testing.world.request import REQUESTS, WorldRequest


class WorldProcess(ServerProcess):
    """What a test knows of the effects that tools have had. A context manager; its methods block.

    Args:
        port: 0: any free one.
    """

    def __init__(self, *, port: int = 0) -> None:
        super().__init__("powerloop.testing.world", port=port)

    @property
    def client(self) -> WorldClient:
        """How a tool in this process acts on it."""
        return WorldClient(self.url)

    def requests(self, tool: str = "", *, send: str = "") -> Sequence[WorldRequest]:
        """Every request in the order of arrival: of one tool, for one send, or of all."""
        return [
            request
            for request in REQUESTS.validate_json(self.control("requests"))
            if tool in ("", request.tool) and send in ("", request.send)
        ]

    def count(self, tool: str = "", *, send: str = "") -> int:
        """How many requests there were."""
        return len(self.requests(tool, send=send))

    def keys(self, tool: str = "", *, send: str = "") -> set[str]:
        """The idempotency keys that were shown, each once."""
        return {request.key for request in self.requests(tool, send=send) if request.key}

    def slow(self, span: timedelta) -> None:
        """From now on, answer so long after the effect has taken place."""
        self.control("slow", str(span.total_seconds()).encode())

    def reset(self) -> None:
        """Forget every request, and be quick."""
        self.control("reset", b"")
