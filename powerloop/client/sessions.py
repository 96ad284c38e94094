"""The verbs of sessions: begin, find, change, close, remove, read, follow."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from powerloop.client.publishing import published
from powerloop.client.verbs import Verbs
from powerloop.kernel.errors import SessionNotFound
from powerloop.kernel.ids import Seq, SessionId
from powerloop.kernel.messages import Message
from powerloop.kernel.policies import Policy
from powerloop.kernel.sessions import Session, SessionStatus


class SessionVerbs(Verbs):
    """What a producer does with sessions."""

    async def create_session(
        self,
        agent: str,
        *,
        id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        policy: Policy | str | None = None,
    ) -> Session:
        """Begin a conversation.

        Args:
            agent: The name of the agent that speaks in it.
            id: Its id, 1 to 200 characters; a UUIDv7 unless given.
            metadata: JSON to find it by.
            policy: What happens to a send that says nothing about it and finds the session busy, as `send`
                has it; what the agent says, unless given.

        Raises:
            AgentUnknown: workers have announced their agents, and none has that name.
            SessionExists: the id is taken.
            InvalidInput: the id is empty or too long, or there is no such policy.
        """
        return await self._producer.create_session(agent, id, metadata or {}, policy=policy)

    async def get_session(self, session_id: str) -> Session:
        """The session as it is now.

        Raises:
            SessionNotFound: there is none of that id.
        """
        session = await self._backend.store.sessions.find(SessionId(session_id))
        if session is None:
            raise SessionNotFound(session_id)
        return session

    async def list_sessions(
        self,
        *,
        agent: str | None = None,
        status: SessionStatus | None = None,
        metadata: Mapping[str, Any] | None = None,
        parent_id: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Sequence[Session]:
        """Sessions, latest first.

        Args:
            agent: Only those of this agent.
            status: Only those in this state.
            metadata: Only those whose metadata has all of these keys with these values.
            parent_id: Only those of sub-agents that this session started.
            before: The last session of the page before; the next page comes.
            limit: At most so many.
        """
        return await self._backend.store.sessions.list(
            agent=agent,
            status=status,
            metadata=metadata,
            parent_id=SessionId(parent_id) if parent_id else None,
            before=SessionId(before) if before else None,
            limit=limit,
        )

    async def update_session(self, session_id: str, *, metadata: Mapping[str, Any]) -> Session:
        """Replace the session's metadata.

        Raises:
            SessionNotFound: there is none of that id.
        """
        return await self._backend.store.sessions.update_metadata(SessionId(session_id), dict(metadata))

    async def close_session(self, session_id: str) -> Session:
        """Let the session take no more sends; those accepted still run. The sessions of its sub-agents are
        closed with it, but for those that are detached.

        Raises:
            SessionNotFound: there is none of that id.
        """
        return await self._backend.store.sessions.close(SessionId(session_id))

    async def pause_session(self, session_id: str) -> Session:
        """Start no send of the session until it is resumed. Sends are still accepted and wait; the one that
        runs goes on to its end, or until it waits for something or its worker hands it over or dies; a cancel
        still ends what it names.

        Its sub-agents have sessions of their own, and go on.

        Raises:
            SessionNotFound: there is none of that id.
        """
        return await self._backend.store.sessions.pause(SessionId(session_id))

    async def resume_session(self, session_id: str) -> Session:
        """Start sends of the session again.

        Raises:
            SessionNotFound: there is none of that id.
        """
        resumed = await self._backend.store.sessions.resume(SessionId(session_id))
        if resumed.ready:
            await published(self._backend.dispatcher, resumed.ready)
        return resumed.session

    async def delete_session(self, session_id: str) -> None:
        """Remove the session and everything in it, for good, and so the sessions of its sub-agents, but for
        those that are detached.

        Raises:
            SessionNotFound: there is none of that id.
            SessionBusy: it, or one of those, has sends that have not ended.
        """
        await self._backend.store.sessions.delete(SessionId(session_id))

    async def messages(self, session_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Message]:
        """The session's log in order.

        Args:
            session_id: The session.
            after: Only messages whose `seq` is higher.
            limit: At most so many.

        Raises:
            SessionNotFound: there is none of that id.
        """
        session = await self.get_session(session_id)
        return await self._backend.store.sessions.messages(session.id, after=Seq(after), limit=limit)

    async def follow(self, session_id: str, *, after: int = 0) -> AsyncIterator[Message]:
        """The session's log from `after` on, then each message as it is committed, without end.

        Raises:
            SessionNotFound: there is none of that id.
            BrokerUnavailable: the event stream does not answer.
        """
        session = await self.get_session(session_id)
        async for message in self._watcher.messages(session.id, Seq(after)):
            yield message
