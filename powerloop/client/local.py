"""The local backend: SQLite, and sends driven in this process. No broker, no server."""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from uuid6 import uuid7

from powerloop.client.cancelling import Canceller
from powerloop.client.inprocess import InProcessDispatcher
from powerloop.client.local_timers import LocalTimers
from powerloop.client.own_agents import announced, with_own
from powerloop.client.wakeups import StoredWakeups
from powerloop.kernel.agents import AgentRegistry
from powerloop.kernel.clock import Clock, SystemClock
from powerloop.kernel.dispatch import activation_of
from powerloop.kernel.driving import Ports
from powerloop.kernel.executor import Executor
from powerloop.kernel.heartbeat import Heartbeat
from powerloop.kernel.ids import SendId, WorkerId
from powerloop.kernel.marks import Marks
from powerloop.kernel.ports.lease import Held, Leases
from powerloop.kernel.ports.store import Store
from powerloop.kernel.queues import SEND_QUEUES, lanes_of
from powerloop.kernel.sends import Send
from powerloop.kernel.sweep import Sweeper
from powerloop.kernel.tool_tasks import HeldTask
from powerloop.kernel.upkeep import UpkeepPolicy
from powerloop.llm import ModelCatalog, PriceTable, ProviderSettings, Script, known_prices
from powerloop.queue.memory import MemoryFeed, MemoryLocks, MemoryNudges, MemorySink
from powerloop.settings import read_settings
from powerloop.store import open_leases, open_store
from powerloop.store.memory import MemoryLeases, MemoryStore
from powerloop.tools import AgentToolbox
from powerloop.workflow.driver import DrivingDispatcher, RunDriver
from powerloop.workflow.planner import WorkflowPlanner
from powerloop.workflow.reading import StoredRuns

logger = logging.getLogger("powerloop.client")

MEMORY = ":memory:"

_LEASE_TTL: Final = timedelta(seconds=4)

#: As the setting `max_attempts` has it for workers.
_MAX_ATTEMPTS: Final = 5

#: Queued sends that are picked up at the start; the sweeper brings the rest when they have run.
_PICKED_UP: Final = 10_000


