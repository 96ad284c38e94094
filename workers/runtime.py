"""The runtime of a worker process: what its tasks work with, and the order in which it starts and stops."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from powerloop.client.own_agents import announced
from powerloop.client.producer import Producer
from powerloop.kernel.agents import AgentRegistry
from powerloop.kernel.errors import ModelError
from powerloop.kernel.executor import Executor
from powerloop.kernel.heartbeat import Heartbeat
from powerloop.kernel.ports.model import Models
from powerloop.kernel.ports.store import Store
from powerloop.kernel.timer_asking import TimerAsker
from powerloop.kernel.tool_executor import ToolExecutor
from powerloop.workflow.driver import RunDriver

logger = logging.getLogger("powerloop.worker")


class Closable(Protocol):
    """Something with connections to let go of."""

    async def close(self) -> None: ...


class Listener(Closable, Protocol):
    """Something that listens in the background once it is started."""

    def start(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Started on the event loop that runs the tasks, once, before the first of them."""

    #: What this process can run.
    agents: AgentRegistry
    #: What the agents speak with.
    models: Models
    #: Where everything durable lives.
    store: Store
    #: Drives the sends.
    executor: Executor
    #: Runs calls that have queues of their own.
    tools: ToolExecutor
    #: Moves runs of workflows on.
    runs: RunDriver
    #: Asks hooks about timers that are due.
    timers: TimerAsker
    #: Accepts what arrives as a ``powerloop.enqueue`` message.
    producer: Producer
    #: Keeps the lease and the locks.
    heartbeat: Heartbeat
    #: Hears at once of sends that are to be cancelled.
    nudges: Listener
    #: What to close at the end, in this order; the store among it.
    closing: Sequence[Closable]

    async def start(self) -> None:
        """Connect, be alive, and tell producers which agents run here.

        Raises:
            StoreUnavailable: the database does not answer.
            SchemaMissing, SchemaOutdated, SchemaNewer: the schema is not what this code needs.
        """
        self._warm_models()
        await self.store.open()
        await asyncio.to_thread(self.heartbeat.start)
        self.nudges.start()
        await self.store.agents.announce(announced(self.agents))

    def begin_drain(self) -> None:
        """Hand every send over at its next commit."""
        logger.info("drain begun", extra={"running": self.executor.running + self.tools.running})
        self.executor.begin_drain()
        self.tools.begin_drain()

    def _warm_models(self) -> None:
        """Import SDKs now, which takes a second, and not in the middle of other sends."""
        for agent in self.agents:
            try:
                self.models.get(agent.model)
            except ModelError as error:
                fields = {"agent": agent.name, "code": error.code, "error": str(error)}
                logger.warning("agent cannot answer", extra=fields)

    async def stop(self) -> None:
        """Be dead, and let go of everything. What cannot be closed does not keep the rest open."""
        await asyncio.to_thread(self.heartbeat.stop)
        for closable in self.closing:
            try:
                await closable.close()
            except Exception:
                logger.exception("not closed", extra={"part": type(closable).__name__})


class WorkerLifecycle:
    """The lifecycle of a worker process: a runtime, built on the event loop that its tasks run on.

    Args:
        build: Makes the runtime; called once, on that loop.
    """

    def __init__(self, build: Callable[[], Runtime]) -> None:
        self._build = build
        self._runtime: Runtime | None = None

    @property
    def runtime(self) -> Runtime:
        """What the tasks work with; there from the end of `start` on."""
        assert self._runtime is not None, "a task runs before the runtime was started"
        return self._runtime

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Build the runtime and start it; errors as `Runtime.start`."""
        del loop  # the running one, which the runtime asks for itself
        runtime = self._build()
        try:
            await runtime.start()
        except BaseException:
            # In prefork the process lives on, and the next task tries again.
            await runtime.stop()
            raise
        self._runtime = runtime

    def begin_drain(self) -> None:
        if self._runtime is not None:
            self._runtime.begin_drain()

    async def stop(self) -> None:
        if self._runtime is not None:
            await self._runtime.stop()
