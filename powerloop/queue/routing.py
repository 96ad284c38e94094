"""The names of tasks and queues, and the place of a message among others.

Any trusted Celery client enqueues with one message, in any language::

    app.send_task("powerloop.enqueue", kwargs={"session_id": …, "input": …}, queue="powerloop.enqueue")

Without `queue` a client uses its own default queue, ``celery``, which workers consume as well, as long as
nobody else's messages are in it: the first one that is not for us is put back, and the queue is left to its
owner. Queues bear no key prefix, so that a client that knows nothing but the broker's URL reaches them.

Our priorities, 0 (default) to 9, run higher first, as in AMQP. Celery's Redis transport runs lower first and
has four lists per queue, so there our priorities are turned around and fall in four steps: 0, 1-3, 4-6, 7-9.
What a client publishes to ``powerloop.enqueue`` bears its own priority, and is accepted in that order.
"""

from bisect import bisect
from collections.abc import Sequence
from typing import Final

from kombu.transport.redis import PRIORITY_STEPS, Channel

from powerloop.kernel.dispatch import Kind
from powerloop.kernel.queues import MAX_PRIORITY, SEND_QUEUES, TIMER_QUEUE, WORKFLOW_QUEUE

#: What the names of all our tasks begin with.
TASK_PREFIX: Final = "powerloop."

#: One send is driven on; the argument is the send's id, which is the message's id too.
SEND_TASK: Final = f"{TASK_PREFIX}{Kind.SEND}"

#: The same for the send of a sub-agent: it is seen, routed and scaled apart.
SUBAGENT_TASK: Final = f"{TASK_PREFIX}{Kind.SUBAGENT}"

#: One call of a tool that has a queue of its own; the argument is the id of the tool task.
TOOL_TASK: Final = f"{TASK_PREFIX}{Kind.TOOL}"

#: The same for the send of a leaf of a workflow.
LEAF_TASK: Final = f"{TASK_PREFIX}{Kind.LEAF}"

#: A run of a workflow takes note of what has happened; the argument is the id of the message, or of the run.
WORKFLOW_TASK: Final = f"{TASK_PREFIX}{Kind.WORKFLOW}"

#: Hooks are asked about a timer that is due; the argument is the id of the message.
TIMER_TASK: Final = f"{TASK_PREFIX}{Kind.TIMER}"

#: A producer without a database hands in a send, as keyword arguments.
ENQUEUE_TASK: Final = "powerloop.enqueue"
ENQUEUE_QUEUE: Final = ENQUEUE_TASK

#: Where clients publish that name no queue.
CLIENT_QUEUE: Final = "celery"

#: What workers consume, beside the queues of tools.
OUR_QUEUES: Final = (*SEND_QUEUES, WORKFLOW_QUEUE, TIMER_QUEUE, ENQUEUE_QUEUE, CLIENT_QUEUE)


def redis_priority(priority: int) -> int:
    """Our priority as Celery's Redis transport has it: 0 first."""
    return MAX_PRIORITY - min(max(priority, 0), MAX_PRIORITY)


def redis_list(queue: str, priority: int) -> str:
    """The list that holds the queue's messages of this priority, ours."""
    step = PRIORITY_STEPS[bisect(PRIORITY_STEPS, redis_priority(priority)) - 1]
    return f"{queue}{Channel.sep}{step}" if step else queue


def redis_lists(queue: str) -> Sequence[str]:
    """All lists of the queue, in the order in which workers empty them."""
    return [f"{queue}{Channel.sep}{step}" if step else queue for step in PRIORITY_STEPS]
