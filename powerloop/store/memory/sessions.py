"""Sessions and their logs, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from powerloop.kernel.errors import SessionBusy, SessionExists, SessionNotFound
from powerloop.kernel.ids import Seq, SessionId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.messages import Message
from powerloop.kernel.ports.store import Resumed
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.sessions import NewSession, Session, SessionStatus, new_session
from powerloop.store.encoding import cleaned
from powerloop.store.inputs import checked_session, session_name
from powerloop.store.matching import has_metadata
from powerloop.store.memory.state import State
from powerloop.store.memory.timer_closing import cancel_timers


class MemorySessions:
    """The `Sessions` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def create(self, new: NewSession) -> Session:
        new = checked_session(new)
        if new.id in self._state.sessions:
            raise SessionExists(new.id)
        return add_session(self._state, new)

    async def ensure(self, new: NewSession) -> Session:
        return self._state.sessions.get(checked_session(new).id) or await self.create(new)

    async def find(self, session_id: SessionId) -> Session | None:
        return self._state.sessions.get(session_name(session_id))

    async def list(
        self,
        *,
        agent: str | None = None,
        status: SessionStatus | None = None,
        metadata: JSONObject | None = None,
        parent_id: SessionId | None = None,
        before: SessionId | None = None,
        limit: int = 100,
    ) -> Sequence[Session]:
        found = sorted(self._state.sessions.values(), key=_age, reverse=True)
        if before is not None:
            edge = self._state.sessions.get(session_name(before))
            found = [s for s in found if edge is not None and _age(s) < _age(edge)]
        wanted = cleaned(metadata or {})
        return [
            session
            for session in found
            if agent in (None, session.agent)
            and status in (None, session.status)
            and (parent_id is None or _parent_of(session) == session_name(parent_id))
            and has_metadata(session.metadata, wanted)
        ][: max(limit, 0)]

    async def update_metadata(self, session_id: SessionId, metadata: JSONObject) -> Session:
        session = self._get(session_id)
        session = replace(session, metadata=cleaned(metadata), updated_at=self._state.clock.now())
        self._state.sessions[session.id] = session
        return session

    async def close(self, session_id: SessionId) -> Session:
        for session in self.with_bound(session_id):
            if session.status is SessionStatus.OPEN:
                now = self._state.clock.now()
                self._state.sessions[session.id] = replace(
                    session, status=SessionStatus.CLOSED, updated_at=now
                )
            cancel_timers(self._state, session.id)
        return self._get(session_id)

    async def pause(self, session_id: SessionId) -> Session:
        session = self._get(session_id)
        if session.paused_at is None:
            now = self._state.clock.now()
            session = replace(session, paused_at=now, updated_at=now)
            self._state.sessions[session.id] = session
        return session

    async def resume(self, session_id: SessionId) -> Resumed:
        session = self._get(session_id)
        if session.paused_at is None:
            return Resumed(session=session, ready=None)
        session = replace(session, paused_at=None, updated_at=self._state.clock.now())
        self._state.sessions[session.id] = session
        head = self._state.head(session)
        waits = head is not None and head.status is SendStatus.QUEUED
        return Resumed(session=session, ready=head if waits else None)

    async def delete(self, session_id: SessionId) -> None:
        doomed = self.with_bound(session_id)
        if busy := [session for session in doomed if session.pending]:
            raise SessionBusy(busy[0].id)
        for session in doomed:
            self._remove(session)

    async def messages(
        self, session_id: SessionId, *, after: Seq = Seq(0), limit: int = 1000
    ) -> Sequence[Message]:
        log = self._state.messages.get(session_name(session_id), [])
        return [message for message in log if message.seq > after][: max(limit, 0)]

    def with_bound(self, session_id: SessionId) -> Sequence[Session]:
        """The session, and those of sub-agents that are bound to it."""
        found = [self._get(session_id)]
        for session in found:
            found += [
                one
                for one in self._state.sessions.values()
                if one.origin and one.origin.parent_id == session.id and one.origin.lifecycle.is_bound
            ]
        return found

    def _remove(self, session: Session) -> None:
        gone = self._state.queues.pop(session.id, [])
        for send_id in gone:
            send = self._state.sends.pop(send_id)
            self._state.keys.pop((session.id, send.idempotency_key or ""), None)
            self._state.calls.pop(send_id, None)
            self._state.dispatches.pop(send_id, None)
            self._state.accounts.pop(send_id, None)
            self._state.reservations.pop(send_id, None)
            self._state.deadlines.pop(send_id, None)
            self._state.rolled_back.discard(send_id)
        self._state.ledger[:] = [row for row in self._state.ledger if row.send_id not in set(gone)]
        for question in [one for one in self._state.interactions.values() if one.session_id == session.id]:
            del self._state.interactions[question.id]
        for task in [one for one in self._state.tasks.values() if one.session_id == session.id]:
            del self._state.tasks[task.id]
        for timer in [one for one in self._state.timers.values() if one.session_id == session.id]:
            del self._state.timers[timer.id]
            self._state.firings.pop(timer.id, None)
        self._state.messages.pop(session.id, None)
        del self._state.sessions[session.id]

    def _get(self, session_id: SessionId) -> Session:
        session = self._state.sessions.get(session_name(session_id))
        if session is None:
            raise SessionNotFound(session_id)
        return session


def add_session(state: State, new: NewSession) -> Session:
    """Write a new session, as `checked_session` returns it: open, and empty."""
    session = state.sessions[new.id] = new_session(new, state.clock.now())
    return session


def _parent_of(session: Session) -> SessionId | None:
    return session.origin.parent_id if session.origin else None


def _age(session: Session) -> tuple[object, str]:
    return session.created_at, session.id
