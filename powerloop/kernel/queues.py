"""Queues: where rows that are ready wait for a worker, and the lanes of each."""

from typing import Final, NamedTuple, NewType

#: As the broker knows it.
QueueName = NewType("QueueName", str)

#: Sends that producers made.
SEND_QUEUE: Final = QueueName("powerloop.send")
#: Sends of sub-agents.
SUBAGENT_QUEUE: Final = QueueName("powerloop.subagent")
#: Sends of leaves of workflows.
LEAF_QUEUE: Final = QueueName("powerloop.leaf")
#: Runs of workflows that have something to take note of.
WORKFLOW_QUEUE: Final = QueueName("powerloop.workflow")
#: Timers that are due, and whose agents have hooks that are to be asked.
TIMER_QUEUE: Final = QueueName("powerloop.timer")
#: Calls of tools that ask for a queue and name none of their own.
TOOL_QUEUE: Final = QueueName("powerloop.tool")

#: Those of sends.
SEND_QUEUES: Final = (SEND_QUEUE, SUBAGENT_QUEUE, LEAF_QUEUE)

MAX_PRIORITY: Final = 9
PRIORITIES: Final = range(MAX_PRIORITY + 1)


class Lane(NamedTuple):
    """What is first in, first out: the messages of one priority on one queue."""

    queue: QueueName
    #: 0 to 9; higher goes first.
    priority: int


def lanes_of(*queues: QueueName) -> tuple[Lane, ...]:
    """Every lane of these queues."""
    return tuple(Lane(queue, priority) for queue in queues for priority in PRIORITIES)
