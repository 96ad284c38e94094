"""Timers of the local backend: they are fired, and their hooks asked, in this process."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from powerloop.kernel.agents import AgentRegistry
from powerloop.kernel.clock import Clock
from powerloop.kernel.dispatch import Activation, Kind, timer_of_message
from powerloop.kernel.ids import TimerId
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.store import Store
from powerloop.kernel.queues import Lane, QueueName
from powerloop.kernel.sends import Send
from powerloop.kernel.timer_asking import TimerAsker
from powerloop.kernel.timer_loop import TimerLoop, TimerPorts
from powerloop.kernel.upkeep import Upkeep, UpkeepPolicy
from powerloop.timetable import CronTimetable


class LocalTimers:
    """Fires the timers of a store in this process, and removes what is kept no longer.

    Args:
        store: Where the timers are.
        agents: Whose hooks are asked.
        dispatcher: Publishes the sends that timers make.
        clock: What tells how to wait.
        tell_end: Tells whoever runs a send that it is asked to end.
        policy: How long things are kept.
    """

    def __init__(
        self,
        store: Store,
        agents: AgentRegistry,
        dispatcher: Dispatcher,
        clock: Clock,
        tell_end: Callable[[Send], Awaitable[object]],
        policy: UpkeepPolicy,
    ) -> None:
        self._upkeep = Upkeep(store.retention, clock, policy)
        timetable = CronTimetable()
        asker = TimerAsker(
            timers=store.timers,
            sessions=store.sessions,
            agents=agents,
            timetable=timetable,
            dispatcher=dispatcher,
            tell_end=tell_end,
        )
        self._asking = AskingDispatcher(dispatcher, asker.ask)
        self._loop = TimerLoop(
            TimerPorts(
                timers=store.timers,
                beats=store.beats,
                recovery=store.recovery,
                timetable=timetable,
                dispatcher=self._asking,
                clock=clock,
                tell_end=tell_end,
                # Another process may have the file open, and other agents.
                agents=frozenset(agent.name for agent in agents),
            )
        )
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Fire, and keep house, in the background from now on."""
        self._running = [asyncio.create_task(one) for one in (self._loop.run(), self._upkeep.run())]

    async def stop(self) -> None:
        """Fire no more."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._asking.stop()


class AskingDispatcher:
    """A dispatcher that asks about timers in this process, and publishes all else.

    Args:
        dispatcher: Publishes.
        ask: Asks about a timer. It takes its time, in the background.
    """

    def __init__(self, dispatcher: Dispatcher, ask: Callable[[TimerId], Awaitable[None]]) -> None:
        self._dispatcher = dispatcher
        self._ask = ask
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(self, activations: Sequence[Activation]) -> bool:
        for one in activations:
            if one.kind is Kind.TIMER:
                task = asyncio.create_task(self._asked(timer_of_message(one.id)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return await self._dispatcher.publish([one for one in activations if one.kind is not Kind.TIMER])

    async def backlog(self, queues: Collection[QueueName]) -> Mapping[Lane, int] | None:
        return await self._dispatcher.backlog(queues)

    async def stop(self) -> None:
        """Give up what is being asked: it is asked again by the next process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        await self._dispatcher.close()

    async def _asked(self, timer_id: TimerId) -> None:
        await self._ask(timer_id)
