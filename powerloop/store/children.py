"""The sends of sub-agents: how they start, and what their end does to their parents.

The sessions of a tree are locked from the lower to the upper one, never the other way round. The send at the
root, which stands for the size of the tree, is locked after the sessions.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import CTE, and_, func, literal, or_, select, update

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Lineage, NewSend, Send, SendStatus
from powerloop.kernel.sessions import Lifecycle, SessionStatus
from powerloop.kernel.subagents import (
    child_send_id,
    delivery_of,
    full_note,
    is_told,
    outcome_at_start,
    outcome_of,
)
from powerloop.kernel.suspension import NewChild, Suspension
from powerloop.kernel.workflows import RunAdvance
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Run
from powerloop.store.inputs import checked_send, checked_session, send_name
from powerloop.store.portable.acceptance import accept_in
from powerloop.store.portable.locking import lock_session
from powerloop.store.portable.writing import add_session, end_calls
from powerloop.store.readiness import is_in
from powerloop.store.resolving import wake
from powerloop.store.rows import outcome_row, send_of
from powerloop.store.schema import sends, sessions, tool_calls
from powerloop.store.timer_closing import cancel_timers
from powerloop.store.workflow_ends import land

#: Whether a session ends with the one that started it.
IS_BOUND: Final = sessions.c.lifecycle.in_([one.value for one in Lifecycle if one.is_bound])

_parents = sends.alias("parents")
#: A value, not EXISTS: a planner would answer that by reading every sub-agent that ever was.
_PARENT_STATUS: Final = (
    select(_parents.c.status)
    .where(_parents.c.id == sends.c.parent_send_id)
    .correlate(sends)
    .scalar_subquery()
)
#: Each arm as the condition of a partial index says it. The first send of a session is always dispatched.
_IS_OPEN: Final = or_(
    is_in(SendStatus.RUNNING),
    is_in(SendStatus.WAITING),
    and_(is_in(SendStatus.QUEUED), sends.c.dispatched_at.is_not(None)),
)
#: Whether a sub-agent, joined with its session, is to end because its parent has, and nobody has said so.
IS_ORPHAN: Final = and_(
    _IS_OPEN,
    sends.c.lineage.is_not(None),
    sends.c.cancel_requested_at.is_(None),
    IS_BOUND,
    _PARENT_STATUS.in_((SendStatus.CANCELLED.value, SendStatus.FAILED.value)),
)


async def start_children(run: Run, send: Send, suspension: Suspension) -> tuple[Send, ...]:
    """Start the sub-agents that calls of the send ask for, as `Journal.suspend` says; their sends.

    One that was started before, by a suspension whose end nobody heard of, is not started again.
    """
    wanted = await _of_open_calls(run, send, suspension.children)
    if not wanted:
        return ()
    room = await _room(run, send.root_id, suspension.max_descendants)
    berths = await _berths(run, send, suspension.max_breadth)
    there = await _started_before(run, wanted)
    for child in wanted:
        if child.send_id not in there and room > 0 and berths > 0:
            there[child.send_id] = await _start(run, child)
            room, berths = room - 1, berths - 1
    note = full_note(suspension, is_tree_full=room <= 0)
    await _suspend_calls(run, send, wanted, there, note)
    started = [there[child.send_id] for child in wanted if child.send_id in there]
    return tuple(one for one in started if one.status is SendStatus.QUEUED)


async def tell_parent(run: Run, child: Send) -> Send | RunAdvance | None:
    """Take the result of a sub-agent that has just ended to its parent, as `Journal.finish` says.

    Returns what is to be published: the parent's send if it waits for nothing more, or the send that takes
    the result there if it is the head of its session. The end of a leaf of a workflow
    is told to its run. A send that a producer made has nobody to tell.
    """
    lineage = child.lineage
    if lineage is None:
        return None
    if lineage.leaf is not None:
        return await land(run, child, lineage)
    await _close_ephemeral(run, child.session_id)
    session = await lock_session(run, lineage.session_id)
    parent = await _find(run, lineage.send_id)
    if session is None or parent is None or not is_told(parent, child, lineage):
        return None
    if lineage.awaited:
        await _end_wait(run, outcome_of(child, lineage), lineage)
        woken = await wake(run, [parent.id])
        return woken[0] if woken else None
    if session.status is SessionStatus.CLOSED:
        return None
    accepted = await accept_in(run, session, checked_send(delivery_of(child, lineage)))
    return accepted.send if accepted.is_head else None


async def bound_to(run: Run, send_id: SendId) -> Sequence[Send]:
    """As `Sends.bound_to`."""
    below = _bound_below(send_name(send_id))
    query = SENDS.join(below, below.c.id == sends.c.id).where(sends.c.ended_at.is_(None))
    rows = await run(query.order_by(below.c.level, sends.c.id))
    return [send_of(row) for row in rows]


async def _of_open_calls(run: Run, send: Send, children: Sequence[NewChild]) -> Sequence[NewChild]:
    """Those whose calls have not ended meanwhile."""
    if not children:
        return ()
    its_open = (tool_calls.c.send_id == send.id, tool_calls.c.ended_at.is_(None))
    still_open = {row["id"] for row in await run(select(tool_calls.c.id).where(*its_open))}
    return [child for child in children if clean_text(child.call_id) in still_open]


async def _room(run: Run, root_id: SendId, limit: int) -> int:
    """How many sub-agents more the tree may have. It does not grow until the end of the transaction."""
    await run(select(sends.c.id).where(sends.c.id == root_id).with_for_update(key_share=True))
    # A leaf of a workflow is the root of its own tree.
    below = (sends.c.root_id == root_id, sends.c.id != root_id)
    # Counted in a statement of its own: its snapshot is taken under the lock.
    rows = await run(select(func.count().label("size")).select_from(sends).where(*below))
    return limit - int(rows[0]["size"])


async def _berths(run: Run, send: Send, limit: int | None) -> float:
    """How many sub-agents more the round may have: others of it may have been started before."""
    if limit is None:
        return math.inf
    its = tool_calls.c.send_id == send.id
    last = select(func.max(tool_calls.c.round)).where(its).scalar_subquery()
    calls = await run(select(tool_calls.c.id).where(its, tool_calls.c.round == last))
    ids = [child_send_id(send.id, row["id"]) for row in calls]
    return limit - len(await run(select(sends.c.id).where(sends.c.id.in_(ids))))


async def _started_before(run: Run, wanted: Sequence[NewChild]) -> dict[SendId, Send]:
    rows = await run(SENDS.where(sends.c.id.in_([child.send_id for child in wanted])))
    return {row["id"]: send_of(row) for row in rows}


async def _start(run: Run, child: NewChild) -> Send:
    session = await add_session(run, checked_session(child.session))
    new = NewSend(
        id=child.send_id,
        session_id=session.id,
        content=child.content,
        policy=Policy.ENQUEUE,
        priority=child.priority,
        metadata=child.metadata,
    )
    return (await accept_in(run, session, checked_send(new), child.lineage)).send


async def _suspend_calls(
    run: Run, send: Send, wanted: Sequence[NewChild], there: Mapping[SendId, Send], note: str
) -> None:
    """Have the calls wait for their sub-agents; those end that have nothing to wait for."""
    outcomes = [(child, outcome_at_start(child, there.get(child.send_id), note)) for child in wanted]
    await end_calls(run, send.id, [outcome for _, outcome in outcomes if outcome])
    waiting = [clean_text(child.call_id) for child, outcome in outcomes if outcome is None]
    its = update(tool_calls).where(tool_calls.c.send_id == send.id, tool_calls.c.id.in_(waiting))
    await run(its.values(status=CallStatus.WAITING.value))


async def _close_ephemeral(run: Run, session_id: SessionId) -> None:
    ephemeral = (sessions.c.id == session_id, sessions.c.lifecycle == Lifecycle.EPHEMERAL.value)
    closed = update(sessions).where(*ephemeral).values(status=SessionStatus.CLOSED.value, updated_at=now())
    if await run(closed.returning(sessions.c.id)):
        await cancel_timers(run, [session_id])


async def _find(run: Run, send_id: SendId) -> Send | None:
    rows = await run(SENDS.where(sends.c.id == send_id))
    return send_of(rows[0]) if rows else None


async def _end_wait(run: Run, outcome: ToolOutcome, lineage: Lineage) -> None:
    """End the call of the parent, if it waits."""
    values = outcome_row(outcome)
    call = (tool_calls.c.send_id == lineage.send_id, tool_calls.c.id == values.pop("id"))
    waits = update(tool_calls).where(*call, tool_calls.c.status == CallStatus.WAITING.value)
    await run(waits.values(ended_at=now(), **values))


def _bound_below(send_id: SendId) -> CTE:
    """The ids of the sends below this one that are bound to it, and how far below they are."""
    its_session = sessions.c.id == sends.c.session_id
    first = select(sends.c.id, literal(1).label("level")).join(sessions, its_session)
    below = first.where(sends.c.parent_send_id == send_id, IS_BOUND).cte("below", recursive=True)
    tree = below.join(sends, sends.c.parent_send_id == below.c.id).join(sessions, its_session)
    return below.union_all(select(sends.c.id, below.c.level + 1).select_from(tree).where(IS_BOUND))
