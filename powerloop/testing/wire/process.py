"""The wire server in a process of its own, and how to talk to it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from powerloop.llm.settings import ProviderSettings
from powerloop.testing.server_process import ServerProcess
from powerloop.testing.wire.address import environ_of
from powerloop.testing.wire.control import REPLIES, REQUESTS, WireRule, WireStats
from powerloop.testing.wire.reply import Reply
from powerloop.testing.wire.request import WireRequest


class WireProcess(ServerProcess):
    """A wire server that costs the tested process no CPU. A context manager; its methods block.

    Args:
        port: 0: any free one.
        latency: Before the first byte of each reply.
        keep: How many requests it remembers, the latest.
    """

    def __init__(self, *, port: int = 0, latency: timedelta = timedelta(0), keep: int = 10_000) -> None:
        super().__init__(
            "powerloop.testing.wire", port=port, latency_ms=latency / timedelta(milliseconds=1), keep=keep
        )

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment variables that point a process at this server."""
        return environ_of(self.url)

    @property
    def settings(self) -> ProviderSettings:
        """The settings that point a `ModelCatalog` at this server."""
        return ProviderSettings.from_environ(self.environ)

    def enqueue(self, *replies: Reply) -> None:
        """Answer the next requests with these, one each."""
        self.control("replies", REPLIES.dump_json(replies))

    def on(self, pattern: str, *replies: Reply) -> None:
        """Answer user messages that match the pattern, as `WireScript.on` does."""
        self.control("rules", WireRule(pattern=pattern, replies=replies).model_dump_json().encode())

    def requests(self) -> Sequence[WireRequest]:
        """What was asked, in the order of arrival."""
        return REQUESTS.validate_json(self.control("requests"))

    def stats(self) -> WireStats:
        """How busy it is and was, and how many answers were cut."""
        return WireStats.model_validate_json(self.control("stats"))

    def reset(self) -> None:
        """Forget replies, requests and counts."""
        self.control("reset", b"")
