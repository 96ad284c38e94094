"""The executor's side of the store, on any database."""

from collections.abc import Sequence

from sqlalchemy import func, insert, or_, select, update

from powerloop.kernel.budgets import Reservation, Spending
from powerloop.kernel.calls import CallStatus, ToolCall
from powerloop.kernel.codec import content_to_json
from powerloop.kernel.ids import CallId, Epoch, SendId, Seq, SessionId, WorkerId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.limits import Budget
from powerloop.kernel.messages import Message, NewMessage, Role
from powerloop.kernel.planning import cut_short
from powerloop.kernel.ports.journal import Committed, Ending, Finished, Merged, ModelCommit, ResultsCommit
from powerloop.kernel.sends import Claim, Fence, Lineage, Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.kernel.suspension import Suspended, Suspension
from powerloop.store.acceptance import SENDS
from powerloop.store.advancing import advance
from powerloop.store.budgets import is_out_of_time, reserve, settle
from powerloop.store.children import tell_parent
from powerloop.store.columns import now
from powerloop.store.database import Database, Run
from powerloop.store.heads import find_head, is_head
from powerloop.store.inputs import cleaned_error, send_name, session_name
from powerloop.store.ledger import last_round, total_usage
from powerloop.store.portable.acceptance import PortableAcceptance
from powerloop.store.portable.locking import lock_fenced, lock_session
from powerloop.store.portable.writing import (
    append,
    bill,
    change_send,
    change_session,
    end_calls,
    more_usage,
    withdraw,
)
from powerloop.store.readiness import SOME_CALL_WAITS
from powerloop.store.rows import call_of, cancel_row, messages_of, new_call_row, send_of
from powerloop.store.schema import early_cancels, messages, sends, tool_calls, worker_leases
from powerloop.store.steering import merge
from powerloop.store.waiting import begin_waits, stop_tasks
from powerloop.store.workflow_ends import stop_runs


