"""The dispatcher: how a committed row reaches a worker."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from powerloop.kernel.dispatch import Activation
from powerloop.kernel.queues import Lane, QueueName


class Dispatcher(Protocol):
    """Publishes activations. Called after the commit, never before."""

    async def publish(self, activations: Sequence[Activation]) -> bool:
        """Put each activation where some worker will take it; the order is kept per lane.

        Returns whether all of them went out. Never raises for a broker that is away: the row is the outbox,
        and is published again by recovery. The trouble is logged.
        """
        ...

    async def backlog(self, queues: Collection[QueueName]) -> Mapping[Lane, int] | None:
        """How many messages wait, for each lane of these queues; `None` if the broker does not answer.

        Where a broker cannot tell priorities apart, each has the count of all that share its queue.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
