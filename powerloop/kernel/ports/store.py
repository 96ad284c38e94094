"""The store, as producers see it: sessions, sends and agents. One call is one transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from powerloop.kernel.agents import Agent
from powerloop.kernel.hooks.stages import Stage
from powerloop.kernel.ids import SendId, Seq, SessionId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.messages import Message
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.explain import Explaining
from powerloop.kernel.ports.interactions import Interactions
from powerloop.kernel.ports.journal import Journal
from powerloop.kernel.ports.recovery import Recovery
from powerloop.kernel.ports.retention import Retention
from powerloop.kernel.ports.timers import Beats, Timers
from powerloop.kernel.ports.tool_tasks import TaskRecovery, ToolTasks
from powerloop.kernel.ports.usage import UsageLedger
from powerloop.kernel.ports.workflow_specs import WorkflowSpecs
from powerloop.kernel.ports.workflows import WorkflowRecovery, Workflows
from powerloop.kernel.sends import Accepted, Cancellation, NewSend, Send, SendStatus
from powerloop.kernel.sessions import NewSession, Session, SessionStatus

#: Every method of every port of this file may raise `StoreUnavailable`; nothing was written then, unless the
#: connection broke off during the commit: repeating the call with the same ids is safe.


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A session that is paused no more."""

    session: Session
    #: Its head, if that waits for a worker: to be published.
    ready: Send | None


class Sessions(Protocol):
    """Conversations and their logs."""

    async def create(self, new: NewSession) -> Session:
        """Write a new, open session.

        Raises:
            SessionExists: the id is taken.
        """
        ...

    async def ensure(self, new: NewSession) -> Session:
        """The session of that id; written first if there is none. An existing one is returned as it is."""
        ...

    async def find(self, session_id: SessionId) -> Session | None:
        """The session, or `None`."""
        ...

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
        """Sessions, latest created first (ties by id, descending).

        Args:
            agent: Only those of this agent.
            status: Only those in this state.
            metadata: Only those whose metadata has all of these top-level keys with these values.
            parent_id: Only those of sub-agents that this session started.
            before: Only those after this one in the order of the list: the next page.
            limit: At most so many.
        """
        ...

    async def update_metadata(self, session_id: SessionId, metadata: JSONObject) -> Session:
        """Replace the metadata.

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def close(self, session_id: SessionId) -> Session:
        """Make it refuse new sends, and the sessions of sub-agents that are bound to it; their timers are
        cancelled. Closing a closed session changes nothing.

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def pause(self, session_id: SessionId) -> Session:
        """Have no send of it be claimed, but those whose end was asked for. What runs goes on to its end, or
        until it waits. Pausing a paused session changes nothing.

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def resume(self, session_id: SessionId) -> Resumed:
        """Have its sends be claimed again. Resuming a session that is not paused changes nothing.

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def delete(self, session_id: SessionId) -> None:
        """Remove the session with its sends, messages, tool calls and ledger, and the sessions of sub-agents
        that are bound to it.

        Raises:
            SessionNotFound: there is no such session.
            SessionBusy: one of them has sends that have not ended. Nothing was removed then.
        """
        ...

    async def messages(
        self, session_id: SessionId, *, after: Seq = Seq(0), limit: int = 1000
    ) -> Sequence[Message]:
        """The log in order, from the message after `after`. An unknown session has none."""
        ...


