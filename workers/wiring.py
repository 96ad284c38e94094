"""The composition root of a worker process: settings in, a runtime out."""

import asyncio
import os
import socket
from collections.abc import Sequence

from uuid6 import uuid7

from powerloop.client.app import App, load_app
from powerloop.client.cancelling import Canceller
from powerloop.client.isolation import with_isolation
from powerloop.client.own_agents import with_own
from powerloop.client.producer import Producer
from powerloop.client.remote import require_urls
from powerloop.client.wakeups import StoredWakeups
from powerloop.kernel.clock import SystemClock
from powerloop.kernel.driving import Ports
from powerloop.kernel.executor import Executor
from powerloop.kernel.heartbeat import Heartbeat
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.marks import Marks
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.lease import Held
from powerloop.kernel.ports.model import Models
from powerloop.kernel.ports.store import Store
from powerloop.kernel.timer_asking import TimerAsker
from powerloop.kernel.tool_executor import TaskPorts, ToolExecutor
from powerloop.kernel.tool_tasks import HeldTask
from powerloop.llm import ModelCatalog, ProviderSettings, known_prices
from powerloop.queue import RedisEventSink, RedisSessionLocks, open_dispatcher
from powerloop.queue.nudges import RedisNudgeListener, RedisNudges
from powerloop.settings import Settings
from powerloop.store import open_leases, open_store
from powerloop.timetable import CronTimetable
from powerloop.tools import AgentToolbox
from powerloop.workflow.driver import DrivingDispatcher, RunDriver
from powerloop.workflow.planner import WorkflowPlanner
from powerloop.workflow.reading import StoredRuns

from .runtime import Runtime, WorkerLifecycle


def build_lifecycle(settings: Settings) -> WorkerLifecycle:
    """The lifecycle of a worker process that runs the agents which the settings name.

    Raises:
        SettingsInvalid: an address is missing.
        AppBroken: the modules that define the agents cannot be loaded.
    """
    require_urls(settings)
    app = load_app(settings.app)
    return WorkerLifecycle(lambda: build_runtime(settings, app))


def build_runtime(settings: Settings, app: App) -> Runtime:
    """Everything that one worker process runs sends with. Nothing is connected yet.

    Must be called on the event loop, and in the process, that will use it.

    Raises:
        SettingsInvalid: an address is malformed, or the file of prices.
    """
    worker = WorkerId(f"{socket.gethostname()}:{os.getpid()}:{uuid7().hex[-8:]}")
    store = open_store(settings.database_url, policy=settings.schema_policy, pool_size=settings.database_pool)
    broker, others = _broker(settings), RedisNudges(settings.redis_url)
    canceller, runs = _run_driver(store, broker, others)
    dispatcher = DrivingDispatcher(broker, runs)
    locks = RedisSessionLocks(settings.redis_url, ttl=settings.lock_ttl)
    events = RedisEventSink(settings.redis_url, length=settings.stream_length, ttl=settings.stream_ttl)
    models = _models(settings, app)
    marks, agents = Marks(), with_own(app.agents)
    ports = Ports(
        worker=worker,
        agents=agents,
        journal=store.journal,
        recovery=store.recovery,
        locks=locks,
        models=models,
        toolbox=_toolbox(store),
        events=events,
        dispatcher=dispatcher,
        clock=SystemClock(),
        marks=marks,
        max_attempts=settings.max_attempts,
    )
    executor = Executor(ports)
    tools = _tool_executor(ports, store, executor)
    nudges = RedisNudgeListener(settings.redis_url, worker, executor.cancel)
    return Runtime(
        agents=agents,
        models=models,
        store=store,
        executor=executor,
        tools=tools,
        runs=runs,
        timers=_asker(ports, store, canceller),
        producer=Producer(store, dispatcher, canceller),
        heartbeat=_heartbeat(settings, locks, marks, executor, tools),
        nudges=nudges,
        closing=(nudges, others, events, locks, dispatcher, models, store),
    )


def _broker(settings: Settings) -> Dispatcher:
    return open_dispatcher(
        settings.celery_broker_url, preview=settings.task_preview, chords=settings.redis_url
    )


def _models(settings: Settings, app: App) -> Models:
    """What the agents speak with.

    Raises:
        SettingsInvalid: the file of prices is malformed, or there is no such launcher of processes.
    """
    catalog = ModelCatalog(
        ProviderSettings.from_environ(os.environ),
        scripts=app.scripts,
        prices=known_prices(settings.prices, app.prices),
    )
    return with_isolation(catalog, settings)


def _run_driver(store: Store, broker: Dispatcher, nudges: RedisNudges) -> tuple[Canceller, RunDriver]:
    """What moves runs of workflows on, and what asks for the end of leaves that nobody waits for."""
    canceller = Canceller(store, broker, nudges)
    return canceller, RunDriver(store.workflows, WorkflowPlanner(), broker, canceller.disown)


def _asker(ports: Ports, store: Store, canceller: Canceller) -> TimerAsker:
    """What asks the hooks of the agents about timers that are due."""
    return TimerAsker(
        timers=store.timers,
        sessions=store.sessions,
        agents=ports.agents,
        timetable=CronTimetable(),
        dispatcher=ports.dispatcher,
        tell_end=canceller.tell,
    )


def _tool_executor(ports: Ports, store: Store, executor: Executor) -> ToolExecutor:
    """What runs calls that have queues of their own, beside the sends of the process."""
    return ToolExecutor(
        TaskPorts(
            worker=ports.worker,
            agents=ports.agents,
            tasks=store.tool_tasks,
            recovery=store.task_recovery,
            toolbox=_toolbox(store, in_place=True),
            dispatcher=ports.dispatcher,
            clock=ports.clock,
            marks=ports.marks,
            quarantine=executor.quarantine,
            max_attempts=ports.max_attempts,
        )
    )


def _toolbox(store: Store, *, in_place: bool = False) -> AgentToolbox:
    wakeups = StoredWakeups(store.timers, SystemClock())
    return AgentToolbox(in_place=in_place, runs=StoredRuns(store), wakeups=wakeups)


def _heartbeat(
    settings: Settings, locks: RedisSessionLocks, marks: Marks, executor: Executor, tools: ToolExecutor
) -> Heartbeat:
    loop = asyncio.get_running_loop()

    def on_dead() -> None:
        loop.call_soon_threadsafe(executor.abandon)
        loop.call_soon_threadsafe(tools.abandon)

    def on_held(sends: Sequence[Held], tasks: Sequence[HeldTask]) -> None:
        loop.call_soon_threadsafe(executor.reconcile, sends)
        loop.call_soon_threadsafe(tools.reconcile, tasks)

    return Heartbeat(
        worker=tools.ports.worker,
        leases=open_leases(settings.database_url),
        locks=locks,
        marks=marks,
        ttl=settings.lease_ttl,
        on_dead=on_dead,
        on_held=on_held,
    )
