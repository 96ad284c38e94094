"""What the end of a question does to the call and the send that wait for it. The session's row is locked."""

from collections.abc import Collection, Sequence

from sqlalchemy import update

from powerloop.kernel.ids import SendId
from powerloop.kernel.interactions import Interaction, Resolution
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.sends import Send, SendStatus
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Run
from powerloop.store.encoding import cleaned
from powerloop.store.readiness import IS_OPEN_WAIT, SOME_CALL_WAITS, is_in, readied
from powerloop.store.rows import send_of
from powerloop.store.schema import sends, tool_calls


async def resolve_call(run: Run, asked: Interaction, resolution: Resolution) -> None:
    """Have the call end, or wait to be run; one that waits no more stays as it is."""
    call = update(tool_calls).where(
        tool_calls.c.send_id == asked.send_id, tool_calls.c.id == asked.call_id, IS_OPEN_WAIT
    )
    if resolution.text is None:
        changed = {} if resolution.arguments is None else {"arguments": cleaned(resolution.arguments)}
        await run(call.values(status=resolution.status.value, started_at=None, approved=True, **changed))
    else:
        text = clean_text(resolution.text)
        await run(call.values(status=resolution.status.value, result=text, ended_at=now()))


async def wake(run: Run, send_ids: Collection[SendId]) -> Sequence[Send]:
    """waiting → queued, for those of the sends no call of which waits any more."""
    waiting = update(sends).where(sends.c.id.in_(send_ids), is_in(SendStatus.WAITING), ~SOME_CALL_WAITS)
    woken = [row["id"] for row in await run(waiting.values(readied()).returning(sends.c.id))]
    if not woken:
        return ()
    rows = await run(SENDS.where(sends.c.id.in_(woken)).order_by(sends.c.dispatched_at, sends.c.id))
    return [send_of(row) for row in rows]