class LocalBackend:
    """Everything in this process.

    Several processes may share one file: a claim is one statement, so each send runs in one of them, and
    their sweepers take over what a dead one left. A send that another process still has in its queue may be
    driven by whoever is idle first.

    Args:
        path: The SQLite file, or ``":memory:"``.
        agents: What can be run.
        scripts: What ``scripted:NAME`` plays, by name.
        concurrency: The most sends that run at once.
        prices: What calls cost, where the file named by ``POWERLOOP_PRICES`` does not say it; what neither
            says, the table that comes with powerloop does.

    Raises:
        SettingsInvalid: a setting of the environment is malformed.
    """

    def __init__(
        self,
        path: str,
        agents: AgentRegistry,
        *,
        scripts: Mapping[str, Script],
        concurrency: int,
        prices: PriceTable | None = None,
    ) -> None:
        self._agents = agents = with_own(agents)
        self.lock_reader = None
        self.max_attempts = _MAX_ATTEMPTS
        clock = SystemClock()
        self.store, leases = _storage(path, clock)
        self.feed = MemoryFeed()
        self.dispatcher = self._dispatcher(concurrency)
        self._models = _catalog(scripts, prices)
        self._sweeper = self._new_sweeper(clock)
        self._sweeping: asyncio.Task[None] | None = None
        self._timers = self._new_timers(clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        worker = WorkerId(f"{socket.gethostname()}:{os.getpid()}:{uuid7().hex[-8:]}")
        locks, marks = MemoryLocks(), Marks()
        self._executor = Executor(
            Ports(
                worker=worker,
                agents=agents,
                journal=self.store.journal,
                recovery=self.store.recovery,
                locks=locks,
                models=self._models,
                toolbox=_toolbox(self.store, clock),
                events=MemorySink(self.feed),
                dispatcher=self.dispatcher,
                clock=clock,
                marks=marks,
                max_attempts=_MAX_ATTEMPTS,
            )
        )
        self.nudges = MemoryNudges(self._executor.cancel, self.feed.tell_end)
        self._heartbeat = Heartbeat(
            worker=worker,
            leases=leases,
            locks=locks,
            marks=marks,
            ttl=_LEASE_TTL,
            on_dead=self._on_dead,
            on_held=self._on_held,
        )

    def _new_timers(self, clock: Clock) -> LocalTimers:
        policy = _upkeep_policy()
        return LocalTimers(self.store, self._agents, self.dispatcher, clock, self._tell_end, policy)

    def _new_sweeper(self, clock: Clock) -> Sweeper:
        recovery = (self.store.recovery, self.store.task_recovery, self.store.workflow_recovery)
        return Sweeper(*recovery, self.dispatcher, clock)

    def _dispatcher(self, concurrency: int) -> DrivingDispatcher:
        queue = InProcessDispatcher(self._drive, concurrency)
        runs = RunDriver(self.store.workflows, WorkflowPlanner(), queue, self._disown)
        return DrivingDispatcher(queue, runs)

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.store.open()
        await self.store.agents.announce(announced(self._agents))
        await asyncio.to_thread(self._heartbeat.start)
        try:
            await self._pick_up()
        except BaseException:
            await self._shut_down()
            raise
        self._sweeping = asyncio.create_task(self._sweep())
        self._timers.start()

    async def close(self) -> None:
        if self._sweeping is None:
            return
        self._sweeping.cancel()
        await asyncio.gather(self._sweeping, return_exceptions=True)
        self._sweeping = None
        await self._shut_down()

    async def _shut_down(self) -> None:
        await self._timers.stop()
        self._executor.begin_drain()
        await self.dispatcher.close()
        await asyncio.to_thread(self._heartbeat.stop)
        await self._models.close()
        await self.store.close()

    async def _pick_up(self) -> None:
        """Publish what earlier processes left queued. They took their queues with them: no age is needed."""
        left = await self.store.recovery.overdue(timedelta(0), lanes_of(*SEND_QUEUES), _PICKED_UP)
        await self.dispatcher.publish([activation_of(send) for send in left])

    async def _sweep(self) -> None:
        try:
            await self._sweeper.run()
        except Exception:
            logger.exception("no more sweeps")
            raise

    async def _disown(self, send_id: SendId, reason: str) -> None:
        await Canceller(self.store, self.dispatcher, self.nudges).disown(send_id, reason)

    async def _tell_end(self, send: Send) -> None:
        await Canceller(self.store, self.dispatcher, self.nudges).tell(send)

    async def _drive(self, send_id: SendId) -> None:
        await self._executor.drive(send_id)

    def _on_dead(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._executor.abandon)

    def _on_held(self, held: Sequence[Held], tasks: Sequence[HeldTask]) -> None:
        del tasks  # tools run in place here
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._executor.reconcile, held)


def _catalog(scripts: Mapping[str, Script], prices: PriceTable | None) -> ModelCatalog:
    """The models that the environment gives keys, addresses and prices of."""
    return ModelCatalog(
        ProviderSettings.from_environ(os.environ),
        scripts=scripts,
        prices=known_prices(read_settings(discover=False).prices, prices),
    )


def _toolbox(store: Store, clock: Clock) -> AgentToolbox:
    return AgentToolbox(in_place=True, runs=StoredRuns(store), wakeups=StoredWakeups(store.timers, clock))


def _upkeep_policy() -> UpkeepPolicy:
    settings = read_settings(discover=False)
    return UpkeepPolicy(sends=settings.keep_sends, timers=settings.keep_timers)


def _storage(path: str, clock: Clock) -> tuple[Store, Leases]:
    if path == MEMORY:
        memory = MemoryStore(clock)
        return memory, MemoryLeases(memory)
    url = f"sqlite:///{path}"
    return open_store(url), open_leases(url)
