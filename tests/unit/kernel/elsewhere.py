"""Who serves the queues that tools have of their own, for tests of the executor of tool tasks."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import Effect, ToolCall
from powerloop.kernel.clock import SystemClock
from powerloop.kernel.dispatch import Kind
from powerloop.kernel.driving import Outcome
from powerloop.kernel.ids import TaskId, WorkerId
from powerloop.kernel.quarantine import Quarantine
from powerloop.kernel.queues import QueueName
from powerloop.kernel.tool_executor import TaskPorts, ToolExecutor

BROWSER = QueueName("browser")
RUNNER = WorkerId("runner-1")


@dataclass
class Elsewhere:
    """Who serves the queue: an executor of tool tasks, with functions of its own."""

    house: Any
    toolbox: Any
    worker: WorkerId = RUNNER
    executor: ToolExecutor = field(init=False)

    def __post_init__(self) -> None:
        store = self.house.store
        self.executor = ToolExecutor(
            TaskPorts(
                worker=self.worker,
                agents=self.house.agents,
                tasks=store.tool_tasks,
                recovery=store.task_recovery,
                toolbox=self.toolbox,
                dispatcher=self.house.recorder,
                clock=SystemClock(),
                marks=self.house.marks,
                quarantine=Quarantine(3),
                max_attempts=3,
            )
        )

    def alive(self) -> "Elsewhere":
        self.house.leases.renew(self.worker, self.house.long)
        return self


def tools(script):
    return (
        script.tool("browse"),
        script.tool("find"),
        script.tool("pay", Effect.ONCE, concurrent=False),
        script.tool("post", Effect.ONCE),
    )


def build(house, script, agent: Agent):
    here = house(agent)
    here.long = timedelta(minutes=5)
    here.toolbox.functions["find"] = script.returns("A-17")
    here.toolbox.queues = dict.fromkeys(("browse", "pay", "post"), BROWSER)
    return here


def serve(here, worker=RUNNER):
    toolbox = type(here.toolbox)()
    toolbox.functions.update(
        browse=says("seen"), pay=says("paid"), post=says("posted"), find=says("never here")
    )
    return Elsewhere(here, toolbox, worker).alive()


def says(text):
    async def function(call: ToolCall) -> str:
        return text

    return function


async def queued(here, script, *calls):
    """The send, waiting; and the ids of the tool tasks that were published."""
    here.model.answers = [script.asks(*calls), script.says("Done.")]
    send_id = await here.accept()
    assert await here.executor().drive(send_id) is Outcome.WAITING
    return send_id, published(here)


def published(here):
    tasks = [TaskId(one.id) for one in here.recorder.published if one.kind is Kind.TOOL]
    here.recorder.published.clear()
    return tasks


async def call_of(here, send_id):
    return (await here.store.journal.load_calls(send_id))[0]


async def die_in(here, elsewhere, task_id):
    """Claim the task, and be dead."""
    task = await here.store.tool_tasks.find(task_id)
    assert await here.store.tool_tasks.claim(task, elsewhere.worker)
    here.leases.release(elsewhere.worker)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)
