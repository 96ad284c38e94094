"""Accepting sends on any database."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert

from powerloop.kernel.codec import budget_to_json, content_to_json
from powerloop.kernel.errors import RowRefused
from powerloop.kernel.ids import SendId
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Accepted, Lineage, NewSend, Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.store.acceptance import SENDS, TAKEN, earlier_or_refused, find_earlier
from powerloop.store.admission import refusal
from powerloop.store.columns import now
from powerloop.store.database import Database, Run
from powerloop.store.double_texting import ends_head, policy_of, reason_of
from powerloop.store.heads import find_head
from powerloop.store.inputs import checked_send, send_name
from powerloop.store.portable.locking import lock_session
from powerloop.store.portable.writing import change_send, change_session
from powerloop.store.readiness import readied
from powerloop.store.rows import cancel_row, lineage_row, send_of
from powerloop.store.schema import TOKEN_COLUMNS, sends


class PortableAcceptance:
    """Accepts and finds sends."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, new: NewSend) -> Accepted:
        new = checked_send(new)
        try:
            async with self._database.transaction() as run:
                return await accept_in(run, await lock_session(run, new.session_id), new)
        except RowRefused as refused:
            # The id was taken in another session, which our lock does not cover.
            if refused.constraint not in TAKEN:
                raise
        return await earlier_or_refused(self._database.read, new)

    async def find(self, send_id: SendId) -> Send | None:
        rows = await self._database.read(SENDS.where(sends.c.id == send_name(send_id)))
        return send_of(rows[0]) if rows else None


async def accept_in(
    run: Run, session: Session | None, new: NewSend, lineage: Lineage | None = None
) -> Accepted:
    """Accept a send in a transaction that has its session locked; errors as `Sends.accept`.

    Args:
        run: Runs statements in the transaction.
        session: The session, as it stands under the lock.
        new: The send, as `checked_send` returns it.
        lineage: Where it comes from, if it is a sub-agent's.
    """
    if earlier := await find_earlier(run, new):
        return Accepted(send=earlier, created=False, is_head=False)
    if refused := refusal(session, new):
        raise refused
    assert session is not None
    position, is_head = session.accepted + 1, session.pending == 0
    policy = policy_of(session, new)
    interrupted = await _interrupt(run, session, new, policy) if ends_head(policy) else None
    steering = session.steering + (policy is Policy.STEER and not is_head)
    await change_session(run, session.id, accepted=position, steering=steering)
    row = new_send_row(new, policy, position, is_head=is_head)
    await run(insert(sends).values(row | lineage_row(lineage)))
    return Accepted(
        send=await _send(run, new.id),
        created=True,
        is_head=is_head,
        interrupted=interrupted,
        ready=interrupted if interrupted and interrupted.status is SendStatus.QUEUED else None,
    )


async def _interrupt(run: Run, session: Session, new: NewSend, policy: Policy) -> Send | None:
    """Ask for the end of the send that has started; that one, if there is one."""
    head = await find_head(run, session)
    if head is None or head.started_at is None or head.status.is_final:
        return None
    values: dict[str, object] = {"rolled_back": sends.c.rolled_back | (policy is Policy.ROLLBACK)}
    if head.cancel is None:
        values |= cancel_row(reason_of(policy, new.id), "", now())
    if head.status is not SendStatus.RUNNING:
        # Its transcript is to be closed, which takes a worker.
        values |= readied()
    await change_send(run, head.id, **values)
    return await _send(run, head.id)


async def _send(run: Run, send_id: SendId) -> Send:
    return send_of((await run(SENDS.where(sends.c.id == send_id)))[0])


def new_send_row(
    new: NewSend, policy: Policy, position: int, *, is_head: bool, at: datetime | None = None
) -> dict[str, Any]:
    """The columns of `sends` that a send fills as it is accepted, but for its lineage; `at`: when, if that is
    not what the database's clock says."""
    instant = at or now()
    return {
        "id": new.id,
        "session_id": new.session_id,
        "position": position,
        "status": SendStatus.QUEUED.value,
        "policy": policy.value,
        "content": content_to_json(new.content),
        "idempotency_key": new.idempotency_key,
        "priority": new.priority,
        "metadata": new.metadata,
        "attempt": 0,
        "strikes": 0,
        "dispatches": 1 if is_head else 0,
        "epoch": 0,
        "rounds": 0,
        **dict.fromkeys(TOKEN_COLUMNS, 0),
        "output": [],
        "created_at": instant,
        "dispatched_at": instant if is_head else None,
        **({"budget": budget_to_json(new.budget)} if new.budget else {}),
    }