class Sends(Protocol):
    """The queue of each session, as its producers see it."""

    async def accept(self, new: NewSend) -> Accepted:
        """Write the send as `QUEUED` at the tail of its session, and count it there, in one statement.

        Where its policy is `INTERRUPT` or `ROLLBACK` and the head of the session has started, the end of the
        head is asked for in the same transaction.

        A known idempotency key (of this session) or a known id (of this session, same content) writes nothing
        and returns the earlier send. `Accepted.is_head` is decided under the session's row lock: of any
        number of racing calls to an idle session exactly one sees True.

        Raises:
            SessionNotFound: there is no such session.
            SessionClosed: the session is closed.
            SessionBusy: the policy is `REJECT` and a send of the session has not ended.
            InvalidInput: the send's id belongs to another session.
        """
        ...

    async def find(self, send_id: SendId) -> Send | None:
        """The send, or `None`."""
        ...

    async def list(
        self,
        *,
        session_id: SessionId | None = None,
        status: SendStatus | Collection[SendStatus] | None = None,
        agent: str | None = None,
        metadata: JSONObject | None = None,
        root_id: SendId | None = None,
        before: SendId | None = None,
        limit: int = 100,
    ) -> Sequence[Send]:
        """Sends, latest accepted first (within a session by position, descending; across by time, then id).

        Args:
            session_id: Only those of this session.
            status: Only those in this state, or in one of these.
            agent: Only those of sessions of this agent.
            metadata: Only those whose metadata has all of these top-level keys with these values.
            root_id: Only those of sub-agents in the tree of this send.
            before: Only those after this one in the order of the list: the next page.
            limit: At most so many.
        """
        ...

    async def cancel(self, send_id: SendId, *, reason: str = "", actor: str = "") -> Cancellation:
        """Ask for the end of a send. The first request stands; asking again changes nothing.

        A queued send that was never claimed is cancelled at once, and the session goes on if that was its
        head; a sub-agent's end is taken to its parent. One that was claimed before has a transcript to be
        closed: the request is written, and a waiting send made queued, for a worker to end it.
        """
        ...

    async def bound_to(self, send_id: SendId) -> Sequence[Send]:
        """The sends of its sub-agents, and of theirs, that have not ended and are to end with it: those next
        to it first. What is below a sub-agent that is detached is not bound either."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedAgent:
    """What producers are told of an agent that some worker can run."""

    name: str
    model: str
    #: The policy of its sessions that were given none.
    policy: Policy = Policy.ENQUEUE
    #: Whether hooks of it are asked when a timer of it is due. Once a worker has said so it stays: to ask an
    #: agent that has none costs little, and a guard must not be passed over while releases overlap.
    asks_timers: bool = False

    @classmethod
    def of(cls, agent: Agent) -> "AnnouncedAgent":
        """The agent, as producers are told of it."""
        asks = any(Stage.TIMER in hook.stages for hook in agent.hooks)
        return cls(name=agent.name, model=agent.model, policy=agent.policy, asks_timers=asks)


class AgentDirectory(Protocol):
    """The agents that some worker can run, so that producers who never saw them can be told of a typo."""

    async def announce(self, agents: Sequence[AnnouncedAgent]) -> None:
        """Record that a worker runs these agents. Of one name, the latest is right."""
        ...

    async def names(self) -> frozenset[str]:
        """Every name that was ever announced."""
        ...

    async def models(self) -> dict[str, str]:
        """Every announced agent's name and model."""
        ...

    async def policy_of(self, name: str) -> Policy | None:
        """The policy of that agent; `None` if it was never announced."""
        ...


class Store(Protocol):
    """Where everything durable lives."""

    @property
    def sessions(self) -> Sessions: ...

    @property
    def sends(self) -> Sends: ...

    @property
    def agents(self) -> AgentDirectory: ...

    @property
    def interactions(self) -> Interactions: ...

    @property
    def usage(self) -> UsageLedger: ...

    @property
    def explaining(self) -> Explaining: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def recovery(self) -> Recovery: ...

    @property
    def tool_tasks(self) -> ToolTasks: ...

    @property
    def task_recovery(self) -> TaskRecovery: ...

    @property
    def workflows(self) -> Workflows: ...

    @property
    def workflow_recovery(self) -> WorkflowRecovery: ...

    @property
    def workflow_specs(self) -> WorkflowSpecs: ...

    @property
    def timers(self) -> Timers: ...

    @property
    def beats(self) -> Beats: ...

    @property
    def retention(self) -> Retention: ...

    async def open(self) -> None:
        """Connect, and check (or, where the policy allows, bring about) the schema.

        Raises:
            StoreUnavailable: the database does not answer.
            SchemaMissing: there is no schema, and the policy forbids to make one.
            SchemaOutdated: the schema is older than the code, and the policy forbids to upgrade it.
            SchemaNewer: the schema is newer than the code.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection. Closing twice changes nothing."""
        ...
