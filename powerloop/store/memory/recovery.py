"""Sends that nobody drives, in memory."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from powerloop.kernel.ports.lease import Held
from powerloop.kernel.queues import Lane
from powerloop.kernel.sends import CancelRequest, Send, SendStatus
from powerloop.kernel.subagents import PARENT_ENDED
from powerloop.store.memory.budgets import is_out_of_time
from powerloop.store.memory.children import is_orphan
from powerloop.store.memory.interactions import expire_questions
from powerloop.store.memory.state import State, waits
from powerloop.store.memory.waiting import rouse

#: The most often that a dispatch in vain doubles the patience with the next one.
_DOUBLINGS = 6


class MemoryRecovery:
    """The `Recovery` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def reclaim(self, limit: int) -> Sequence[Send]:
        return self._make_ready(
            lambda send: send.status is SendStatus.RUNNING and not self._state.is_alive(send.owner), limit
        )

    async def overtaken(self, margin: timedelta, limit: int) -> Sequence[Send]:
        def behind(send: Send) -> bool:
            mark = self._state.marks.get(send.lane)
            return mark is not None and send.dispatched_at is not None and send.dispatched_at < mark - margin

        return self._make_ready(lambda send: self._is_ready(send) and behind(send), limit)

    async def overdue(self, age: timedelta, lanes: Collection[Lane], limit: int) -> Sequence[Send]:
        now = self._state.clock.now()

        def late(send: Send) -> bool:
            in_vain = min(self._state.dispatches[send.id] - 1, _DOUBLINGS)
            return send.dispatched_at is not None and send.dispatched_at < now - age * 2**in_vain

        return self._make_ready(
            lambda send: self._is_ready(send) and send.lane in lanes and late(send), limit
        )

    async def resume(self, limit: int) -> Sequence[Send]:
        def free(send: Send) -> bool:
            calls = self._state.calls.get(send.id, {}).values()
            out_of_time = is_out_of_time(self._state, send)
            return send.cancel is not None or out_of_time or not any(map(waits, calls))

        return self._make_ready(lambda send: send.status is SendStatus.WAITING and free(send), limit)

    async def expire(self, limit: int) -> Sequence[Send]:
        return expire_questions(self._state, limit)

    async def rouse(self, limit: int) -> Sequence[Send]:
        return rouse(self._state, limit)

    async def cancel_orphans(self, limit: int) -> Sequence[Send]:
        orphans = [send for send in self._state.sends.values() if is_orphan(self._state, send)][:limit]
        request = CancelRequest(reason=PARENT_ENDED, actor="", at=self._state.clock.now())
        self._state.sends.update((send.id, replace(send, cancel=request)) for send in orphans)
        ids = {send.id for send in orphans if send.status is not SendStatus.RUNNING}
        return self._make_ready(lambda send: send.id in ids, len(ids))

    async def advance(self, limit: int) -> Sequence[Send]:
        del limit  # no step of this store can be left half done
        return ()

    async def give_back(self, held: Sequence[Held]) -> Sequence[Send]:
        claims = {(one.send_id, one.epoch) for one in held}
        return self._make_ready(
            lambda send: send.status is SendStatus.RUNNING and (send.id, send.epoch) in claims, len(claims)
        )

    async def forget_leases(self, age: timedelta) -> int:
        edge = self._state.clock.now() - age
        gone = [worker for worker, expires_at in self._state.leases.items() if expires_at < edge]
        for worker in gone:
            del self._state.leases[worker]
        return len(gone)

    async def forget_cancels(self, age: timedelta) -> int:
        edge = self._state.clock.now() - age
        gone = [send_id for send_id, request in self._state.early_cancels.items() if request.at < edge]
        for send_id in gone:
            del self._state.early_cancels[send_id]
        return len(gone)

    def _is_ready(self, send: Send) -> bool:
        session = self._state.sessions[send.session_id]
        may_run = session.paused_at is None or send.cancel is not None
        return send.status is SendStatus.QUEUED and session.finished == send.position - 1 and may_run

    def _make_ready(self, lost: Callable[[Send], bool], limit: int) -> Sequence[Send]:
        found = [send for send in self._state.sends.values() if lost(send)][:limit]
        return [self._state.make_ready(send, status=SendStatus.QUEUED, owner=None) for send in found]
