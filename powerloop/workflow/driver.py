"""Driving runs: take note of what has happened to one, publish what follows, let go of what is unwanted."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from powerloop.kernel.crash_points import CrashPoint, passing
from powerloop.kernel.dispatch import Activation, Kind, activation_of, run_of
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ids import RunId, SendId
from powerloop.kernel.planning import Planner
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.workflows import Workflows
from powerloop.kernel.queues import Lane, QueueName
from powerloop.kernel.workflows import UNWANTED

logger = logging.getLogger("powerloop.workflow")

#: Ends that are asked for at once.
_AT_ONCE: Final = 8
#: Steps of a run that may fail in a row.
_PATIENCE: Final = 3


class RunDriver:
    """Moves runs on, any number at once, each by one step at a time.

    What happens to a run while a step of it is taken here is left to the next step: hundreds of leaves that
    end together cost few of them.

    Args:
        workflows: The runs.
        planner: Decides what follows.
        dispatcher: Publishes it.
        ask_for_end: Asks for the end of a send, for a reason.
    """

    def __init__(
        self,
        workflows: Workflows,
        planner: Planner,
        dispatcher: Dispatcher,
        ask_for_end: Callable[[SendId, str], Awaitable[object]],
    ) -> None:
        self._workflows = workflows
        self._planner = planner
        self._dispatcher = dispatcher
        self._ask_for_end = ask_for_end
        #: The runs that are moved on here; whether something has happened to them since.
        self._again: dict[RunId, bool] = {}
        #: How often in a row a step of a run has failed on a defect here.
        self._defects: Counter[RunId] = Counter()

    async def advance(self, run_id: RunId) -> None:
        """Move the run on as far as it goes now. Safe to call for any id, any number of times.

        Raises:
            StoreUnavailable: the database does not answer; the sweeper has it done later.
        """
        if run_id in self._again:
            self._again[run_id] = True
            return
        self._again[run_id] = True
        try:
            while self._again[run_id]:
                self._again[run_id] = False
                if await self._step(run_id):
                    self._again[run_id] = True
        finally:
            del self._again[run_id]

    async def move_on(self, run_id: RunId) -> None:
        """`advance`. Whatever goes wrong, the rows are there, and the sweeper tries again; a run that fails
        on a defect time and again is cancelled, rather than hang."""
        try:
            await self.advance(run_id)
        except StoreUnavailable as error:
            logger.warning("run not moved on", extra={"run_id": run_id, "error": str(error)})
        except Exception as error:
            logger.exception("run not moved on", extra={"run_id": run_id})
            await self._failed(run_id, f"internal: {type(error).__name__}: {error}")
        else:
            self._defects.pop(run_id, None)

    async def _failed(self, run_id: RunId, reason: str) -> None:
        """Count the defect; end the run if there were too many."""
        self._defects[run_id] += 1
        if self._defects[run_id] < _PATIENCE:
            return
        del self._defects[run_id]
        try:
            if run := await self._workflows.find(run_id):
                await self._ask_for_end(run.send_id, reason)
        except StoreUnavailable as error:
            logger.warning("run not ended", extra={"run_id": run_id, "error": str(error)})

    async def _step(self, run_id: RunId) -> bool:
        """Take one step; whether another is to be tried."""
        passing(CrashPoint.BEFORE_ADVANCE)
        advanced = await self._workflows.advance(run_id, self._planner)
        passing(CrashPoint.AFTER_ADVANCE)
        await self._dispatcher.publish([activation_of(one) for one in advanced.ready])
        passing(CrashPoint.AFTER_ADVANCE_PUBLISH)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def let_go(send_id: SendId) -> None:
            async with gate:
                await self._ask_for_end(send_id, UNWANTED)

        await asyncio.gather(*map(let_go, advanced.unwanted))
        return advanced.again


class DrivingDispatcher:
    """A dispatcher that moves runs on at once, in this process, and publishes all else.

    Args:
        dispatcher: Publishes.
        driver: Moves runs on.
    """

    def __init__(self, dispatcher: Dispatcher, driver: RunDriver) -> None:
        self._dispatcher = dispatcher
        self._driver = driver

    async def publish(self, activations: Sequence[Activation]) -> bool:
        others = [one for one in activations if one.kind is not Kind.WORKFLOW]
        published = await self._dispatcher.publish(others)
        for one in activations:
            if one.kind is Kind.WORKFLOW:
                await self._driver.move_on(run_of(one.id))
        return published

    async def backlog(self, queues: Collection[QueueName]) -> Mapping[Lane, int] | None:
        return await self._dispatcher.backlog(queues)

    async def close(self) -> None:
        await self._dispatcher.close()
