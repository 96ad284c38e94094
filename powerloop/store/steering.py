"""Sends that steer: how they become part of one that runs."""

from collections.abc import Sequence

from sqlalchemy import exists, select, update

from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.journal import Merged
from powerloop.kernel.sends import Fence, Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Run
from powerloop.store.double_texting import merged_input
from powerloop.store.portable.writing import append, change_send, change_session
from powerloop.store.rows import send_of
from powerloop.store.schema import early_cancels, sends, tool_calls

#: One whose cancel came before it was accepted has its turn, and is cancelled then.
_IS_CANCELLED = exists().where(early_cancels.c.send_id == sends.c.id).correlate(sends)


async def merge(run: Run, session: Session, send: Send, fence: Fence) -> Merged:
    """Merge the sends behind this one that steer, as `Journal.merge` says.

    Nothing is written if the send has an open call, or if its end was asked for: what it would take in would
    never be answered.
    """
    cancel_requested = send.cancel is not None
    if cancel_requested or await _has_open_call(run, send):
        return Merged(seq=session.seq, messages=(), sends=(), cancel_requested=cancel_requested)
    steering = await _steering(run, session, send)
    inputs = tuple(map(merged_input, steering))
    seq = await append(run, session, send.id, fence.epoch, inputs)
    await change_session(run, session.id, seq=seq, steering=0)
    await change_send(run, send.id, strikes=0)
    merged = await _merged(run, steering)
    return Merged(seq=seq, messages=inputs, sends=merged, cancel_requested=False)


async def _has_open_call(run: Run, send: Send) -> bool:
    its_open = (tool_calls.c.send_id == send.id, tool_calls.c.ended_at.is_(None))
    return bool(await run(select(tool_calls.c.id).where(*its_open).limit(1)))


async def _steering(run: Run, session: Session, send: Send) -> Sequence[Send]:
    behind = (sends.c.session_id == session.id, sends.c.position > send.position)
    steers = (sends.c.status == SendStatus.QUEUED.value, sends.c.policy == Policy.STEER.value, ~_IS_CANCELLED)
    rows = await run(SENDS.where(*behind, *steers).order_by(sends.c.position))
    return [send_of(row) for row in rows]


async def _merged(run: Run, steering: Sequence[Send]) -> tuple[Send, ...]:
    """The sends, final now."""
    if not steering:
        return ()
    its = sends.c.id.in_([send.id for send in steering])
    await run(update(sends).where(its).values(status=SendStatus.MERGED.value, ended_at=now()))
    return tuple(send_of(row) for row in await run(SENDS.where(its).order_by(sends.c.position)))