class PortableJournal:
    """The `Journal` port: one transaction for each method."""

    def __init__(self, database: Database, acceptance: PortableAcceptance) -> None:
        self._database = database
        self._acceptance = acceptance

    async def find_send(self, send_id: SendId) -> Send | None:
        return await self._acceptance.find(send_id)

    async def is_head(self, send: Send) -> bool:
        return await is_head(self._database, send)

    async def claim(self, send: Send, worker: WorkerId) -> Claim | None:
        async with self._database.transaction() as run:
            session = await lock_session(run, send.session_id)
            head = await find_head(run, session) if session else None
            if session is None or head is None or head.id != send.id or not await _is_free(run, head, worker):
                return None
            cancelled = await _early_cancel(run, head)
            ours = head.status is SendStatus.RUNNING and head.owner == worker
            if session.paused_at and not (ours or head.cancel or cancelled):
                return None
            epoch = Epoch(session.epoch + 1)
            # The first claim sets `started_at` for good: it tells if the input is in the log.
            inputs = () if head.started_at else (NewMessage(role=Role.USER, content=head.content),)
            seq = await append(run, session, head.id, epoch, inputs)
            await change_session(run, session.id, epoch=epoch, seq=seq)
            await change_send(
                run,
                head.id,
                status=SendStatus.RUNNING.value,
                owner=worker,
                attempt=head.attempt + 1,
                strikes=head.strikes if ours else head.strikes + 1,
                epoch=epoch,
                started_at=func.coalesce(sends.c.started_at, now()),
                input_seq=func.coalesce(sends.c.input_seq, seq),
                **cancelled,
            )
            claimed = await _send(run, head.id)
        fence = Fence(session_id=session.id, send_id=head.id, epoch=epoch)
        return Claim(send=claimed, fence=fence, seq=seq, steering=session.steering > 0)

    async def load_window(self, session_id: SessionId, send_id: SendId | None = None) -> Sequence[Message]:
        seen = or_(~sends.c.rolled_back, sends.c.id == send_id)
        its = messages.c.session_id == session_name(session_id)
        query = select(messages).join(sends, sends.c.id == messages.c.send_id).where(its, seen)
        return messages_of(await self._database.read(query.order_by(messages.c.seq)))

    async def load_calls(self, send_id: SendId) -> Sequence[ToolCall]:
        its = tool_calls.c.send_id == send_name(send_id)
        last = select(func.max(tool_calls.c.round)).where(its).scalar_subquery()
        query = select(tool_calls).where(its, tool_calls.c.round == last).order_by(tool_calls.c.call_index)
        return [call_of(row) for row in await self._database.read(query)]

    async def commit_model(self, fence: Fence, commit: ModelCommit) -> Committed:
        async with self._database.transaction() as run:
            session, send = await lock_fenced(run, fence)
            seq = await append(run, session, send.id, fence.epoch, (commit.message,))
            await change_session(run, session.id, seq=seq)
            usage = more_usage(send, total_usage(commit.entries))
            await change_send(run, send.id, rounds=commit.round, strikes=0, **usage)
            for call in commit.calls:
                await run(
                    insert(tool_calls).values(
                        send_id=send.id,
                        session_id=session.id,
                        round=commit.round,
                        status=CallStatus.PENDING.value,
                        epoch=fence.epoch,
                        created_at=now(),
                        **new_call_row(call),
                    )
                )
            await bill(run, send, commit.round, commit.entries)
            await settle(run, fence, commit.entries)
        return _committed(seq, session, send)

    async def reserve(self, fence: Fence, budget: Budget, wanted: Spending) -> Reservation:
        async with self._database.transaction() as run:
            _, send = await lock_fenced(run, fence)
            return await reserve(run, send, fence, budget, wanted)

    async def start_calls(self, fence: Fence, call_ids: Sequence[CallId]) -> None:
        async with self._database.transaction() as run:
            _, send = await lock_fenced(run, fence)
            pending = update(tool_calls).where(
                tool_calls.c.send_id == send.id,
                tool_calls.c.id.in_([clean_text(call_id) for call_id in call_ids]),
                tool_calls.c.status == CallStatus.PENDING.value,
            )
            await run(pending.values(status=CallStatus.RUNNING.value, started_at=now()))

    async def commit_results(self, fence: Fence, commit: ResultsCommit) -> Committed:
        async with self._database.transaction() as run:
            session, send = await lock_fenced(run, fence)
            added = (commit.message,) if commit.message else ()
            seq = await append(run, session, send.id, fence.epoch, added)
            await change_session(run, session.id, seq=seq)
            await change_send(run, send.id, strikes=0)
            await end_calls(run, send.id, commit.outcomes)
        return _committed(seq, session, send)

    async def suspend(self, fence: Fence, suspension: Suspension) -> Suspended:
        async with self._database.transaction() as run:
            _, send = await lock_fenced(run, fence)
            if send.cancel is not None:
                return Suspended(waiting=False, cancel_requested=True)
            if await is_out_of_time(run, fence):
                return Suspended(waiting=False, cancel_requested=False, out_of_time=True)
            started = await begin_waits(run, send, suspension)
            waiting = bool(await run(select(sends.c.id).where(sends.c.id == send.id, SOME_CALL_WAITS)))
            status = SendStatus.WAITING if waiting else SendStatus.RUNNING
            await change_send(run, send.id, status=status.value, strikes=0)
        return Suspended(waiting=waiting, cancel_requested=False, started=started)

    async def merge(self, fence: Fence) -> Merged:
        async with self._database.transaction() as run:
            session, send = await lock_fenced(run, fence)
            return await merge(run, session, send, fence)

    async def finish(self, fence: Fence, ending: Ending, lineage: Lineage | None = None) -> Finished:
        async with self._database.transaction() as run:
            session, send = await lock_fenced(run, fence)
            seq = await append(run, session, send.id, fence.epoch, ending.messages)
            await change_session(run, session.id, seq=seq)
            await _end(run, send, ending)
            await end_calls(run, send.id, ending.outcomes)
            await withdraw(run, send.id)
            await stop_tasks(run, send.id)
            await stop_runs(
                run, send.id, cut_short(ending.status, ending.stop_reason, cleaned_error(ending.error))
            )
            await bill(run, send, last_round(ending), ending.entries)
            next_head = await advance(run, session)
            parent = await tell_parent(run, await _send(run, send.id)) if lineage else None
            # After the parent's session was locked: no session is, once an account is.
            await settle(run, fence, ending.entries)
        return Finished(seq=seq, next_head=next_head, parent=parent)

    async def hand_over(self, fence: Fence) -> Send:
        async with self._database.transaction() as run:
            _, send = await lock_fenced(run, fence)
            queued = SendStatus.QUEUED.value
            await change_send(
                run,
                send.id,
                status=queued,
                attempt=send.attempt - 1,
                strikes=max(send.strikes - 1, 0),
                owner=None,
                dispatched_at=now(),
                dispatches=sends.c.dispatches + 1,
            )
            return await _send(run, send.id)


async def _send(run: Run, send_id: SendId) -> Send:
    return send_of((await run(SENDS.where(sends.c.id == send_id)))[0])


def _committed(seq: Seq, session: Session, send: Send) -> Committed:
    return Committed(seq=seq, cancel_requested=send.cancel is not None, steering=session.steering > 0)


async def _is_free(run: Run, head: Send, worker: WorkerId) -> bool:
    if head.status is not SendStatus.RUNNING:
        return head.status is SendStatus.QUEUED
    alive = select(worker_leases.c.id).where(
        worker_leases.c.id == head.owner, worker_leases.c.expires_at > now()
    )
    return head.owner == worker or not await run(alive)


async def _end(run: Run, send: Send, ending: Ending) -> None:
    error = cleaned_error(ending.error)
    await change_send(
        run,
        send.id,
        status=ending.status.value,
        stop_reason=ending.stop_reason and ending.stop_reason.value,
        error_code=error and error.code,
        error_message=error and error.message,
        output=content_to_json(ending.output),
        rounds=ending.rounds,
        ended_at=now(),
        **more_usage(send, total_usage(ending.entries)),
    )


async def _early_cancel(run: Run, send: Send) -> dict[str, object]:
    """The columns of a cancel that came before the send was accepted, if there was one."""
    if send.cancel:
        return {}
    rows = await run(select(early_cancels).where(early_cancels.c.send_id == send.id))
    return cancel_row(rows[0]["reason"], rows[0]["actor"], rows[0]["requested_at"]) if rows else {}
