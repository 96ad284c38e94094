"""Conditions and values of sends that become ready for a worker, on any database."""

from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, literal

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.sends import SendStatus
from powerloop.store.columns import now
from powerloop.store.schema import lane_marks, sends, tool_calls

#: Whether a call waits for something outside.
IS_OPEN_WAIT: Final = tool_calls.c.status.in_((CallStatus.WAITING.value, CallStatus.IN_DOUBT.value))
#: Whether some call of the send does.
SOME_CALL_WAITS: Final = exists().where(tool_calls.c.send_id == sends.c.id, IS_OPEN_WAIT).correlate(sends)
#: Whether a mark is of the lane of the send.
ITS_LANE: Final = and_(lane_marks.c.queue == sends.c.queue, lane_marks.c.priority == sends.c.priority)


def is_in(status: SendStatus) -> ColumnElement[bool]:
    """Whether a send is in this state, as the conditions of the partial indexes say it.

    The state is written into the statement: a plan that does not know it cannot use them.
    """
    return sends.c.status == literal(status.value, literal_execute=True)


def readied() -> dict[str, Any]:
    """The values of a send that becomes queued, and is dispatched now."""
    return {
        "status": SendStatus.QUEUED.value,
        "owner": None,
        "dispatched_at": now(),
        "dispatches": sends.c.dispatches + 1,
    }
